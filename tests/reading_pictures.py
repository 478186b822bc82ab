"""Reads the content of drawn figures."""

from typing import Any

from matplotlib.figure import Figure


def axes_of(figure: Figure) -> Any:
  """Returns the axes, untyped: Matplotlib's stubs lack attributes of the artists."""
  return figure.axes


def heights_of(ax):
  return [bar.get_height() for bar in ax.patches]


def cells_of(ax):
  return [text.get_text() for text in ax.texts]


def ticks_of(axis):
  return [label.get_text() for label in axis.get_ticklabels()]
