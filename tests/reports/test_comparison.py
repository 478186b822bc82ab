"""Rows are compared seed by seed, with an interval that says how sure the difference is."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxkd.reports import comparison
from jaxkd.reports.comparison import Difference


def test_the_margin_is_that_of_a_paired_t_test():
  rng = np.random.default_rng(0)
  baseline = dict(enumerate(0.7 + 0.01 * rng.normal(size=6)))
  row = {seed: value + 0.004 + 0.003 * rng.normal() for seed, value in baseline.items()}
  found = comparison.paired(row, baseline)
  test = stats.ttest_rel([*row.values()], [*baseline.values()])
  interval = test.confidence_interval(comparison.CONFIDENCE)
  assert found.mean - found.margin == pytest.approx(100 * interval.low)
  assert found.mean + found.margin == pytest.approx(100 * interval.high)
  assert found.certain == (test.pvalue < 1 - comparison.CONFIDENCE)


def test_intervals_of_several_comparisons_hold_together():
  row, baseline = {0: 0.5, 1: 0.52, 2: 0.55}, {0: 0.4, 1: 0.41, 2: 0.46}
  single, five = (comparison.paired(row, baseline, count) for count in (1, 5))
  error = stats.sem([10, 11, 9])
  assert single.margin == pytest.approx(stats.t.ppf(0.975, 2) * error)
  assert five.margin == pytest.approx(stats.t.ppf(0.995, 2) * error)


def test_seeds_that_differ_equally_have_no_interval():
  # One of 360 images more, under both seeds.
  found = comparison.paired({0: 343 / 360, 1: 345 / 360}, {0: 342 / 360, 1: 344 / 360})
  assert math.isnan(found.margin)
  assert not found.certain
  assert str(found) == "+0.28"
  assert comparison.sentence("kd", {"a": found}) == (
    "All seeds give the same difference from kd, so it has no interval."
  )


def test_only_common_seeds_are_compared():
  found = comparison.paired({0: 0.5, 1: 0.9}, {1: 0.8, 2: 0.1})
  assert found.mean == pytest.approx(10)
  assert math.isnan(found.margin)
  assert not found.certain
  assert comparison.sentence("kd", {"a": found}).startswith("One seed does not show")


def test_the_sentence_names_rows_above_below_and_alike():
  rows = {"a": Difference(1, 0.5), "b": Difference(-2, 1), "c": Difference(1, 2)}
  assert comparison.sentence("kd", {**rows, "d": Difference(3, 1)}) == (
    "a, d: above kd. b: below kd. No certain difference from kd: c."
  )
  assert comparison.sentence("kd", {"c": rows["c"]}) == (
    "No row differs from kd by more than chance explains."
  )
