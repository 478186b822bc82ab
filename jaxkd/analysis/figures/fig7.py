"""Fig. 7: mean probabilities within groups of similar classes."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import matplotlib
import numpy as np

from jaxkd import losses
from jaxkd.analysis import rules
from jaxkd.analysis.figures import ByNetwork, Drawn, Findings, Missing, Picture
from jaxkd.reports import style

Groups = Mapping[str, Sequence[str]]  # classes by the name of their group


def draw(findings: Findings) -> Drawn:
  """Yields the figure if the data set has the groups' classes."""
  study, tau = findings.study, findings.settings.tau
  groups, names = rules.CIFAR100_GROUPS, study.rule_names
  if not set().union(*groups.values()) <= set(names):
    yield Missing(
      "Fig. 7, probabilities within groups of classes, needs the classes of CIFAR-100: "
      "configs/analysis_cifar100.py."
    )
    return
  posteriors = {}
  for t in study.teachers:
    arrays = jnp.asarray(t.logits), jnp.asarray(study.labels)
    posteriors[t.name] = np.asarray(losses.class_mean_probabilities(*arrays, len(names), tau))
  text = (
    f"Fig. 7. Mean probabilities at τ = {tau:g} over the examples of the class above each panel. "
    "Area and colour are the probability, on the panel's own scale. The open rings are the class "
    "itself, whose probability is left out."
  )
  figure = plot(posteriors, names, groups)
  lines = [
    {
      "network": network,
      "examples of": target,
      "class": name,
      "probability": float(values[names.index(target), names.index(name)]),
    }
    for network, values in posteriors.items()
    for target, *_ in groups.values()
    for members in groups.values()
    for name in members
  ]
  yield Picture("fig7", figure, lines, findings.caption(text))


@style.styled
def plot(posteriors: ByNetwork, class_names: Sequence[str], groups: Groups) -> style.Figure:
  """Draws `posteriors`, `[C, C]` by network, as circles on the scale of a panel's wrong classes.

  Each group has a panel for its first class, an open ring. Rows are networks, and columns are the
  classes of all groups.
  """
  shown = [name for group in groups.values() for name in group]
  columns = np.array([class_names.index(name) for name in shown])
  height = (0.22 * len(posteriors) + 0.3) * len(groups) + 0.8
  figure, axes = style.new_figure(len(groups), 1, height=height, sharex=True, sharey=True)
  across, down = np.meshgrid(np.arange(len(shown)), np.arange(len(posteriors)))
  for ax, (group, members) in zip(axes[:, 0], groups.items(), strict=True):
    target = class_names.index(members[0])
    values = np.stack([probs[target, columns] for probs in posteriors.values()])
    wrong = np.broadcast_to(columns != target, values.shape)
    highest = values[wrong].max(initial=0.0) or 1.0
    sizes, colors = 60 * values[wrong] / highest, values[wrong]
    ax.scatter(across[wrong], down[wrong], s=sizes, c=colors, vmin=0, vmax=highest)
    ax.scatter(across[~wrong], down[~wrong], s=60, facecolors="none", edgecolors="black")
    ax.set_xticks(np.arange(len(shown)), [*map(style.plain, shown)], rotation=90)
    ax.set_yticks(np.arange(len(posteriors)), [*map(style.plain, posteriors)])
    ax.set_title(style.plain(f"{members[0]} ({group})"))
    ax.set_xlim(-0.8, len(shown) - 0.2)
    scale = matplotlib.colors.Normalize(0, highest)
    figure.colorbar(matplotlib.cm.ScalarMappable(scale, style.COLORMAP), ax=ax, pad=0.02)
  # The first row is on top; the limits leave room for its circles and the last row's.
  axes[0, 0].set_ylim(len(posteriors) - 0.5, -0.5)
  return figure
