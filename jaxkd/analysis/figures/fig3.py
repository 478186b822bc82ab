"""Fig. 3: angles between features against capacity."""

from collections.abc import Mapping

import jax
import numpy as np

from jaxkd import metrics
from jaxkd.analysis.figures import Drawn, Findings, Missing, Picture
from jaxkd.metrics import FeatureAngles
from jaxkd.reports import style


def draw(findings: Findings) -> Drawn:
  """Yields the figure if the features are known."""
  study = findings.study
  if not study.features:
    yield Missing(
      "Fig. 3, angles between features, needs features: an array of that name in every file of "
      "--logits."
    )
    return
  angles = {
    name: jax.tree.map(float, metrics.feature_angles(values, study.labels))
    for name, values in study.features.items()
  }
  text = (
    "Fig. 3. Angles between penultimate features, mean and deviation over all pairs of examples."
  )
  lines = [{"network": name, **found._asdict()} for name, found in angles.items()]
  yield Picture("fig3", plot(angles), lines, findings.caption(text))


@style.styled
def plot(angles: Mapping[str, FeatureAngles]) -> style.Figure:
  """Draws means with standard deviations as bars, for pairs of one class and of two classes."""
  figure, ((axes,),) = style.new_figure(1, 1, height=2.0)
  positions = np.arange(len(angles))
  curves = {
    "two classes": [(a.between_mean, a.between_std) for a in angles.values()],
    "same class": [(a.within_mean, a.within_std) for a in angles.values()],
  }
  for marker, (name, values) in zip(style.MARKERS, curves.items(), strict=False):
    mean, std = np.asarray(values, np.float64).T
    axes.errorbar(positions, mean, std, marker=marker, capsize=2, elinewidth=0.8, label=name)
  axes.set_xticks(positions, [*map(style.plain, angles)], rotation=30, ha="right")
  axes.set_ylabel("feature angle (degrees)")
  # Inside the axes, the legend would cover bars.
  figure.legend(loc="outside upper center", ncols=len(curves))
  return figure
