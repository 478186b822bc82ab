"""Labels of one example, which Fig. 1 and Fig. 9 show as bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxkd import losses
from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import MeasuredTeacher, Study
from jaxkd.reports import style
from jaxkd.reports.tables import Lines

TRUTH = (
  "The bar of the ground truth comes first and is cut where it exceeds the scale of the others; "
  "p_y is its probability."
)

_MOST_NAMES = 20  # more would overlap in one column of a page


def typical_example(findings: Findings) -> int:
  """Returns the number of the example that figures of one example show.

  It has the median ratio of the smallest to the largest teacher's derived variance among the
  examples that all teachers classify correctly, or among all examples if there are none.
  """
  of = [findings.measured.examples[name] for name in findings.study.names]
  correct = np.all([examples.correct for examples in of], axis=0)
  rows = np.flatnonzero(correct if correct.any() else ~correct)
  with np.errstate(divide="ignore", invalid="ignore"):
    ratios = of[0].derived_variance[rows] / of[-1].derived_variance[rows]
  return int(rows[np.argsort(ratios, kind="stable")[len(rows) // 2]])


def name_of(study: Study, example: int) -> str:
  """Returns an example's number and class, for captions."""
  return f"example {example}, of class {study.class_names[study.labels[example]]}"


def softened(teacher: MeasuredTeacher, example: int, tau: float) -> np.ndarray:
  """Returns a teacher's label of an example, `[C]`."""
  return np.asarray(losses.softmax(teacher.logits[example], tau))


def label_lines(study: Study, labels: Mapping[str, np.ndarray], column: str) -> Lines:
  """Returns a line for each class of each label; `column` names the labels' keys."""
  return [
    {column: key, "class": name, "probability": float(value)}
    for key, probs in labels.items()
    for name, value in zip(study.class_names, probs, strict=True)
  ]


def draw_labels(
  axes: Sequence[Axes] | np.ndarray,
  labels: Mapping[str, np.ndarray],
  label: int,
  class_names: Sequence[str] = (),
) -> None:
  """Draws labels as bars on the common scale of their wrong classes; see `TRUTH`.

  The last axes name the classes, if there are no more than `_MOST_NAMES`.
  """
  highest = max(float(np.max(np.delete(p, label))) for p in labels.values())
  # Leaves room for the value.
  top = 1.3 * highest or 1.0
  for ax, (title, probs) in zip(axes, labels.items(), strict=True):
    bars = _truth_first(probs, label)
    colors = [style.COLORS[1]] + [style.COLORS[0]] * (len(bars) - 1)
    ax.bar(np.arange(len(bars)), bars, width=0.9, color=colors)
    place: Any = {"xytext": (2, -8), "textcoords": "offset points", "color": style.COLORS[1]}
    ax.annotate(f"$p_y$ = {probs[label]:.2f}", (0.5, top), **place)
    ax.set(ylim=(0, top), xticks=[], title=style.plain(title), ylabel="probability")
  axes[-1].set_xlabel("class, ground truth first")
  if 0 < len(class_names) <= _MOST_NAMES:
    names = [class_names[i] for i in _truth_first(np.arange(len(class_names)), label)]
    upright: Any = {"rotation": 90} if max(map(len, names)) > 2 else {}
    axes[-1].set_xticks(np.arange(len(names)), [*map(style.plain, names)], **upright)


def _truth_first(values: np.ndarray, label: int) -> np.ndarray:
  return np.concatenate([values[label : label + 1], np.delete(values, label)])
