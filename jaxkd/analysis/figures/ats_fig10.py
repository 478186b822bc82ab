"""ATS paper, Fig. 10: a student's accuracy over ATS' two temperatures."""

import re
from collections.abc import Sequence

import numpy as np

from jaxkd.analysis.figures import Drawn, Findings, Missing, Picture, _students
from jaxkd.analysis.study import MeasuredStudent
from jaxkd.reports.pictures import accuracy_grid


def draw(findings: Findings) -> Drawn:
  """Yields a figure for each network that was trained at two pairs of temperatures."""
  grid = findings.study.grid
  by_network = [[s for s in grid if s.network == name] for name in _students.networks(grid)]
  drawn = [_picture(findings, students) for students in by_network if len(students) > 1]
  yield from drawn
  if not drawn:
    yield Missing(
      "ATS paper, Fig. 10, accuracy by temperatures, needs students of the largest teacher under "
      "ATS: --config.analysis.grid=True trains those of --config.analysis.students."
    )


def _picture(findings: Findings, students: Sequence[MeasuredStudent]) -> Picture:
  study, network = findings.study, students[0].network
  tau1 = sorted({s.tau1 for s in students if s.tau1 is not None})
  tau2 = sorted({s.tau2 for s in students if s.tau2 is not None})
  found = {(s.tau1, s.tau2): np.mean(s.accuracies) for s in students}
  accuracies = np.array([[found.get((a, b), np.nan) for b in tau2] for a in tau1])
  text = (
    f"ATS paper, Fig. 10. Accuracy (%) on the {study.split} split of students taught with "
    "asymmetric temperatures."
  )
  title = f"{students[0].teacher} teaches {network}"
  caption = _students.caption(findings, students, text)
  figure = accuracy_grid(tau1, tau2, accuracies, title=title)
  name = "ats-fig10"
  if len(_students.networks(study.grid)) > 1:
    name += "-" + re.sub(r"[^\w.-]", "_", network)
  lines = [{**_students.line(s), "tau1": s.tau1, "tau2": s.tau2} for s in students]
  return Picture(name, figure, lines, caption)
