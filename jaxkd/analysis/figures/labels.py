"""Figures of single labels: what a teacher says about one example."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxkd import metrics
from jaxkd.analysis.figures import style

# Of more, the bars of a hundred classes could not be told apart in one column.
_MOST_LABELS = 4


def _label_first(probs: np.ndarray, label: int) -> np.ndarray:
  """Moves the label's probability to the front; the others keep their order."""
  return np.concatenate([probs[label : label + 1], np.delete(probs, label)])


def _draw_labels(axes: Iterable[Axes], labels: Sequence[np.ndarray], label: int) -> None:
  """Draws labels as bars on one scale, that of the wrong classes.

  The ground truth comes first, in another colour and written out; where it
  exceeds the scale, it is cut.
  """
  highest = max(float(np.max(np.delete(p, label))) for p in labels)
  # With room for what is written.
  top = 1.3 * highest or 1.0
  for ax, probs in zip(axes, labels, strict=True):
    bars = _label_first(probs, label)
    colors = [style.COLORS[1]] + [style.COLORS[0]] * (len(bars) - 1)
    ax.bar(np.arange(len(bars)), bars, width=0.9, color=colors)
    ax.annotate(
      f"$p_y$ = {probs[label]:.2f}",
      (0.5, top),
      xytext=(2, -8),
      textcoords="offset points",
      color=style.COLORS[1],
    )
    ax.set(ylim=(0, top), xticks=[])


@style.styled
def softened_labels(probs: Mapping[str, np.ndarray], label: int, *, caption: str = "") -> Figure:
  """Fig. 1: the label that each teacher gives to one example.

  Bars of the softened probabilities, one row for each network, the ground truth
  first. All rows share the scale of the wrong classes.

  Args:
    probs: `[C]` by network, from small to large, at one temperature.
    label: the example's class.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> probs = {"ResNet14": np.array([0.7, 0.2, 0.1])}
    >>> softened_labels(probs, 0).axes[0].get_title()
    'ResNet14'
  """
  figure, axes = style.new_figure(
    len(probs),
    1,
    caption=caption,
    height=0.95 * len(probs) + 0.2,
    sharex=True,
    sharey=True,
  )
  _draw_labels(axes[:, 0], [*map(np.asarray, probs.values())], label)
  for ax, name in zip(axes[:, 0], probs, strict=True):
    ax.set_title(name)
    ax.set_ylabel("probability")
  axes[-1, 0].set_xlabel("class, ground truth first")
  return figure


@style.styled
def confidence(
  probs: Sequence[np.ndarray],
  label: int,
  levels: Sequence[str],
  *,
  xlabel: str = "confidence",
  means: Sequence[float] | None = None,
  caption: str = "",
) -> Figure:
  """Fig. 9: a teacher's label under rising confidence.

  Above, the label as in Fig. 1, of at most four levels from the first to the
  last; below, its derived variance at all levels, which is highest at a proper
  confidence, beside the mean over all examples if it is given.

  Args:
    probs: `[C]` for each level, from unsure to sure: by capacity, training time
      or falling temperature.
    label: the example's class.
    levels: what to call each level.
    xlabel: what the levels are.
    means: mean derived variance over all examples at each level.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> labels = [np.array([0.4, 0.35, 0.25]), np.array([0.98, 0.01, 0.01])]
    >>> figure = confidence(labels, 0, ["τ = 4", "τ = 1"])
    >>> len(figure.axes)
    3
  """
  count = len(probs)
  shown = np.linspace(0, count - 1, min(count, _MOST_LABELS)).round().astype(int)
  figure, axes = style.new_figure(
    len(shown) + 1,
    1,
    caption=caption,
    height=0.8 * len(shown) + 1.6,
    gridspec_kw={"height_ratios": [1] * len(shown) + [1.7]},
  )
  *above, below = axes[:, 0]
  _draw_labels(above, [np.asarray(probs[level]) for level in shown], label)
  for ax, level in zip(above, shown, strict=True):
    ax.set_title(levels[level])
    ax.set_ylabel("probability")
  above[-1].set_xlabel("class, ground truth first")

  stacked = np.stack([np.asarray(values) for values in probs])
  variances = metrics.derived_variance(stacked, np.full(count, label))
  curves = {"this example": np.asarray(variances)}
  if means is not None:
    curves["mean over all examples"] = np.asarray(means)
  for index, (name, values) in enumerate(curves.items()):
    below.plot(np.arange(count), values, marker=style.MARKERS[index], label=name)
  below.set_xticks(np.arange(count), levels, rotation=30, ha="right")
  below.set_xlim(-0.5, count - 0.5)
  # With room for the markers of the highest.
  below.set_ylim(0, 1.15 * max(map(np.max, curves.values())) or 1.0)
  below.set_xlabel(xlabel)
  below.set_ylabel("derived variance $v(q)$")
  if means is not None:
    below.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
  figure.align_ylabels()
  return figure
