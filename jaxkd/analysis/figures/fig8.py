"""Fig. 8: students' accuracy against their teachers' capacity."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxkd.analysis.figures import Drawn, Findings, Missing, Picture, _students
from jaxkd.analysis.study import MeasuredTeacher
from jaxkd.reports import style
from jaxkd.reports.pictures import draw_band
from jaxkd.reports.tables import deviation


class AccuracyPanel(NamedTuple):
  """One student under a family of teachers; NaN where a method has no accuracy."""

  title: str  # the student and its teachers' family
  capacities: Sequence[str]  # the teachers' names, from small to large
  accuracies: Mapping[str, np.ndarray]  # in percent under each teacher, by method
  deviations: Mapping[str, np.ndarray]  # over the seeds, by method


def draw(findings: Findings) -> Drawn:
  """Yields the figure if there are students of two teachers."""
  study = findings.study
  if len({student.teacher for student in study.students}) < 2:
    yield Missing(
      "Fig. 8, students' accuracy against capacity, needs students of two teachers: "
      "--config.analysis.students=NAME,NAME,... trains them."
    )
    return

  found = {(s.network, s.method, s.teacher): s.accuracies for s in study.students}

  def curves(network, teachers, reduce):
    return {
      method: np.array([reduce(found.get((network, method, t.name), [np.nan])) for t in teachers])
      for method in _students.methods(study.students)
    }

  families = families_of(study.teachers)
  panels = [
    AccuracyPanel(
      ", ".join(filter(None, (network, family))),
      [teacher.name for teacher in teachers],
      curves(network, teachers, np.mean),
      curves(network, teachers, deviation),
    )
    for network in _students.networks(study.students)
    for family, teachers in families.items()
  ]
  several = any(len(s.seeds) > 1 for s in study.students)
  text = f"Fig. 8. Accuracy of students on the {study.split} split against their teachers' capacity"
  text += ", mean and standard deviation over seeds." if several else "."
  caption = _students.caption(findings, study.students, text)
  figure = plot(panels, columns=len(families) if len(families) > 1 else 3)
  yield Picture("fig8", figure, [_students.line(s) for s in study.students], caption)


def families_of(teachers: Sequence[MeasuredTeacher]) -> dict[str, list[MeasuredTeacher]]:
  """Returns the teachers by family; all together if no family has two teachers."""
  families: dict[str, list[MeasuredTeacher]] = {}
  for teacher in teachers:
    families.setdefault(teacher.family, []).append(teacher)
  if len(families) > 1 and any(len(own) > 1 for own in families.values()):
    return families
  return {"": list(teachers)}


@style.styled
def plot(panels: Sequence[AccuracyPanel], *, columns: int = 3) -> style.Figure:
  """Draws the panels; in the paper a row for each student, a column for each family."""
  # One or two panels stand above each other in one column of a page; more take the page's width.
  columns, width = (1, style.COLUMN_WIDTH) if len(panels) < 3 else (columns, style.PAGE_WIDTH)
  columns = min(columns, len(panels))
  rows = -(-len(panels) // columns)
  figure, axes = style.new_figure(rows, columns, height=2.0 * rows, width=width)
  for ax, panel in zip(axes.flat, panels, strict=False):
    positions = np.arange(len(panel.capacities))
    for index, (method, values) in enumerate(panel.accuracies.items()):
      look = {"marker": style.MARKERS[index], "color": style.COLORS[index], "label": method}
      draw_band(ax, positions, values, panel.deviations[method], **look)
    ax.set_xticks(positions, panel.capacities, rotation=30, ha="right")
    ax.set_title(style.plain(panel.title))
  handles, methods = axes[0, 0].get_legend_handles_labels()
  figure.legend(handles, methods, loc="outside upper center", ncols=len(methods))
  for ax in axes[-1]:
    ax.set_xlabel("teacher, by capacity")
  for ax in axes[:, 0]:
    ax.set_ylabel("accuracy (%)")
  for ax in axes.flat[len(panels) :]:
    ax.remove()
  return figure
