"""Times functions in turns, so that whatever else the machine does falls on all of them."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Timing(NamedTuple):
  """Seconds of one call: the median, and half the distance between the quartiles.

  The spread of a single call is NaN.
  """

  median: float
  spread: float
  repeats: int


def summary(seconds: list[float]) -> Timing:
  """Returns the timing of calls that took so many seconds.

  Examples:
    >>> summary([3.0, 1.0, 2.0, 9.0, 2.0])
    Timing(median=2.0, spread=0.5, repeats=5)
  """
  if len(seconds) < 2:
    return Timing(seconds[0], math.nan, 1)
  low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
  return Timing(median, (high - low) / 2, len(seconds))


def in_turns(functions: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Timing]:
  """Calls each function once to warm up, then all of them `repeats` times in turns.

  A function returns when its work is done.
  """
  for function in functions.values():
    function()
  seconds: dict[str, list[float]] = {name: [] for name in functions}
  for _ in range(repeats):
    for name, function in functions.items():
      start = time.perf_counter()
      function()
      seconds[name].append(time.perf_counter() - start)
  return {name: summary(values) for name, values in seconds.items()}
