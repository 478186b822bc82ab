"""Figures with a temperature or a capacity on the horizontal axis."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxkd.analysis.figures import style
from jaxkd.metrics import FeatureAngles

# The lowest variance that is shown, over the highest.
_SPAN = 1e-4


@style.styled
def derived_curves(
  taus: Sequence[float] | np.ndarray,
  averages: Mapping[str, np.ndarray],
  variances: Mapping[str, np.ndarray],
  *,
  caption: str = "",
) -> Figure:
  """Fig. 7 of the ATS paper: derived average and variance against tau.

  A column for each teacher and kind of scaling (in the paper: small with TS,
  large with TS, large with ATS) on common scales. The variance's is
  logarithmic, down to a ten-thousandth of the highest: at low temperatures,
  that of ATS is larger by orders of magnitude.

  Three columns fit in one of a page.

  Args:
    taus: temperatures, `[T]`.
    averages: derived average at each temperature, `[T]`, by column title.
    variances: derived variance likewise, under the same titles.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> curve = {"ResNet14, TS": np.array([0.1, 0.2])}
    >>> figure = derived_curves([1.0, 2.0], curve, curve)
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['derived average $e(q)$', 'derived variance $v(q)$']
  """
  count = len(averages)
  width = style.COLUMN_WIDTH if count <= 3 else style.PAGE_WIDTH
  figure, axes = style.new_figure(
    2,
    count,
    caption=caption,
    height=2.8,
    width=width,
    sharex=True,
    sharey="row",
  )
  for column, name in enumerate(averages):
    for row, curves in enumerate((averages, variances)):
      axes[row, column].plot(taus, np.asarray(curves[name]), color=style.COLORS[row])
    axes[0, column].set_title(style.title(name, width, count))
    axes[1, column].set_xlabel("temperature $\\tau$")
  # Not before all is drawn: the row shares what then is its scale.
  axes[0, 0].set_ylim(bottom=0)
  _scale_variances(axes[1, 0], np.concatenate([*map(np.ravel, variances.values())]))
  axes[0, 0].set_ylabel("derived average $e(q)$")
  axes[1, 0].set_ylabel("derived variance $v(q)$")
  figure.align_ylabels()
  return figure


def _scale_variances(axes: Axes, values: np.ndarray) -> None:
  """Makes the scale logarithmic; without end it would show next to nothing."""
  highest = values.max()
  if highest > 0:
    lowest = max(values.min(), highest * _SPAN)
    axes.set_yscale("log")
    axes.set_ylim(0.7 * lowest, 1.4 * highest)


@style.styled
def feature_angles(angles: Mapping[str, FeatureAngles], *, caption: str = "") -> Figure:
  """Fig. 3: angles between features against capacity.

  Means with the standard deviation as bars, for pairs of one class and pairs of
  two.

  Args:
    angles: from :func:`jaxkd.metrics.feature_angles`, by network, from
      small to large.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> angles = {"ResNet14": FeatureAngles(30.0, 8.0, 70.0, 9.0)}
    >>> feature_angles(angles).axes[0].get_ylabel()
    'feature angle (degrees)'
  """
  figure, axes = style.new_figure(1, 1, caption=caption, height=2.0)
  ax = axes[0, 0]
  positions = np.arange(len(angles))
  curves = {
    "two classes": [(a.between_mean, a.between_std) for a in angles.values()],
    "same class": [(a.within_mean, a.within_std) for a in angles.values()],
  }
  for index, (name, values) in enumerate(curves.items()):
    mean, std = np.asarray(values, np.float64).T
    ax.errorbar(
      positions,
      mean,
      std,
      marker=style.MARKERS[index],
      capsize=2,
      elinewidth=0.8,
      label=name,
    )
  ax.set_xticks(positions, list(angles), rotation=30, ha="right")
  ax.set_ylabel("feature angle (degrees)")
  # Inside, it would lie on bars.
  figure.legend(loc="outside upper center", ncols=len(curves))
  return figure


class AccuracyPanel(NamedTuple):
  """One student under a family of teachers.

  Attributes:
    title: the student and its teachers' family.
    capacities: the teachers' names, from small to large, `[T]`.
    accuracies: the student's accuracy in percent under each teacher,
      `[T]`, by method (TS, ATS, ISATS); NaN where there is none.
    deviations: their standard deviations over the seeds, likewise.
  """

  title: str
  capacities: Sequence[str]
  accuracies: Mapping[str, np.ndarray]
  deviations: Mapping[str, np.ndarray] | None = None


def _draw_accuracies(axes: Axes, panel: AccuracyPanel) -> None:
  positions = np.arange(len(panel.capacities))
  for index, (method, values) in enumerate(panel.accuracies.items()):
    (line,) = axes.plot(positions, values, marker=style.MARKERS[index], label=method)
    if panel.deviations is not None:
      deviation = np.asarray(panel.deviations[method])
      axes.fill_between(
        positions,
        values - deviation,
        values + deviation,
        color=line.get_color(),
        alpha=0.2,
        linewidth=0,
      )
  axes.set_xticks(positions, panel.capacities, rotation=30, ha="right")
  axes.set_title(panel.title)


@style.styled
def student_accuracy(
  panels: Sequence[AccuracyPanel], *, columns: int = 3, caption: str = ""
) -> Figure:
  """Fig. 8: students' accuracy against their teachers' capacity.

  Args:
    panels: pairs of a student and a family of teachers; in the paper a row for
      each student, a column for each family.
    columns: panels side by side, if there are more than two.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> curves = {"TS": np.array([71.0, 70.0]), "ISATS": np.array([71.0, 72.0])}
    >>> panel = AccuracyPanel("VGG8", ["ResNet20", "ResNet110"], curves)
    >>> figure = student_accuracy([panel])
    >>> [line.get_label() for line in figure.axes[0].lines]
    ['TS', 'ISATS']
  """
  rows, columns, width = style.arrange(len(panels), columns)
  figure, axes = style.new_figure(rows, columns, caption=caption, height=2.0 * rows, width=width)
  for ax, panel in zip(axes.flat, panels, strict=False):
    _draw_accuracies(ax, panel)
  handles, methods = axes[0, 0].get_legend_handles_labels()
  figure.legend(handles, methods, loc="outside upper center", ncols=len(methods))
  for ax in axes[-1]:
    ax.set_xlabel("teacher, by capacity")
  for ax in axes[:, 0]:
    ax.set_ylabel("accuracy (%)")
  for ax in axes.flat[len(panels) :]:
    ax.remove()
  return figure


class OptionPanel(NamedTuple):
  """A student under several values of one option.

  Attributes:
    option: its name.
    values: from left to right, `[V]`.
    accuracies: in percent, `[V]`; NaN where there is none.
    deviations: their standard deviations over the seeds; NaN of one seed.
  """

  option: str
  values: Sequence[float]
  accuracies: Sequence[float] | np.ndarray
  deviations: Sequence[float] | np.ndarray


@style.styled
def option_curves(panels: Sequence[OptionPanel], *, ylabel: str, caption: str = "") -> Figure:
  """A student's accuracy against options, a panel for each below the last.

  Args:
    panels: the options.
    ylabel: of which accuracy.
    caption: text below the axes.

  Returns:
    The figure.

  Examples:
    >>> panel = OptionPanel("alpha", [0.1, 0.5], [71.0, 72.0], [0.1, 0.2])
    >>> figure = option_curves([panel], ylabel="validation accuracy (%)")
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['0.1', '0.5']
  """
  count = len(panels)
  figure, axes = style.new_figure(count, 1, caption=caption, height=1.8 * count + 0.2, sharey=True)
  for ax, panel in zip(axes[:, 0], panels, strict=True):
    positions = np.arange(len(panel.values))
    ax.errorbar(
      positions,
      panel.accuracies,
      np.nan_to_num(panel.deviations),
      marker=style.MARKERS[0],
      capsize=2,
      elinewidth=0.8,
    )
    ax.set_xticks(positions, [f"{value:g}" for value in panel.values])
    ax.set_xlabel(panel.option)
    ax.set_ylabel(ylabel)
  return figure
