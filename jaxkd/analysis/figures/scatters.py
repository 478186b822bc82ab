"""Figures with a point for each example or experiment."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from jaxkd.analysis.figures import style


@style.styled
def feature_scatter(
  features: Mapping[str, np.ndarray],
  labels: np.ndarray,
  *,
  accuracies: Mapping[str, float] | None = None,
  caption: str = "",
) -> Figure:
  """Fig. 2: features of two or three dimensions, by class.

  A panel for each network; the label of each class, if there are no more than
  twenty, stands just outside the mean of its features, seen from the origin.

  Args:
    features: `[N, 2]` or `[N, 3]` by network, from small to large.
    labels: `[N]`, integers.
    accuracies: test accuracies in percent, for the titles.
    caption: text below the axes.

  Returns:
    The figure.

  Raises:
    ValueError: features of other dimensions.

  Examples:
    >>> features = {"0.1M": np.eye(2)}
    >>> figure = feature_scatter(
    ...   features, np.array([0, 1]), accuracies={"0.1M": 97.5}
    ... )
    >>> figure.axes[0].get_title()
    '0.1M, 97.5 %'
  """
  dimensions = {np.shape(values)[-1] for values in features.values()}
  if dimensions not in ({2}, {3}):
    raise ValueError(f"features of {sorted(dimensions)} dimensions; can draw 2 or 3")
  labels = np.asarray(labels)
  classes = np.unique(labels)
  count = len(features)
  figure, axes = style.new_figure(
    1,
    count,
    caption=caption,
    height=1.9,
    width=style.COLUMN_WIDTH if count < 3 else style.PAGE_WIDTH,
    subplot_kw={"projection": "3d"} if dimensions == {3} else {},
  )
  for ax, (name, values) in zip(axes[0], features.items(), strict=True):
    for index, label in enumerate(classes):
      points = np.asarray(values)[labels == label]
      turn, color = divmod(index, len(style.CLASS_COLORS))
      ax.scatter(
        *points.T,
        s=3,
        color=style.CLASS_COLORS[color],
        marker=style.MARKERS[turn % len(style.MARKERS)],
        linewidths=0,
        rasterized=True,
      )
      if len(classes) > 20:
        continue
      ax.text(
        *1.15 * points.mean(axis=0),
        str(label),
        weight="bold",
        zorder=100,  # Above the points of a 3-d axes, which sorts by depth.
        ha="center",
        va="center",
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
      )
    accuracy = f", {accuracies[name]:.1f} %" if accuracies else ""
    ax.set_title(name + accuracy)
    ax.margins(0.12)
    if dimensions == {3}:
      # The numbers would take more room than the points.
      ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
      ax.set_box_aspect(None, zoom=1.3)
  return figure


@style.styled
def class_directions(
  weights: Mapping[str, np.ndarray],
  features: Mapping[str, np.ndarray],
  label: int,
  *,
  caption: str = "",
) -> Figure:
  r"""Fig. 4: one feature among the weights of the classes.

  Arrows are the rows of the last layer, a triangle the example's feature, which
  has length 1. In the title: the logit of its class, which a larger teacher
  makes larger, and the standard deviation of the wrong classes' logits, which
  it makes smaller.

  Args:
    weights: the last layer's weights, without bias, `[C, 2]` by network, from
      small to large.
    features: the example's features, `[2]` by network.
    label: the example's class.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> figure = class_directions(
    ...   {"0.1M": np.eye(2)}, {"0.1M": np.array([3.0, 1.0])}, 0
    ... )
    >>> print(figure.axes[0].get_title())
    0.1M
    $f_y$ = 3.0, $\sigma(g)$ = 0.0
  """
  count = len(weights)
  width = style.COLUMN_WIDTH if count < 3 else style.PAGE_WIDTH
  figure, axes = style.new_figure(
    1,
    count,
    caption=caption,
    # Square panels below titles of two lines.
    height=width / max(count, 2) + 0.5,
    width=width,
  )
  for ax, (name, rows) in zip(axes[0], weights.items(), strict=True):
    rows, feature = np.asarray(rows), np.asarray(features[name])
    # What counts are the directions, and the weights' lengths to each other.
    arrows = rows / np.linalg.norm(rows, axis=1).max()
    colors = [style.COLORS[0]] * len(rows)
    colors[label] = style.COLORS[1]
    ax.quiver(
      *np.zeros_like(arrows).T,
      *arrows.T,
      color=colors,
      angles="xy",
      scale_units="xy",
      scale=1,
    )
    for index, (x, y) in enumerate(1.15 * arrows):
      ax.text(
        x,
        y,
        str(index),
        ha="center",
        va="center",
        color=colors[index],
        zorder=4,  # Above the feature.
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
      )
    ax.scatter(
      *feature / np.linalg.norm(feature),
      marker="^",
      color=style.COLORS[1],
      s=30,
    )
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    ax.set(xticks=[], yticks=[])
    logits = rows @ feature
    spread = np.std(np.delete(logits, label))
    ax.set_title(f"{name}\n$f_y$ = {logits[label]:.1f}, $\\sigma(g)$ = {spread:.1f}")
  return figure


@style.styled
def improvement_correlation(
  averages: Sequence[float] | np.ndarray,
  variances: Sequence[float] | np.ndarray,
  improvements: Sequence[float] | np.ndarray,
  *,
  caption: str = "",
) -> Figure:
  """Fig. 3 of the ATS paper: what in a teacher's label helps its student.

  Derived average and derived variance against how much distillation improved
  the student, with Pearson's correlation in the title.

  Args:
    averages: mean derived average of each teacher's labels, `[M]`.
    variances: mean derived variance likewise, `[M]`.
    improvements: the student's accuracy with the teacher over that without,
      minus 1, in percent, `[M]`.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> figure = improvement_correlation(
    ...   [0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    ... )
    >>> [ax.get_title() for ax in figure.axes]
    ['r = -1.00', 'r = -1.00']
  """
  figure, axes = style.new_figure(1, 2, caption=caption, height=1.8, sharey=True)
  measures = {
    "derived average $e(q)$": averages,
    "derived variance $v(q)$": variances,
  }
  for index, (name, values) in enumerate(measures.items()):
    ax = axes[0, index]
    ax.scatter(
      values,
      improvements,
      s=12,
      color=style.COLORS[index],
      marker=style.MARKERS[index],
    )
    ax.set_title(f"r = {np.corrcoef(values, improvements)[0, 1]:.2f}")
    # On the left: a power of ten may stand on the right.
    ax.set_xlabel(name, loc="left")
  axes[0, 0].set_ylabel("improvement (%)")
  return figure
