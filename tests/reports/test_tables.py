"""Tables for people and for programs."""

import math

import pytest

from jaxkd.reports import tables
from jaxkd.reports.tables import Spread


@pytest.mark.parametrize(
  ("value", "text"),
  [
    (0.000123456, "0.0001235"),
    (1234567, "1,234,567"),
    (None, "–"),
    (math.nan, "–"),
    (Spread(0.123456, 0.001234), "0.1235 ± 0.0012"),
  ],
)
def test_numbers_are_shown_with_four_digits(value, text):
  assert tables.shown(value) == text


def test_a_percentage_has_a_deviation_if_there_are_several_values():
  assert tables.percent([0.5]) == "50.00"
  assert tables.percent([0.5, 0.6]) == "55.00 ± 7.07"
  assert tables.deviation([1.0, 3.0]) == 2**0.5


def test_missing_cells_are_empty():
  joined = tables.joined([{"row": "kd"}, {"row": "ats", "tau1": 4}])
  assert joined == [{"row": "kd", "tau1": ""}, {"row": "ats", "tau1": 4}]


def test_markup_of_markdown_is_escaped():
  text = "<c> and *d*; τ* and resnext29_4x4d stay"
  assert tables.escaped(text) == r"\<c> and \*d*; τ* and resnext29_4x4d stay"


def test_a_table_is_written_in_three_formats():
  line = {"network": "mlp", "e(q)": 0.123456}
  assert tables.as_csv([line]) == "network,e(q)\nmlp,0.123456\n"
  assert tables.as_markdown([line]).splitlines() == [
    "| network | e(q)   |",
    "| ------- | ------ |",
    "| mlp     | 0.1235 |",
  ]
  assert tables.as_html([{"e(q)": 0.123456}]) == (
    "<table><thead><tr><th><button>e(q)</button></th></tr></thead>\n"
    '<tbody><tr><td data-value="0.123456">0.1235</td></tr></tbody></table>'
  )
