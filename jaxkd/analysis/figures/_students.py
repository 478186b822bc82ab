"""Students of the teachers, which Fig. 8 and the ATS paper's Fig. 3 and 10 show."""

from collections.abc import Sequence

import numpy as np

from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import LABELS_OF_ROWS, MeasuredStudent
from jaxkd.reports.tables import deviation
from jaxkd.runs.paper import EPOCHS as PAPER_EPOCHS
from jaxkd.runs.phase import duration


def caption(findings: Findings, students: Sequence[MeasuredStudent], text: str) -> str:
  """Returns a caption that also describes how the students were trained."""
  trained: dict[str, dict[str, None]] = {}
  for student in students:
    seeds = "seed" + "s" * (len(student.seeds) > 1) + " " + ", ".join(map(str, student.seeds))
    trained.setdefault(f"{duration(student.epochs)}, {seeds}", {})[student.network] = None
  described = "; ".join(f"{', '.join(names)}: {how}" for how, names in trained.items())
  epochs = sorted({student.epochs for student in students})
  short = " or ".join(duration(e) for e in epochs if 0 < e < PAPER_EPOCHS)
  study = findings.study
  if short:
    added = f"students trained {short}, the papers' {PAPER_EPOCHS}"
    study = study._replace(approximations=(*study.approximations, added))
  return f"{text} Students: {described}. {study.context}"


def networks(students: Sequence[MeasuredStudent]) -> list[str]:
  """Returns the students' networks, once each."""
  return list(dict.fromkeys(student.network for student in students))


def methods(students: Sequence[MeasuredStudent]) -> list[str]:
  """Returns the students' methods in the papers' order."""
  found = {student.method for student in students}
  return [method for method in LABELS_OF_ROWS.values() if method in found]


def line(student: MeasuredStudent) -> dict[str, object]:
  """Returns a student's line of a CSV file."""
  return {
    "student": student.network,
    "teacher": student.teacher,
    "method": student.method,
    "accuracy (%)": float(np.mean(student.accuracies)),
    "standard deviation": deviation(student.accuracies),
    "seeds": len(student.seeds),
    "epochs": student.epochs,
    "alone (%)": student.alone,
    "derived average": student.derived_average,
    "derived variance": student.derived_variance,
  }
