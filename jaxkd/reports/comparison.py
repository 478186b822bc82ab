"""Rows compared with a baseline, paired by seed."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
"""Confidence of the intervals."""

BySeed = Mapping[Any, float]
"""A row's accuracies in [0, 1], by seed or by whatever pairs them."""


class Difference(NamedTuple):
  """The mean difference of two rows over their seeds, in percentage points.

  `margin` is half of the confidence interval; NaN of a single seed.
  """

  mean: float
  margin: float

  @property
  def certain(self) -> bool:
    """Whether the interval excludes 0; one seed can't tell."""
    return abs(self.mean) > self.margin

  def __str__(self) -> str:
    return f"{self.mean:+.2f}" + ("" if np.isnan(self.margin) else f" ± {self.margin:.2f}")


def paired(row: BySeed, baseline: BySeed) -> Difference:
  r"""Compares the accuracies of two rows by Student's t for pairs.

  .. math:: \bar d \pm t_{n-1} \, s_d / \sqrt n, \quad d_i = 100 (a_i - b_i)

  Examples:
    >>> str(paired({0: 0.90, 1: 0.92, 2: 0.91}, {0: 0.89, 1: 0.90, 2: 0.90}))
    '+1.33 ± 1.43'
  """
  seeds = sorted(row.keys() & baseline.keys())
  points = 100 * np.array([row[seed] - baseline[seed] for seed in seeds])
  n = len(points)
  error = points.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
  margin = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * error if n > 1 else np.nan
  return Difference(float(points.mean()), float(margin))


def sentence(baseline: str, differences: Mapping[str, Difference]) -> str:
  """Says which rows differ from the baseline.

  Examples:
    >>> sentence("kd", {"ats": Difference(0.1, 0.3), "isats": Difference(0.5, 0.2)})
    'isats is above kd; ats is within the uncertainty of kd.'
    >>> sentence("kd", {"ats": Difference(0.1, float("nan"))})
    'One seed per row: no difference from kd can be told from chance.'
  """
  if all(np.isnan(difference.margin) for difference in differences.values()):
    return f"One seed per row: no difference from {baseline} can be told from chance."
  above = [row for row, d in differences.items() if d.certain and d.mean > 0]
  below = [row for row, d in differences.items() if d.certain and d.mean < 0]
  rest = [row for row in differences if row not in (*above, *below)]
  if not above and not below:
    return f"No row differs from {baseline} by more than its uncertainty."
  groups = ((above, "above"), (below, "below"), (rest, "within the uncertainty of"))
  return "; ".join(f"{_are(rows)} {word} {baseline}" for rows, word in groups if rows) + "."


def _are(rows: Sequence[str]) -> str:
  return f"{', '.join(rows)} {'is' if len(rows) == 1 else 'are'}"
