"""Fig. 9: a teacher's label and its derived variance under rising confidence."""

import functools
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from jaxkd import losses, metrics
from jaxkd.analysis.figures import Drawn, Findings, Missing, Picture, _labels
from jaxkd.analysis.measure import mean, over_blocks
from jaxkd.analysis.study import MeasuredTeacher
from jaxkd.reports import style
from jaxkd.reports.pictures import Floats

_MOST_LABELS = 4  # in one column of a page, the bars of a hundred classes are too thin for more

# Degrees of confidence from low to high: by name, a teacher and a temperature.
Levels = Mapping[str, tuple[MeasuredTeacher, float]]


def draw(findings: Findings) -> Drawn:
  """Yields one figure each for capacity, training time and temperature."""
  study, tau = findings.study, findings.settings.tau
  largest = study.teachers[-1]
  capacities = {teacher.name: (teacher, tau) for teacher in study.teachers}
  text = f"The teachers' labels at τ = {tau:g}, from the smallest teacher to the largest"
  yield _picture(findings, capacities, "capacity", "network", text)
  if study.stages:
    stages = {stage.name: (stage, tau) for stage in study.stages}
    text = (
      f"The label of {largest.name} at τ = {tau:g} after more and more epochs, each time with "
      "a whole schedule"
    )
    yield _picture(findings, stages, "training", "training", text)
  else:
    yield Missing(
      "Fig. 9 over training needs the largest teacher after fewer epochs: "
      "--config.analysis.stages=SHARE,SHARE,... trains it, unless it is given."
    )
  grid = sorted(findings.settings.grid, reverse=True)
  temperatures = {f"τ = {tau:g}": (largest, tau) for tau in grid}
  text = f"The label of {largest.name} at falling temperatures"
  yield _picture(findings, temperatures, "temperature", "temperature", text)


def _picture(findings: Findings, levels: Levels, name: str, xlabel: str, text: str) -> Picture:
  study, example = findings.study, _labels.typical_example(findings)
  label = int(study.labels[example])
  labels = {level: _labels.softened(t, example, tau) for level, (t, tau) in levels.items()}
  variances = [
    over_blocks(functools.partial(_variances, tau=tau), teacher.logits, study.labels)
    for teacher, tau in levels.values()
  ]
  own, means = [float(values[example]) for values in variances], [*map(mean, variances)]
  text = (
    f"Fig. 9. {text}, for {_labels.name_of(study, example)}: above, at most four of the labels; "
    f"below, the variance of the wrong classes in every label. {_labels.TRUTH}"
  )
  derived = {"this example": own, "mean over all examples": means}
  figure = plot(labels, label, derived, xlabel, study.class_names)
  found = {
    level: {"derived variance": of_one, "mean derived variance": of_all}
    for level, of_one, of_all in zip(labels, own, means, strict=True)
  }
  lines = _labels.label_lines(study, labels, xlabel)
  lines = [{**line, **found[str(line[xlabel])]} for line in lines]
  return Picture(f"fig9-{name}", figure, lines, findings.caption(text))


@jax.jit
def _variances(logits: jax.Array, labels: jax.Array, tau: float) -> jax.Array:
  return metrics.derived_variance(losses.softmax(logits, tau), labels)


@style.styled
def plot(
  labels: Mapping[str, np.ndarray],
  label: int,
  variances: Mapping[str, Floats],
  xlabel: str,
  class_names: Sequence[str] = (),
) -> style.Figure:
  """Draws labels, `[C]` by level, as in Fig. 1, and below them variances `[L]` at every level.

  The levels go from unsure to sure; the labels of at most four are drawn, from first to last.
  """
  levels, count = [*labels], len(labels)
  shown = np.linspace(0, count - 1, min(count, _MOST_LABELS)).round().astype(int)
  rows, height = len(shown) + 1, 0.8 * len(shown) + 2.0
  ratios = [1] * len(shown) + [1.7]
  figure, axes = style.new_figure(rows, 1, height=height, height_ratios=ratios)
  *above, below = axes[:, 0]
  drawn = {levels[index]: labels[levels[index]] for index in shown}
  _labels.draw_labels(above, drawn, label, class_names)
  for marker, (name, values) in zip(style.MARKERS, variances.items(), strict=False):
    below.plot(np.arange(count), values, marker=marker, label=name)
  below.set_xticks(np.arange(count), [*map(style.plain, levels)], rotation=30, ha="right")
  below.set_xlim(-0.5, count - 0.5)
  # Leaves room for the highest marker.
  below.set_ylim(0, 1.15 * max(map(np.max, variances.values())) or 1.0)
  below.set(xlabel=xlabel, ylabel="derived variance $v(q)$")
  # Its exponent stands beside the legend.
  below.yaxis.get_offset_text().set_ha("right")
  below.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
  figure.align_ylabels()
  return figure
