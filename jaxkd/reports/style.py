"""The style of all figures: size, fonts, colours, caption, and the files that they are saved as."""

import io
import textwrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.files import StrPath, make_folder, write_atomically

COLUMN_WIDTH, PAGE_WIDTH = 3.35, 6.9  # inches: one column of a two-column page, and both columns

# Okabe and Ito's palette, which colour-blind readers can tell apart.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# Tol's muted palette: ten colours that colour-blind readers can tell apart.
CLASS_COLORS = (
  *("#332288", "#88ccee", "#117733", "#999933", "#cc6677"),
  *("#882255", "#44aa99", "#ddcc77", "#aa4499", "#808080"),
)
# With the colours they tell 49 curves apart.
LINES = ("-", "--", ":", "-.", (0, (8, 2)), (0, (1, 4)), (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # tell curves apart in print without colours
COLORMAP = "cividis"  # of magnitudes: monotone in lightness, equal for colour-blind readers

_FONT_SIZE = 7
_LINE_HEIGHT = 1.35 * _FONT_SIZE / 72
_CHARACTERS_PER_INCH = 19

_RC: Any = {
  "font.size": _FONT_SIZE,
  "axes.formatter.limits": (-3, 4),
  "axes.titlesize": _FONT_SIZE,
  "axes.linewidth": 0.6,
  "axes.prop_cycle": cycler(color=COLORS),
  "legend.frameon": False,
  "lines.linewidth": 1.2,
  "lines.markersize": 3.5,
  "image.cmap": COLORMAP,
  "savefig.dpi": 200,
  # Text stays text, and the same figure is the same file.
  "svg.fonttype": "none",
  "svg.hashsalt": "jaxkd",
}

# As a decorator, it makes a function draw in this style and leaves Matplotlib's settings unchanged.
styled = matplotlib.rc_context(_RC)


def plain(name: str) -> str:
  """Returns a name as Matplotlib draws it unchanged, not as mathematics between `$`."""
  return name.replace("$", r"\$")


def title(text: str, width: float, columns: int) -> str:
  r"""Breaks the title of one of several panels side by side, so that titles don't touch."""
  # The axes' numbers and names need the rest.
  inches = 0.8 * width / columns
  return textwrap.fill(plain(text), int(inches * _CHARACTERS_PER_INCH), break_long_words=False)


def new_figure(
  rows: int, columns: int, *, height: float, width: float = COLUMN_WIDTH, **subplots: Any
) -> tuple[Figure, np.ndarray]:
  """Returns a figure of a size in inches, and its axes `[rows, columns]`."""
  figure = Figure(figsize=(width, height), layout="constrained")
  return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


@styled
def captioned(figure: Figure, caption: str) -> Figure:
  """Adds a caption, if there is one, below the axes, and its height to the figure's.

  The caption of a figure that is too wide for one column of a page says so.
  """
  if not caption:
    return figure
  width, height = figure.get_size_inches()
  if width > COLUMN_WIDTH:
    caption = f"{caption} Drawn to be two columns wide."
  lines = textwrap.wrap(caption, int(width * _CHARACTERS_PER_INCH))
  below = (len(lines) + 0.5) * _LINE_HEIGHT
  share = below / (height + below)
  figure.set_figheight(height + below)
  figure.set_layout_engine("constrained", rect=(0, share, 1, 1 - share))
  figure.text(0.01, share, "\n".join(lines), va="top", parse_math=False)
  return figure


@styled
def save(figure: Figure, path: StrPath) -> tuple[AnyPath, AnyPath]:
  """Writes a figure as `<path>.png` for screens and `<path>.svg` for print; makes the folder."""
  path = located(path)
  make_folder(path.parent)
  png, svg = (path.with_name(path.name + end) for end in (".png", ".svg"))
  for file, metadata in ((png, None), (svg, {"Date": None})):
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix[1:], metadata=metadata)
    # The second file has the layout of the first, which takes half of the time.
    figure.set_layout_engine("none")
    write_atomically(file, content.getvalue())
  return png, svg
