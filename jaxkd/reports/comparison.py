"""Rows compared with a baseline, paired by seed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

CONFIDENCE = 0.95
"""Confidence of the intervals."""

BySeed = Mapping[Any, float]
"""A row's accuracies in [0, 1], by seed or by whatever pairs them."""


class Difference(NamedTuple):
  """The mean difference of two rows over their seeds, in percentage points.

  `margin` is half of the confidence interval; NaN if the seeds can't tell it.
  """

  mean: float
  margin: float
  single: bool = False  # whether it is that of one seed

  @property
  def certain(self) -> bool:
    """Whether the interval is known and excludes 0."""
    return abs(self.mean) > self.margin

  def __str__(self) -> str:
    return f"{self.mean:+.2f}" + ("" if np.isnan(self.margin) else f" ± {self.margin:.2f}")


def paired(row: BySeed, baseline: BySeed, comparisons: int = 1) -> Difference:
  r"""Compares the accuracies of two rows by Student's t for pairs.

  .. math::
    \bar d \pm t_{n-1, 1 - \alpha / 2m} \, s_d / \sqrt n, \quad d_i = 100 (a_i - b_i)

  The intervals of all m `comparisons` hold together with probability 1 - alpha (Bonferroni). A
  single seed has no interval. Nor have seeds that differ equally: on a small test split, the same
  number of images may turn right by chance.

  Examples:
    >>> str(paired({0: 0.90, 1: 0.92, 2: 0.91}, {0: 0.89, 1: 0.90, 2: 0.90}))
    '+1.33 ± 1.43'
  """
  seeds = sorted(row.keys() & baseline.keys())
  points = 100 * np.array([row[seed] - baseline[seed] for seed in seeds])
  n, mean = len(points), float(points.mean())
  error = points.std(ddof=1) / np.sqrt(n) if n > 1 else 0.0
  if error < 1e-9:
    return Difference(mean, float("nan"), n == 1)
  # Slow to import.
  from scipy import special

  quantile = special.stdtrit(n - 1, 1 - (1 - CONFIDENCE) / (2 * comparisons))
  return Difference(mean, float(quantile * error))


def sentence(baseline: str, differences: Mapping[str, Difference]) -> str:
  """Says which rows differ from the baseline.

  Examples:
    >>> sentence("kd", {"ats": Difference(0.1, 0.3), "isats": Difference(0.5, 0.2)})
    'isats: above kd. No certain difference from kd: ats.'
    >>> sentence("kd", {"ats": Difference(0.1, float("nan"), single=True)})
    'One seed does not show whether a difference from kd is chance.'
  """
  if all(difference.single for difference in differences.values()):
    return f"One seed does not show whether a difference from {baseline} is chance."
  if all(np.isnan(difference.margin) for difference in differences.values()):
    return f"All seeds give the same difference from {baseline}, so it has no interval."
  above = [row for row, d in differences.items() if d.certain and d.mean > 0]
  below = [row for row, d in differences.items() if d.certain and d.mean < 0]
  rest = [row for row in differences if row not in (*above, *below)]
  if not above and not below:
    return f"No row differs from {baseline} by more than chance explains."
  parts = [(", ".join(above), f"above {baseline}"), (", ".join(below), f"below {baseline}")]
  said = [f"{rows}: {word}." for rows, word in parts if rows]
  said += [f"No certain difference from {baseline}: {', '.join(rest)}."] if rest else []
  return " ".join(said)
