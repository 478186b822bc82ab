"""Tables as CSV, Markdown and HTML, from the same lines."""

import csv
import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Spread(NamedTuple):
  """A cell of several values.

  Attributes:
    mean: their mean.
    deviation: their standard deviation, of a sample.
  """

  mean: float
  deviation: float


Lines = Sequence[Mapping[str, object]]
"""A table: cells by column for each line, all with the same columns."""


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


def as_markdown(lines: Lines) -> str:
  """Returns the table in columns of one width each.

  Examples:
    >>> print(as_markdown([{"network": "mlp", "e(q)": 0.123456}]))
    | network | e(q)   |
    | ------- | ------ |
    | mlp     | 0.1235 |
  """
  cells = [{c: shown(value) for c, value in line.items()} for line in lines]
  widths = {
    column: max(len(line[column]) for line in [{column: column}, *cells]) for column in cells[0]
  }
  rows = [
    {column: column for column in widths},
    {column: "-" * width for column, width in widths.items()},
    *cells,
  ]
  return "\n".join(
    "| " + " | ".join(row[c].ljust(w) for c, w in widths.items()) + " |" for row in rows
  )


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
