"""Fig. 2: features of two or three dimensions, by class."""

from collections.abc import Mapping

import numpy as np
from matplotlib.patheffects import withStroke

from jaxkd.analysis.figures import ByNetwork, Drawn, Findings, Missing, Picture
from jaxkd.reports import style

Accuracies = Mapping[str, float] | None

_MOST_LABELS = 20  # more would cover the points


def draw(findings: Findings) -> Drawn:
  """Yields the figure if all features have two dimensions, or all three."""
  study = findings.study
  if {values.shape[1] for values in study.features.values()} not in ({2}, {3}):
    yield Missing(
      "Fig. 2, features by class, needs features of two or three dimensions: networks with the "
      "option feature_dim, as in configs/analysis_mnist.py and configs/analysis_svhn.py."
    )
    return
  accuracies = {t.name: t.accuracy for t in study.teachers if t.accuracy is not None}
  shown = accuracies if len(accuracies) == len(study.teachers) else None
  above = f" The titles have the {study.split} accuracy." if shown else ""
  caption = findings.caption(f"Fig. 2. Penultimate features by class.{above}")
  figure = plot(study.features, study.labels, accuracies=shown)
  lines = [
    {
      "network": name,
      "class": study.class_names[label],
      **dict(zip("xyz", map(float, point), strict=False)),
    }
    for name, points in study.features.items()
    for label, point in zip(study.labels, points, strict=True)
  ]
  yield Picture("fig2", figure, lines, caption)


@style.styled
def plot(features: ByNetwork, labels: np.ndarray, *, accuracies: Accuracies = None) -> style.Figure:
  """Draws features, `[N, 2]` or `[N, 3]` by network, as points; accuracies are for the titles.

  The label of each class, if there are no more than twenty, stands just outside the mean of its
  features, seen from the origin.
  """
  solid = next(iter(features.values())).shape[1] == 3
  classes = np.unique(labels)
  width = style.COLUMN_WIDTH if len(features) < 3 else style.PAGE_WIDTH
  solids = {"subplot_kw": {"projection": "3d"}} if solid else {}
  figure, axes = style.new_figure(1, len(features), height=1.9, width=width, **solids)
  for ax, (name, values) in zip(axes[0], features.items(), strict=True):
    for index, label in enumerate(classes):
      points = values[labels == label]
      turn, color = divmod(index, len(style.CLASS_COLORS))
      marker = style.MARKERS[turn % len(style.MARKERS)]
      look = {"s": 3, "color": style.CLASS_COLORS[color], "marker": marker, "linewidths": 0}
      ax.scatter(*points.T, **look, rasterized=True)
      if len(classes) <= _MOST_LABELS:
        # A 3-d axes sorts by depth; the labels stand above the points.
        outline = {"zorder": 100, "path_effects": [withStroke(linewidth=1.5, foreground="white")]}
        position = 1.15 * points.mean(axis=0)
        ax.text(*position, str(label), weight="bold", ha="center", va="center", **outline)
    ax.set_title(style.plain(name) + (f", {accuracies[name]:.1f} %" if accuracies else ""))
    ax.margins(0.12)
    if solid:
      # The numbers would take more room than the points.
      ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
      ax.set_box_aspect(None, zoom=1.3)
  return figure
