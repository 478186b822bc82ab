"""Measures in words: what the two observations are for these teachers."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from jaxkd.analysis import measure
from jaxkd.analysis.measure import Comparison, Measures
from jaxkd.analysis.study import Settings

PAPER_SPEARMAN = 0.85
"""What Spearman's rho is mostly above in the paper's Fig. 6."""

# Variances this close are called equal.
_SAME = 1.05

# Of the examples, by a teacher that is as far trained as the paper's.
_FITTED = 0.95


def _times(ratio: float) -> str:
  """Writes a factor that is 1 or more with two digits."""
  return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def pair(found: Comparison, settings: Settings) -> str:
  """Says what a pair of teachers shows.

  Examples:
    >>> found = Comparison(
    ...   "resnet14", "resnet110", 2.3, 0.9, 4.0, 1.74, 0.8, 0.91, 0.78, 0.78
    ... )
    >>> print(pair(found, Settings()))
    resnet110 beside resnet14: the larger teacher's wrong-class probabilities
    are 2.3 times less distinct at τ = 4 (lower derived variance on 90 % of the
    examples). ISATS raises their derived variance 4.0 times, to 1.74 times the
    smaller teacher's. The two order the classes alike: Spearman's ρ 0.91,
    Kendall's τ 0.78, 4.0 of the top 5 classes in common.
  """
  return (
    f"{found.large} beside {found.small}: the larger teacher's wrong-class "
    f"probabilities are {_distinctness(found, settings)} (lower derived "
    f"variance on {100 * found.share:.0f} % of the examples). ISATS "
    f"{_change(found)} {_level(found)}. {_order(found, settings)}"
  )


def _distinctness(found: Comparison, settings: Settings) -> str:
  at = f"at τ = {settings.tau:g}"
  if math.isinf(found.less_distinct):
    return f"not distinct at all {at}: in float32 their variance is 0"
  if found.less_distinct == 0:
    return f"distinct {at}, where the smaller one's are not at all"
  if found.less_distinct > _SAME:
    return f"{_times(found.less_distinct)} times less distinct {at}"
  if found.less_distinct < 1 / _SAME:
    more = _times(1 / found.less_distinct)
    return f"{more} times more distinct {at}, unlike in the paper"
  return f"as distinct as the smaller one's {at}"


def _change(found: Comparison) -> str:
  if math.isinf(found.raised):
    return "raises their derived variance from 0 to"
  if found.raised == 0:
    return "lowers their derived variance to"
  if found.raised > _SAME:
    return f"raises their derived variance {_times(found.raised)} times, to"
  if found.raised < 1 / _SAME:
    lowered = _times(1 / found.raised)
    return f"lowers their derived variance {lowered} times, to"
  return "leaves their derived variance at"


def _level(found: Comparison) -> str:
  if math.isinf(found.restored):
    return "more than the smaller teacher's, which is 0"
  return f"{found.restored:.2f} times the smaller teacher's"


def _order(found: Comparison, settings: Settings) -> str:
  if math.isnan(found.spearman):
    return (
      "Whether the two order the classes alike can't be said: there is no "
      "example on which both tell classes apart."
    )
  if found.spearman >= PAPER_SPEARMAN:
    order = "order the classes alike"
  elif found.spearman >= 0.5:
    order = "agree on the order of the classes less than in the paper"
  else:
    order = "do not agree on the order of the classes"
  return (
    f"The two {order}: Spearman's ρ {found.spearman:.2f}, Kendall's τ "
    f"{found.kendall:.2f}, {found.overlap * settings.k:.1f} of the top "
    f"{settings.k} classes in common."
  )


def observation_1(measures: Sequence[Measures], settings: Settings) -> str:
  """Says whether derived variance falls from the smallest to the largest.

  Args:
    measures: one, or one for each seed.
    settings: the temperature.
  """
  names = list(measures[0].examples)
  by_seed = np.array(
    [[measure.mean(m.examples[name].derived_variance) for name in names] for m in measures]
  )
  means = by_seed.mean(axis=0)
  found = list(zip(names, means, strict=True))
  flat = [f"{a} to {b}" for (a, u), (b, v) in itertools.pairwise(found) if v * _SAME >= u]
  lower = int(np.sum(by_seed[:, -1] * _SAME < by_seed[:, 0]))
  higher = int(np.sum(by_seed[:, -1] > by_seed[:, 0] * _SAME))
  values = ", ".join(f"{n} {v:.3g}" for n, v in found)
  if lower == len(measures):
    verdict = "holds: derived variance falls with every step in capacity"
    if flat:
      verdict = (
        "holds from the smallest to the largest teacher, but not in every "
        "step: derived variance does not clearly fall from " + ", nor from ".join(flat)
      )
  elif higher == len(measures):
    verdict = "does not hold: the largest teacher's derived variance is higher than the smallest's"
  elif len(measures) == 1:
    verdict = (
      "is undecided: the largest teacher's derived variance is that of the "
      f"smallest within {_SAME - 1:.0%}"
    )
  else:
    verdict = (
      "is undecided: the largest teacher's derived variance is clearly lower "
      f"than the smallest's under {lower} of {len(measures)} seeds"
    )
  return (
    "Observation 1 (a larger teacher's wrong-class probabilities are less "
    f"distinct) {verdict} (at τ = {settings.tau:g}: {values})."
    f"{_unfitted(measures)}"
  )


def _unfitted(measures: Sequence[Measures]) -> str:
  """Says so if the largest teacher is one that the paper doesn't speak of."""
  name = [*measures[0].examples][-1]
  fitted = np.mean([np.mean(m.examples[name].correct) for m in measures])
  if fitted >= _FITTED:
    return ""
  return (
    f" The largest teacher has fitted only {100 * fitted:.3g} % of these "
    "examples; the paper's fit nearly all that they were trained on."
  )


def observation_2(comparisons: Sequence[Comparison]) -> str:
  """Says whether all pairs of teachers order the classes alike."""
  judged = [found for found in comparisons if not math.isnan(found.spearman)]
  rho = [found.spearman for found in judged]
  claim = "Observation 2 (teachers of all capacities agree on the order of the classes)"
  if not judged:
    return f"{claim} can't be judged: there is no example on which two teachers tell classes apart."
  high = sum(value > PAPER_SPEARMAN for value in rho)
  if high > len(rho) / 2:
    verdict = "holds"
  elif min(rho) >= 0.5:
    verdict = "holds weakly"
  else:
    verdict = "does not hold"
  without = len(comparisons) - len(judged)
  left_out = f"; pairs without an order: {without}" if without else ""
  return (
    f"{claim} {verdict}: Spearman's ρ is {_range(rho)}; {high} of {len(rho)} "
    f"pairs are above {PAPER_SPEARMAN}, in the paper most are; Kendall's τ is "
    f"{_range([found.kendall for found in judged])}{left_out}."
  )


def _range(values: list[float]) -> str:
  lowest, highest = f"{min(values):.2f}", f"{max(values):.2f}"
  return lowest if lowest == highest else f"{lowest} to {highest}"
