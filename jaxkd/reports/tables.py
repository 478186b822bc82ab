"""Tables as CSV, Markdown and HTML, from the same lines."""

import csv
import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxkd.common.errors import one_line


class Spread(NamedTuple):
  """A cell that summarises several values: their mean and sample standard deviation."""

  mean: float
  deviation: float


Lines = Sequence[Mapping[str, object]]
"""A table: cells by column for each line, all with the same columns."""


def deviation(values: Sequence[float] | np.ndarray) -> float:
  """Returns the standard deviation of a sample, NaN of a single value."""
  return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def percent(shares: Sequence[float] | np.ndarray) -> str:
  """Returns shares in percent: their mean, and their deviation if there are several.

  Those of imported logits on images that they are not of are NaN.
  """
  if np.isnan(shares).any():
    return "unknown"
  values = 100 * np.asarray(shares)
  return f"{np.mean(values):.2f}" + (f" ± {deviation(values):.2f}" if len(values) > 1 else "")


def joined(lines: Lines) -> Lines:
  """Gives every line all columns; missing cells are empty."""
  columns = dict.fromkeys(column for line in lines for column in line)
  return [{column: line.get(column, "") for column in columns} for line in lines]


def as_csv(lines: Lines) -> str:
  r"""Returns the table as CSV, with all digits."""
  text = io.StringIO()
  writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
  writer.writeheader()
  writer.writerows(lines)
  return text.getvalue()


# Characters that Markdown takes for markup: anywhere, before others, at the start, at the end.
_MARKUP = re.compile(
  r"[\\<`]|\](?=[(:\[])|~(?=\S)|(?<![^\W_])[*_](?=\S)|\*(?=[^\s!-/:-@\[-`{-~])|&(?=#?\w+;)"
  r"|^[#>\[]|^[-+*_](?=[-*_\s]|$)|(?<=\s)#(?=#*$)"
)


def escaped(text: str) -> str:
  r"""Returns one line that Markdown shows as it is, for a title, a paragraph, an item or a cell."""
  line = _MARKUP.sub(r"\\\g<0>", one_line(text))
  return re.sub(r"^(\d{1,9})([.)])(?=\s|$)", r"\1\\\2", line)  # a numbered list


def as_markdown(lines: Lines) -> str:
  """Returns the table as Markdown, with aligned columns."""
  texts = [[*lines[0]], *([shown(value) for value in line.values()] for line in lines)]
  heads, *cells = [[escaped(text).replace("|", r"\|") for text in row] for row in texts]
  widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
  rows = [heads, ["-" * width for width in widths], *cells]
  return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def as_html(lines: Lines) -> str:
  """Returns the table as HTML, with buttons for heads and all digits in `data-value`."""
  heads = "".join(f"<th><button>{html.escape(column)}</button></th>" for column in lines[0])
  rows = "\n".join("<tr>" + "".join(map(_html_cell, line.values())) + "</tr>" for line in lines)
  return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _html_cell(value: object) -> str:
  sorted_by = value.mean if isinstance(value, Spread) else value
  whole = html.escape("" if sorted_by is None else str(sorted_by))
  return f'<td data-value="{whole}">{html.escape(shown(value))}</td>'


def shown(value: object) -> str:
  """Returns a cell as text: numbers with four digits."""
  if isinstance(value, Spread):
    return f"{shown(value.mean)} ± {value.deviation:.2g}"
  if value is None or (isinstance(value, float) and math.isnan(value)):
    return "–"
  if isinstance(value, float):
    return f"{value:.4g}"
  return f"{value:,}" if isinstance(value, int) else str(value)
