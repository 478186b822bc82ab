"""ATS paper, Fig. 3: improvement by distillation against the labels' statistics."""

from collections.abc import Sequence

import numpy as np

from jaxkd.analysis.figures import Drawn, Findings, Missing, Picture, _students
from jaxkd.reports import style
from jaxkd.reports.pictures import Floats


def draw(findings: Findings) -> Drawn:
  """Yields the figure if three students have also been trained alone."""
  students = [s for s in findings.study.students if s.alone is not None]
  if len(students) < 3:
    yield Missing(
      "ATS paper, Fig. 3, improvement against the labels' statistics, needs three students that "
      "have also been trained alone: --config.analysis.students=NAME,NAME,... with nokd among "
      "--config.rows trains them."
    )
    return
  improvements = [100 * (float(np.mean(s.accuracies)) / (s.alone or np.nan) - 1) for s in students]
  text = (
    f"ATS paper, Fig. 3. Improvement of {_listed(_students.networks(students))}, taught by "
    f"{_listed(_students.methods(students))}, over training alone, against derived average and "
    "variance of the labels."
  )
  averages = [s.derived_average for s in students]
  variances = [s.derived_variance for s in students]
  caption = _students.caption(findings, students, text)
  figure = plot(averages, variances, improvements)
  lines = [
    {**_students.line(student), "improvement (%)": improvement}
    for student, improvement in zip(students, improvements, strict=True)
  ]
  yield Picture("ats-fig3", figure, lines, caption)


def _listed(names: Sequence[str]) -> str:
  *others, last = names
  return f"{', '.join(others)} and {last}" if others else last


@style.styled
def plot(averages: Floats, variances: Floats, improvements: Floats) -> style.Figure:
  """Draws a student's improvement in percent as a point; Pearson's correlation is the title."""
  figure, axes = style.new_figure(1, 2, height=1.8, sharey=True)
  statistics = {"derived average $e(q)$": averages, "derived variance $v(q)$": variances}
  for index, (ax, (name, values)) in enumerate(zip(axes[0], statistics.items(), strict=True)):
    look = {"color": style.COLORS[index], "marker": style.MARKERS[index]}
    ax.scatter(values, improvements, s=12, **look)
    ax.set_title(f"r = {np.corrcoef(values, improvements)[0, 1]:.2f}")
    # On the left, because a power of ten may stand on the right.
    ax.set_xlabel(name, loc="left")
  axes[0, 0].set_ylabel("improvement (%)")
  return figure
