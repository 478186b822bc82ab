"""Figures of what students made of their teachers, where there are any."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from jaxkd.analysis import figures
from jaxkd.analysis.drawings import Drawing, caption
from jaxkd.analysis.study import (
  METHODS,
  PAPER_EPOCHS,
  Student,
  Study,
  Teacher,
  duration,
)


def draw(study: Study) -> Iterator[Drawing]:
  """Yields the figures for which there are enough students.

  Fig. 8 needs students of two teachers; the ATS paper's Fig. 3 three students
  of which one alone has been trained, too; its Fig. 10 two pairs of
  temperatures, and is one for each network.
  """
  if len({student.teacher for student in study.students}) > 1:
    yield _student_accuracy(study)
  compared = [s for s in study.students if s.alone is not None]
  if len(compared) > 2:
    yield _improvement(study, compared)
  for network in _networks(study.grid):
    taught = [student for student in study.grid if student.network == network]
    if len(taught) > 1:
      yield _temperature_grid(study, taught)


def _caption(study: Study, students: Sequence[Student], text: str) -> str:
  """Returns a caption that also says how the students were trained."""
  networks: dict[str, list[str]] = {}
  for student in students:
    seeds = "seed " if len(student.seeds) == 1 else "seeds "
    seeds += ", ".join(map(str, student.seeds))
    alike = networks.setdefault(f"{duration(student.epochs)}, {seeds}", [])
    if student.network not in alike:
      alike.append(student.network)
  trained = "; ".join(f"{', '.join(n)}: {how}" for how, n in networks.items())
  epochs = sorted({student.epochs for student in students})
  short = " or ".join(duration(e) for e in epochs if e < PAPER_EPOCHS)
  if short:
    added = f"students trained {short}, the papers {PAPER_EPOCHS}"
    study = study._replace(approximations=(*study.approximations, added))
  return caption(study, f"{text} Students: {trained}.")


def _student_accuracy(study: Study) -> Drawing:
  methods = _methods(study.students)

  def curves(network, teachers, statistic):
    found = {
      (s.method, s.teacher): statistic(s.accuracies) for s in study.students if s.network == network
    }
    return {
      method: np.array([found.get((method, t.name), np.nan) for t in teachers])
      for method in methods
    }

  families = _families(study.teachers)
  panels = [
    figures.AccuracyPanel(
      ", ".join(filter(None, (network, family))),
      [teacher.name for teacher in teachers],
      curves(network, teachers, np.mean),
      curves(network, teachers, _deviation),
    )
    for network in _networks(study.students)
    for family, teachers in families.items()
  ]
  several = any(len(s.seeds) > 1 for s in study.students)
  figure = figures.student_accuracy(
    panels,
    columns=len(families) if len(families) > 1 else 3,
    caption=_caption(
      study,
      study.students,
      f"Fig. 8. Accuracy of students on the {study.split} split against their "
      "teachers' capacity" + (", mean and standard deviation over seeds." if several else "."),
    ),
  )
  return Drawing("fig8", figure, [_line(s) for s in study.students])


def _families(teachers: Sequence[Teacher]) -> dict[str, list[Teacher]]:
  """Returns teachers by family; all together if no family has a curve."""
  families: dict[str, list[Teacher]] = {}
  for teacher in teachers:
    families.setdefault(teacher.family, []).append(teacher)
  if len(families) > 1 and any(len(own) > 1 for own in families.values()):
    return families
  return {"": list(teachers)}


def _networks(students: Sequence[Student]) -> list[str]:
  return list(dict.fromkeys(student.network for student in students))


def _methods(students: Sequence[Student]) -> list[str]:
  found = {student.method for student in students}
  return [method for method in METHODS.values() if method in found]


def _deviation(accuracies: Sequence[float]) -> float:
  """Returns the standard deviation of a sample; NaN of one alone."""
  return float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else np.nan


def _line(student: Student) -> dict[str, object]:
  return {
    "student": student.network,
    "teacher": student.teacher,
    "method": student.method,
    "accuracy (%)": float(np.mean(student.accuracies)),
    "standard deviation": _deviation(student.accuracies),
    "seeds": len(student.seeds),
    "epochs": student.epochs,
    "alone (%)": student.alone,
    "derived average": student.derived_average,
    "derived variance": student.derived_variance,
  }


def _improvement(study: Study, students: list[Student]) -> Drawing:
  improvements = [100 * (float(np.mean(s.accuracies)) / (s.alone or np.nan) - 1) for s in students]
  figure = figures.improvement_correlation(
    [s.derived_average for s in students],
    [s.derived_variance for s in students],
    improvements,
    caption=_caption(
      study,
      students,
      f"ATS paper, Fig. 3. Improvement of {_listed(_networks(students))}, "
      f"taught by {_listed(_methods(students))}, over training alone, against "
      "derived average and variance of the labels.",
    ),
  )
  lines = [
    {**_line(student), "improvement (%)": improvement}
    for student, improvement in zip(students, improvements, strict=True)
  ]
  return Drawing("ats-fig3", figure, lines)


def _listed(names: Sequence[str]) -> str:
  *others, last = names
  return f"{', '.join(others)} and {last}" if others else last


def _temperature_grid(study: Study, students: Sequence[Student]) -> Drawing:
  tau1 = sorted({s.tau1 for s in students if s.tau1 is not None})
  tau2 = sorted({s.tau2 for s in students if s.tau2 is not None})
  found = {(s.tau1, s.tau2): np.mean(s.accuracies) for s in students}
  accuracies = np.reshape(
    [found.get(pair, np.nan) for pair in itertools.product(tau1, tau2)],
    (len(tau1), len(tau2)),
  )
  network = students[0].network
  figure = figures.temperature_grid(
    tau1,
    tau2,
    accuracies,
    title=f"{students[0].teacher} teaches {network}",
    caption=_caption(
      study,
      students,
      "ATS paper, Fig. 10. Test accuracy (%) of students taught with asymmetric temperatures.",
    ),
  )
  lines = [{**_line(s), "tau1": s.tau1, "tau2": s.tau2} for s in students]
  alone = len(_networks(study.grid)) == 1
  name = "ats-fig10" if alone else f"ats-fig10-{network}"
  return Drawing(name, figure, lines)
