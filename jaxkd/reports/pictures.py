"""The pictures that several reports share: from arrays to Matplotlib figures."""

import functools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxkd.reports import style
from jaxkd.reports.tables import Lines

# Axis labels of ATS' temperatures.
TAU1 = "temperature of the label, $\\tau_1$"
TAU2 = "temperature of the other classes, $\\tau_2$"

Floats = Sequence[float] | np.ndarray
Curve = tuple[np.ndarray, np.ndarray]
Derived = Mapping[str, tuple[Floats, Floats]]  # averages and variances by label, `[T]` each

_LEGEND_LINES = 15  # of a legend beside the axes
# The most classes of a confusion matrix with numbers in its cells, and with names on its axes.
_NUMBERED, _NAMED = 12, 30
_NAME_LENGTH = 20
_SPAN = 1e-4  # the lowest variance on a logarithmic axis, relative to the highest


def draw_band(
  axes: Axes, x: np.ndarray, mean: np.ndarray, deviation: np.ndarray | None, **line: Any
) -> None:
  """Draws a curve `[T]` with a band of one standard deviation, or a single point with a bar."""
  if len(x) == 1:
    axes.errorbar(x, mean, deviation, capsize=2, **{"marker": "o", **line})
    return
  (curve,) = axes.plot(x, mean, **line)
  if deviation is not None:
    band = mean - deviation, mean + deviation
    axes.fill_between(x, *band, color=curve.get_color(), alpha=0.2, linewidth=0)


@style.styled
def learning_curves(curves: Mapping[str, Sequence[Curve]], *, split: str = "test") -> Figure:
  """Draws accuracies `[T]` in percent against epochs `[T]`, one colour for each name.

  Several seeds are drawn as their mean and a band of one standard deviation at the epochs that all
  were evaluated at, or as one curve each if there are none. Names of more than seven stand beside
  the axes.
  """
  many = len(curves) > len(style.COLORS)
  width = style.PAGE_WIDTH if many else style.COLUMN_WIDTH
  figure, ((axes,),) = style.new_figure(1, 1, height=2.4, width=width)
  for index, (name, runs) in enumerate(curves.items()):
    turn, color = divmod(index, len(style.COLORS))
    line: Any = {"color": style.COLORS[color], "linestyle": style.LINES[turn % len(style.LINES)]}
    common = functools.reduce(np.intersect1d, [epochs for epochs, _ in runs])
    for number, group in enumerate([runs] if common.size else [[run] for run in runs]):
      shown = common if common.size else group[0][0]
      accuracies = np.stack([values[np.isin(epochs, shown)] for epochs, values in group])
      deviation = accuracies.std(axis=0, ddof=1) if len(group) > 1 else None
      label = None if number else style.plain(name)
      draw_band(axes, shown, accuracies.mean(axis=0), deviation, label=label, **line)
  axes.set(xlabel="epoch", ylabel=f"{split} accuracy (%)")
  if many:
    figure.legend(loc="outside right upper", ncols=math.ceil(len(curves) / _LEGEND_LINES))
  else:
    axes.legend()
  return figure


@style.styled
def derived_curves(taus: Floats, derived: Derived) -> Figure:
  """Draws derived averages and variances against temperatures `[T]` (ATS paper, Fig. 7).

  A column for each label on common scales. The variance's scale is logarithmic, down to 1e-4 of the
  highest: at low temperatures the variance of ATS is larger by orders of magnitude.
  """
  count = len(derived)
  width = style.COLUMN_WIDTH if count <= 3 else style.PAGE_WIDTH
  figure, axes = style.new_figure(2, count, height=2.8, width=width, sharex=True, sharey="row")
  for column, (name, curves) in enumerate(derived.items()):
    for row, values in enumerate(curves):
      marker = style.MARKERS[row] if len(taus) == 1 else None
      axes[row, column].plot(taus, values, color=style.COLORS[row], marker=marker)
    axes[0, column].set_title(style.title(name, width, count))
    axes[1, column].set_xlabel("temperature $\\tau$")
  # The row's scale is known only after all of its curves are drawn.
  axes[0, 0].set_ylim(bottom=0)
  variances = np.array([variance for _, variance in derived.values()])
  if (highest := variances.max()) > 0:
    axes[1, 0].set_yscale("log")
    axes[1, 0].set_ylim(0.7 * max(variances.min(), highest * _SPAN), 1.4 * highest)
  axes[0, 0].set_ylabel("derived average $e(q)$")
  axes[1, 0].set_ylabel("derived variance $v(q)$")
  figure.align_ylabels()
  return figure


def derived_lines(taus: Floats, derived: Derived) -> Lines:
  """Returns the data of `derived_curves`."""
  return [
    {"label": name, "tau": tau, "derived average": float(e), "derived variance": float(v)}
    for name, curves in derived.items()
    for tau, e, v in zip(taus, *curves, strict=True)
  ]


class OptionPanel(NamedTuple):
  """A student under several values `[V]` of one option."""

  option: str
  values: Floats
  accuracies: Floats  # in percent; NaN where there is none
  deviations: Floats  # over the seeds; NaN of one seed


@style.styled
def option_curves(panels: Sequence[OptionPanel], *, ylabel: str) -> Figure:
  """Draws a student's accuracy against options, a panel for each."""
  count = len(panels)
  figure, axes = style.new_figure(count, 1, height=1.8 * count + 0.2, sharey=True)
  bars: Any = {"marker": style.MARKERS[0], "capsize": 2, "elinewidth": 0.8}
  for ax, (option, values, accuracies, deviations) in zip(axes[:, 0], panels, strict=True):
    positions = np.arange(len(values))
    ax.errorbar(positions, accuracies, np.nan_to_num(deviations), **bars)
    ax.set_xticks(positions, [f"{value:g}" for value in values])
    ax.set(xlabel=option, ylabel=ylabel)
  return figure


def draw_cells(
  axes: Axes, values: np.ndarray, columns: Sequence, rows: Sequence, form: str, **limits: Any
) -> None:
  """Draws a heat map `[rows, columns]` with numbers; without limits, colours span the values."""
  image = axes.imshow(values, aspect="auto", origin="lower", **limits)
  axes.set_xticks(np.arange(len(columns)), [style.plain(str(c)) for c in columns])
  axes.set_yticks(np.arange(len(rows)), [style.plain(str(r)) for r in rows])
  center: Any = {"ha": "center", "va": "center", "fontsize": "small"}
  for (row, column), value in np.ndenumerate(values):
    if np.isfinite(value):
      color = "white" if np.mean(image.cmap(image.norm(value))[:3]) <= 0.5 else "black"
      axes.text(column, row, format(value, form), color=color, **center)


@style.styled
def confusion_matrices(matrices: Mapping[str, np.ndarray], class_names: Sequence[str]) -> Figure:
  """Draws counts `[C, C]` by label and prediction as shares of the labels, in percent.

  Two matrices stand side by side. Cells have numbers and axes have the names of the classes where
  there is room for them.
  """
  columns = min(len(matrices), 2)
  rows = -(-len(matrices) // columns)
  size = style.PAGE_WIDTH / 2
  named = len(class_names) <= _NAMED
  width = size * columns
  figure, axes = style.new_figure(rows, columns, height=size * rows, width=width)
  for ax in axes.flat[len(matrices) :]:
    ax.remove()
  names = [textwrap.shorten(name, _NAME_LENGTH, placeholder="…") for name in class_names]
  for ax, (network, matrix) in zip(axes.flat, matrices.items(), strict=False):
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    limits = {"vmin": 0, "vmax": 100}
    if len(class_names) <= _NUMBERED:
      draw_cells(ax, shares, names, names, ".0f", **limits)
    else:
      ax.imshow(shares, aspect="auto", origin="lower", interpolation="nearest", **limits)
      if named:
        ax.set_xticks(np.arange(len(names)), [style.plain(name) for name in names])
        ax.set_yticks(np.arange(len(names)), [style.plain(name) for name in names])
    if named:
      ax.tick_params(axis="x", rotation=90)
    # The first class stands above, as in a table.
    ax.invert_yaxis()
    ax.set(xlabel="predicted class", ylabel="class", title=style.title(network, width, columns))
  return figure


@style.styled
def accuracy_grid(rows: Floats, columns: Floats, accuracies: np.ndarray, **labels: str) -> Figure:
  """Draws a student's accuracies `[R, C]` in percent over two options; NaN stays empty.

  The option `ylabel` has the values `rows` upwards, `xlabel` the values `columns` to the right.
  """
  figure, ((axes,),) = style.new_figure(1, 1, height=2.5)
  across, up = ([f"{value:g}" for value in values] for values in (columns, rows))
  draw_cells(axes, np.asarray(accuracies), across, up, ".1f")
  axes.set(**{"xlabel": TAU2, "ylabel": TAU1, **labels})
  return figure
