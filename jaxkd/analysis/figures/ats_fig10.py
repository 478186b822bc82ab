"""ATS paper, Fig. 10: a student's accuracy over ATS' two temperatures."""

import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np

from jaxkd.analysis.figures import Drawn, Missing, _students
from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import Student
from jaxkd.reports.document import Picture
from jaxkd.reports.pictures import accuracy_grid


def draw(findings: Findings) -> Iterator[Drawn]:
  """Yields a figure for each network that was trained at two pairs of temperatures."""
  grid = findings.study.grid
  drawn = False
  for network in _students.networks(grid):
    students = [student for student in grid if student.network == network]
    if len(students) > 1:
      drawn = True
      yield _picture(findings, students)
  if not drawn:
    yield Missing(
      "ATS paper, Fig. 10, accuracy by temperatures, needs students of the largest teacher under "
      "ATS: --config.analysis.grid=True trains those of --config.analysis.students."
    )


def _picture(findings: Findings, students: Sequence[Student]) -> Picture:
  study, network = findings.study, students[0].network
  tau1 = sorted({s.tau1 for s in students if s.tau1 is not None})
  tau2 = sorted({s.tau2 for s in students if s.tau2 is not None})
  found = {(s.tau1, s.tau2): np.mean(s.accuracies) for s in students}
  accuracies = np.array([found.get(pair, np.nan) for pair in itertools.product(tau1, tau2)])
  text = (
    f"ATS paper, Fig. 10. Accuracy (%) on the {study.split} split of students taught with "
    "asymmetric temperatures."
  )
  figure = accuracy_grid(
    tau1,
    tau2,
    accuracies.reshape(len(tau1), len(tau2)),
    title=f"{students[0].teacher} teaches {network}",
    caption=_students.caption(findings, students, text),
  )
  name = "ats-fig10"
  if len(_students.networks(study.grid)) > 1:
    name += "-" + re.sub(r"[^\w.-]", "_", network)
  lines = [{**_students.line(s), "tau1": s.tau1, "tau2": s.tau2} for s in students]
  return Picture(name, figure, lines)
