"""Figures of what students made of their teachers, where there are any."""

import itertools
from collections.abc import Iterator

import numpy as np

from jaxkd.analysis import figures
from jaxkd.analysis.drawings import Drawing, caption
from jaxkd.analysis.study import Student, Study


def draw(study: Study) -> Iterator[Drawing]:
  """Yields the figures for which there are enough students.

  Fig. 8 needs students of two teachers; the ATS paper's Fig. 3 three students
  of which one alone has been trained, too; its Fig. 10 two pairs of
  temperatures.
  """
  if len({student.teacher for student in study.students}) > 1:
    yield _student_accuracy(study)
  compared = [s for s in study.students if s.alone is not None]
  if len(compared) > 2:
    yield _improvement(study, compared)
  if len(study.grid) > 1:
    yield _temperature_grid(study)


def _student_accuracy(study: Study) -> Drawing:
  def points(student, method, statistic):
    found = {
      s.teacher: statistic(s.accuracies)
      for s in study.students
      if (s.network, s.method) == (student, method)
    }
    return np.array([found.get(name, np.nan) for name in study.names])

  panels = [
    figures.AccuracyPanel(
      student,
      study.names,
      {m: points(student, m, np.mean) for m in methods},
      {m: points(student, m, np.std) for m in methods},
    )
    for student, methods in _methods_by_student(study).items()
  ]
  figure = figures.student_accuracy(
    panels,
    caption=caption(
      study,
      "Fig. 8. Test accuracy of students against their teachers' capacity, "
      "mean and standard deviation over the students' seeds "
      f"({_seeds(study.students)}).",
    ),
  )
  return Drawing("fig8", figure, [_line(s) for s in study.students])


def _methods_by_student(study: Study) -> dict[str, list[str]]:
  methods: dict[str, list[str]] = {}
  for student in study.students:
    if student.method not in methods.setdefault(student.network, []):
      methods[student.network].append(student.method)
  return methods


def _seeds(students: tuple[Student, ...]) -> str:
  counts = sorted({len(s.accuracies) for s in students})
  return " or ".join(map(str, counts))


def _line(student: Student) -> dict[str, object]:
  return {
    "student": student.network,
    "teacher": student.teacher,
    "method": student.method,
    "test accuracy (%)": float(np.mean(student.accuracies)),
    "seeds": len(student.accuracies),
    "alone (%)": student.alone,
    "derived average": student.derived_average,
    "derived variance": student.derived_variance,
  }


def _improvement(study: Study, students: list[Student]) -> Drawing:
  improvements = [
    100 * (float(np.mean(s.accuracies)) / (s.alone or np.nan) - 1)
    for s in students
  ]
  figure = figures.improvement_correlation(
    [s.derived_average for s in students],
    [s.derived_variance for s in students],
    improvements,
    caption=caption(
      study,
      "ATS paper, Fig. 3. Improvement of students over training alone, against "
      "derived average and variance of the labels that they were taught with.",
    ),
  )
  lines = [
    {**_line(student), "improvement (%)": improvement}
    for student, improvement in zip(students, improvements, strict=True)
  ]
  return Drawing("ats-fig3", figure, lines)


def _temperature_grid(study: Study) -> Drawing:
  tau1 = sorted({s.tau1 for s in study.grid if s.tau1 is not None})
  tau2 = sorted({s.tau2 for s in study.grid if s.tau2 is not None})
  found = {(s.tau1, s.tau2): np.mean(s.accuracies) for s in study.grid}
  accuracies = np.reshape(
    [found.get(pair, np.nan) for pair in itertools.product(tau1, tau2)],
    (len(tau1), len(tau2)),
  )
  figure = figures.temperature_grid(
    tau1,
    tau2,
    accuracies,
    title=f"{study.grid[0].teacher} teaches {study.grid[0].network}",
    caption=caption(
      study,
      "ATS paper, Fig. 10. Test accuracy (%) of students taught with "
      "asymmetric temperatures.",
    ),
  )
  lines = [{**_line(s), "tau1": s.tau1, "tau2": s.tau2} for s in study.grid]
  return Drawing("ats-fig10", figure, lines)
