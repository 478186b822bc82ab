"""Checks of logits that another program has saved."""

import numpy as np


def are_probabilities(values: np.ndarray) -> bool:
  """Returns whether every row of `[..., C]` is in [0, 1] and sums to 1, up to float16's rounding.

  Examples:
    >>> are_probabilities(np.array([[0.25, 0.75]])), are_probabilities(np.array([[2.0, -1.0]]))
    (True, False)
  """
  sums = values.sum(axis=-1, dtype=np.float64)
  return bool(np.all((values >= 0) & (values <= 1)) and np.all(np.abs(sums - 1) < 0.01))
