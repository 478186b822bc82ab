"""Tables as CSV, Markdown and HTML, from the same lines."""

import csv
import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Spread(NamedTuple):
  """A cell that summarises several values: their mean and sample standard deviation."""

  mean: float
  deviation: float


Lines = Sequence[Mapping[str, object]]
"""A table: cells by column for each line, all with the same columns."""


def deviation(values: Sequence[float] | np.ndarray) -> float:
  """Returns the standard deviation of a sample, NaN of a single value.

  Examples:
    >>> deviation([1.0, 3.0])
    1.4142135623730951
  """
  return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def percent(shares: Sequence[float] | np.ndarray) -> str:
  """Returns shares in percent: their mean, and their deviation if there are several.

  Examples:
    >>> percent([0.5]), percent([0.5, 0.6])
    ('50.00', '55.00 ± 7.07')
  """
  values = 100 * np.asarray(shares)
  return f"{np.mean(values):.2f}" + (f" ± {deviation(values):.2f}" if len(values) > 1 else "")


def joined(lines: Lines) -> Lines:
  """Gives all lines the columns of any of them, with empty cells.

  Examples:
    >>> joined([{"row": "kd"}, {"row": "ats", "tau1": 4}])
    [{'row': 'kd', 'tau1': ''}, {'row': 'ats', 'tau1': 4}]
  """
  columns = dict.fromkeys(column for line in lines for column in line)
  return [{column: line.get(column, "") for column in columns} for line in lines]


def as_csv(lines: Lines) -> str:
  r"""Returns the table with all digits.

  Examples:
    >>> as_csv([{"network": "mlp", "e(q)": 0.1}])
    'network,e(q)\nmlp,0.1\n'
  """
  text = io.StringIO()
  writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
  writer.writeheader()
  writer.writerows(lines)
  return text.getvalue()


def escaped(text: str) -> str:
  r"""Escapes the characters that Markdown would take for markup.

  Examples:
    >>> print(escaped("<c> and *d*; τ* and resnext29_4x4d stay"))
    \<c> and \*d*; τ* and resnext29_4x4d stay
  """
  markup = r"[\\<`]|\](?=\()|(?<!\w)[*_](?=\S)|\*(?=\w)|&(?=#?\w+;)"
  return re.sub(markup, r"\\\g<0>", " ".join(text.splitlines()))


def as_markdown(lines: Lines) -> str:
  """Returns the table in columns of one width each.

  Examples:
    >>> print(as_markdown([{"network": "mlp", "e(q)": 0.123456}]))
    | network | e(q)   |
    | ------- | ------ |
    | mlp     | 0.1235 |
  """
  texts = [[*lines[0]], *([shown(value) for value in line.values()] for line in lines)]
  heads, *cells = [[escaped(text).replace("|", r"\|") for text in row] for row in texts]
  widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
  rows = [heads, ["-" * width for width in widths], *cells]
  return "\n".join("| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows)


def as_html(lines: Lines) -> str:
  """Returns the table with buttons for heads, and all digits in `data-value`.

  Examples:
    >>> print(as_html([{"e(q)": 0.123456}]))
    <table><thead><tr><th><button>e(q)</button></th></tr></thead>
    <tbody><tr><td data-value="0.123456">0.1235</td></tr></tbody></table>
  """
  heads = "".join(f"<th><button>{html.escape(column)}</button></th>" for column in lines[0])
  rows = "\n".join("<tr>" + "".join(map(_html_cell, line.values())) + "</tr>" for line in lines)
  return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _html_cell(value: object) -> str:
  sorted_by = value.mean if isinstance(value, Spread) else value
  whole = html.escape("" if sorted_by is None else str(sorted_by))
  return f'<td data-value="{whole}">{html.escape(shown(value))}</td>'


def shown(value: object) -> str:
  """Returns a cell as people read it: numbers with four digits.

  Examples:
    >>> shown(0.000123456), shown(1234567), shown(None)
    ('0.0001235', '1,234,567', '–')
    >>> shown(Spread(0.123456, 0.001234))
    '0.1235 ± 0.0012'
  """
  if isinstance(value, Spread):
    return f"{shown(value.mean)} ± {value.deviation:.2g}"
  if value is None or (isinstance(value, float) and math.isnan(value)):
    return "–"
  if isinstance(value, float):
    return f"{value:.4g}"
  return f"{value:,}" if isinstance(value, int) else str(value)
