"""Fig. 4: the feature of one example among the weights of the classes."""

import numpy as np
from matplotlib.patheffects import withStroke

from jaxkd.analysis.figures import ByNetwork, Drawn, Findings, Missing, Picture, _labels
from jaxkd.analysis.study import Study
from jaxkd.reports import style


def draw(findings: Findings) -> Drawn:
  """Yields the figure if all features have two dimensions and no last layer has a bias."""
  study = findings.study
  flat = {values.shape[1] for values in study.features.values()} == {2}
  weights = last_layers(study) if flat else {}
  if not weights:
    yield Missing(
      "Fig. 4, the classes' weights and a feature, needs features of two dimensions and last "
      "layers without bias: networks with the option feature_dim=2, as in "
      "configs/analysis_mnist.py."
    )
    return
  example = _labels.typical_example(findings)
  features = {name: values[example] for name, values in study.features.items()}
  text = (
    "Fig. 4. Weights of the classes (arrows, relative to the longest) and the feature (triangle, "
    f"of length 1) of {_labels.name_of(study, example)}. f_y is the logit of its class, σ(g) the "
    "standard deviation of the other logits. The numbers are labels."
  )
  figure = plot(weights, features, int(study.labels[example]))
  lines = [
    {"network": name, "what": what, "x": float(x), "y": float(y)}
    for name, rows in weights.items()
    for what, (x, y) in [*zip(study.class_names, rows, strict=True), ("feature", features[name])]
  ]
  yield Picture("fig4", figure, lines, findings.caption(text))


def last_layers(study: Study) -> ByNetwork:
  """Solves each last layer's weights `[C, D]` from its logits; empty if a layer has a bias."""
  weights = {}
  for teacher in study.teachers:
    features, logits = study.features[teacher.name], teacher.logits
    solved, *_ = np.linalg.lstsq(features, logits)
    if np.ptp(features @ solved - logits) > 1e-2 * np.ptp(logits):
      return {}
    weights[teacher.name] = solved.T
  return weights


@style.styled
def plot(weights: ByNetwork, features: ByNetwork, label: int) -> style.Figure:
  """Draws weights `[C, 2]` as arrows and a feature `[2]` as a triangle at length 1, by network.

  The titles have the logit of the example's class, which a larger teacher makes larger, and the
  standard deviation of the wrong classes' logits, which it makes smaller.
  """
  count = len(weights)
  width = style.COLUMN_WIDTH if count < 3 else style.PAGE_WIDTH
  # Square panels below titles of two lines.
  height = width / max(count, 2) + 0.5
  figure, axes = style.new_figure(1, count, height=height, width=width)
  for ax, (name, rows) in zip(axes[0], weights.items(), strict=True):
    feature = features[name]
    # Directions matter, and the lengths of the weights relative to each other.
    arrows = rows / np.max(np.linalg.norm(rows, axis=1))
    colors = [style.COLORS[0]] * len(rows)
    colors[label] = style.COLORS[1]
    scale = {"angles": "xy", "scale_units": "xy", "scale": 1}
    ax.quiver(*np.zeros_like(arrows).T, *arrows.T, color=colors, **scale)
    for index, (x, y) in enumerate(1.15 * arrows):
      # Above the feature.
      outline = {"zorder": 4, "path_effects": [withStroke(linewidth=1.5, foreground="white")]}
      ax.text(x, y, str(index), ha="center", va="center", color=colors[index], **outline)
    ax.scatter(*feature / np.linalg.norm(feature), marker="^", color=style.COLORS[1], s=30)
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal", xticks=[], yticks=[])
    logits = rows @ feature
    spread = np.std(np.delete(logits, label))
    ax.set_title(f"{style.plain(name)}\n$f_y$ = {logits[label]:.1f}, $\\sigma(g)$ = {spread:.1f}")
  return figure
