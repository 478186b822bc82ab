"""Figures of tables of numbers: heat maps, and circles on a grid."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxkd.analysis.figures import style


def _draw_cells(
  axes: Axes,
  values: np.ndarray,
  columns: Sequence[object],
  rows: Sequence[object],
  form: str,
  limits: tuple[float | None, float | None] = (None, None),
) -> None:
  """Draws a heat map `[rows, columns]` with its numbers; NaN stays empty.

  Without limits, the colours are from the lowest to the highest value.
  """
  lowest, highest = limits
  image = axes.imshow(values, aspect="auto", origin="lower", vmin=lowest, vmax=highest)
  axes.set_xticks(np.arange(len(columns)), [str(c) for c in columns])
  axes.set_yticks(np.arange(len(rows)), [str(r) for r in rows])
  for (row, column), value in np.ndenumerate(values):
    if np.isfinite(value):
      axes.text(
        column,
        row,
        format(value, form),
        ha="center",
        va="center",
        fontsize="small",
        color="black" if np.mean(image.cmap(image.norm(value))[:3]) > 0.5 else "white",
      )


@style.styled
def topk_overlap(panels: Mapping[str, Sequence[np.ndarray]], *, caption: str = "") -> Figure:
  """Fig. 5: how many of two teachers' top-K classes are common.

  A cell is the percentage of the examples whose two sets of K classes have that
  many in common; colours are from 0 to 100.

  Args:
    panels: by title, for each K the distribution `[K + 1]` from
      :func:`jaxkd.metrics.topk_overlap`.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> top1 = np.array([0.2, 0.8])
    >>> figure = topk_overlap({"CUB": [top1]})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['20', '80']
  """
  rows, columns, width = style.arrange(len(panels), len(panels))
  figure, axes = style.new_figure(rows, columns, caption=caption, height=2.3 * rows, width=width)
  for ax, (title, distributions) in zip(axes.flat, panels.items(), strict=True):
    highest = max(len(d) for d in distributions)
    percent = np.full((highest, len(distributions)), np.nan)
    for column, distribution in enumerate(distributions):
      percent[: len(distribution), column] = 100 * np.asarray(distribution)
    sizes = [len(d) - 1 for d in distributions]
    _draw_cells(ax, percent, sizes, range(highest), ".0f", (0, 100))
    ax.set(title=title, xlabel="K", ylabel="common classes")
  return figure


@style.styled
def agreement(
  names: Sequence[str],
  matrices: Mapping[str, np.ndarray],
  *,
  caption: str = "",
) -> Figure:
  """Fig. 6: agreement of every pair of teachers on the order of the classes.

  A panel for each measure below the last, with colours from 0 to 1.

  Args:
    names: the teachers, from small to large, `[T]`.
    matrices: mean agreement of each pair, `[T, T]`, by the measure's name: rank
      set overlap, Spearman's rho, Kendall's tau; NaN stays empty.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> figure = agreement(["a", "b"], {"Spearman": np.eye(2)})
    >>> figure.axes[0].get_title()
    'Spearman'
  """
  figure, axes = style.new_figure(
    len(matrices),
    1,
    caption=caption,
    height=(0.22 * len(names) + 0.3) * len(matrices) + 0.5,
    sharex=True,
  )
  for ax, (title, matrix) in zip(axes[:, 0], matrices.items(), strict=True):
    _draw_cells(ax, np.asarray(matrix), names, names, ".2f", (0, 1))
    ax.set_title(title)
  for name in axes[-1, 0].get_xticklabels():
    name.set(rotation=30, ha="right", rotation_mode="anchor")
  return figure


@style.styled
def accuracy_grid(
  rows: Sequence[float],
  columns: Sequence[float],
  accuracies: np.ndarray,
  *,
  xlabel: str,
  ylabel: str,
  title: str = "",
  caption: str = "",
) -> Figure:
  """A student's accuracy over two options.

  Args:
    rows: values of the option upwards, `[R]`.
    columns: values of the option to the right, `[C]`.
    accuracies: in percent, `[R, C]`; NaN where there is none.
    xlabel: the option to the right.
    ylabel: the option upwards.
    title: teacher and student.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> accuracies = np.array([[71.0], [72.0]])
    >>> figure = accuracy_grid(
    ...   [0.5, 0.9], [4], accuracies, xlabel="tau", ylabel="lam"
    ... )
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['71.0', '72.0']
  """
  figure, axes = style.new_figure(1, 1, caption=caption, height=2.5)
  _draw_cells(
    axes[0, 0],
    np.asarray(accuracies),
    [f"{value:g}" for value in columns],
    [f"{value:g}" for value in rows],
    ".1f",
  )
  axes[0, 0].set(title=title, xlabel=xlabel, ylabel=ylabel)
  return figure


def temperature_grid(
  tau1: Sequence[float],
  tau2: Sequence[float],
  accuracies: np.ndarray,
  *,
  title: str = "",
  caption: str = "",
) -> Figure:
  """Fig. 10 of the ATS paper: a student's accuracy over tau1 and tau2.

  Args:
    tau1: temperatures of the label's class, `[T1]`.
    tau2: temperatures of the other classes, `[T2]`.
    accuracies: in percent, `[T1, T2]`; NaN where nothing was trained.
    title: teacher and student.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> figure = temperature_grid([2, 3], [1], np.array([[71.0], [72.0]]))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['71.0', '72.0']
  """
  return accuracy_grid(
    tau1,
    tau2,
    accuracies,
    xlabel="temperature of the other classes, $\\tau_2$",
    ylabel="temperature of the label, $\\tau_1$",
    title=title,
    caption=caption,
  )


@style.styled
def group_posteriors(
  posteriors: Mapping[str, np.ndarray],
  class_names: Sequence[str],
  groups: Mapping[str, Sequence[str]],
  *,
  caption: str = "",
) -> Figure:
  """Fig. 7: averaged posteriors of a target class over groups of classes.

  A panel for the first class of each group, a row for each network, a column
  for each class of all groups. Area and colour of a circle are the probability,
  on the scale of the panel's wrong classes, beside it; the target itself is an
  open ring.

  Args:
    posteriors: `[C, C]` from :func:`jaxkd.losses.class_mean_probabilities`, by
      network, from small to large.
    class_names: the classes in the order of the labels.
    groups: class names by group, the target first; see
      :data:`jaxkd.analysis.rules.CIFAR100_GROUPS`.
    caption: text below the axes.

  Returns:
    The figure.

  Raises:
    ValueError: a group names a class that is not in `class_names`.

  Examples:
    >>> posteriors = {"ResNet14": np.array([[0.8, 0.2], [0.1, 0.9]])}
    >>> groups = {"pets": ["dog", "cat"]}
    >>> figure = group_posteriors(posteriors, ["cat", "dog"], groups)
    >>> figure.axes[0].get_title()
    'dog (pets)'
  """
  shown = [name for group in groups.values() for name in group]
  for name in shown:
    if name not in class_names:
      raise ValueError(f"no class is called {name!r}")
  columns = np.array([class_names.index(name) for name in shown])
  figure, axes = style.new_figure(
    len(groups),
    1,
    caption=caption,
    height=(0.22 * len(posteriors) + 0.3) * len(groups) + 0.8,
    sharex=True,
    sharey=True,
  )
  across, down = np.meshgrid(np.arange(len(shown)), np.arange(len(posteriors)))
  for ax, (group, members) in zip(axes[:, 0], groups.items(), strict=True):
    target = class_names.index(members[0])
    values = np.stack([np.asarray(p)[target, columns] for p in posteriors.values()])
    wrong = np.broadcast_to(columns != target, values.shape)
    highest = values[wrong].max(initial=0.0) or 1.0
    ax.scatter(
      across[wrong],
      down[wrong],
      s=60 * values[wrong] / highest,
      c=values[wrong],
      vmin=0,
      vmax=highest,
    )
    ax.scatter(across[~wrong], down[~wrong], s=60, facecolors="none", edgecolors="black")
    ax.set_xticks(np.arange(len(shown)), shown, rotation=90)
    ax.set_yticks(np.arange(len(posteriors)), list(posteriors))
    ax.set_title(f"{members[0]} ({group})")
    ax.set_xlim(-0.8, len(shown) - 0.2)
    scale = matplotlib.colors.Normalize(0, highest)
    figure.colorbar(matplotlib.cm.ScalarMappable(scale, style.COLORMAP), ax=ax, pad=0.02)
  # From the top, with room for the circles of the first and the last.
  axes[0, 0].set_ylim(len(posteriors) - 0.5, -0.5)
  return figure
