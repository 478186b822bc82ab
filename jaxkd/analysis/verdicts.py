"""Verdicts: whether the paper's two observations hold for the teachers, in sentences."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from jaxkd.analysis.measure import Comparison, Findings, PerExample, mean, median
from jaxkd.analysis.study import Settings
from jaxkd.reports.guidance import is_lost, warning

PAPER_SPEARMAN = 0.85  # most pairs of the paper's Fig. 6 have a Spearman's rho above it
_SAME = 1.05  # variances whose ratio is smaller are called equal
_EDGE = 0.1  # a larger share of τ* at an edge of the grid is said
_FITTED = 0.95  # the paper's teachers fit at least this share of the examples


def _times(ratio: float) -> str:
  """Writes a factor that is 1 or more with two digits."""
  return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:.0f}"


def pair(found: Comparison, settings: Settings) -> str:
  """Describes a pair of teachers."""
  medians = f"median is {found.median_less_distinct:.2f} times the larger one's"
  if math.isinf(found.median_less_distinct):
    medians = "median is above the larger one's, which is 0"
  level = f"{found.restored:.2f} times the smaller teacher's"
  if math.isinf(found.restored):
    level = "more than the smaller teacher's, which is 0"
  return (
    f"{found.large} compared with {found.small}: the larger teacher's wrong-class probabilities "
    f"are {_distinctness(found, settings)} (its derived variance is lower on "
    f"{100 * found.share:.0f} % of the examples; the smaller teacher's {medians}). "
    f"ISATS {_change(found)} {level}. {_order(found, settings)}"
  )


def _distinctness(found: Comparison, settings: Settings) -> str:
  at = f"at τ = {settings.tau:g}"
  if math.isinf(found.less_distinct):
    return f"not distinct {at}: in float32 their variance is 0"
  if found.less_distinct == 0:
    return f"distinct {at}, but the smaller teacher's have a variance of 0"
  if found.less_distinct > _SAME:
    return f"{_times(found.less_distinct)} times less distinct {at}"
  if found.less_distinct < 1 / _SAME:
    return f"{_times(1 / found.less_distinct)} times more distinct {at}, unlike in the paper"
  return f"as distinct as the smaller teacher's {at}"


def _change(found: Comparison) -> str:
  if math.isinf(found.raised):
    return "raises their derived variance from 0 to"
  if found.raised == 0:
    return "lowers their derived variance to"
  if found.raised > _SAME:
    return f"raises their derived variance {_times(found.raised)} times, to"
  if found.raised < 1 / _SAME:
    return f"lowers their derived variance {_times(1 / found.raised)} times, to"
  return "leaves their derived variance at"


def _order(found: Comparison, settings: Settings) -> str:
  if math.isnan(found.spearman):
    return "The orders of the classes can't be compared: no example has an order under both."
  if found.spearman >= PAPER_SPEARMAN:
    order = "order the classes alike"
  elif found.spearman >= 0.5:
    order = "agree on the order of the classes less than in the paper"
  else:
    order = "do not agree on the order of the classes"
  return (
    f"The two teachers {order}: Spearman's ρ {found.spearman:.2f}, Kendall's τ "
    f"{found.kendall:.2f}, {found.overlap * settings.k:.1f} of the top {settings.k} classes in "
    "common."
  )


def observation_1(findings: Findings) -> str:
  """Says whether derived variance falls from the smallest to the largest teacher."""
  measures = findings.measures
  names = list(measures[0].examples)
  by_seed = np.array([[mean(m.examples[n].derived_variance) for n in names] for m in measures])
  found = list(zip(names, by_seed.mean(axis=0), strict=True))
  flat = [f"{a} to {b}" for (a, u), (b, v) in itertools.pairwise(found) if v * _SAME >= u]
  lower = int(np.sum(by_seed[:, -1] * _SAME < by_seed[:, 0]))
  higher = int(np.sum(by_seed[:, -1] > by_seed[:, 0] * _SAME))
  medians = {n: np.mean([median(m.examples[n].derived_variance) for m in measures]) for n in names}
  values = ", ".join(f"{n} {v:.3g} and {medians[n]:.3g}" for n, v in found)
  first, last = names[0], names[-1]
  share = np.mean(
    [
      np.mean(m.examples[last].derived_variance < m.examples[first].derived_variance)
      for m in measures
    ]
  )
  if lower == len(measures):
    verdict = "holds: derived variance falls with every step in capacity"
    if flat:
      verdict = (
        "holds from the smallest to the largest teacher, but not in every step: derived variance "
        "does not clearly fall from " + ", nor from ".join(flat)
      )
  elif higher == len(measures):
    verdict = "does not hold: the largest teacher's derived variance is higher than the smallest's"
  elif len(measures) == 1:
    verdict = (
      "is undecided: the largest teacher's derived variance is within "
      f"{100 * (_SAME - 1):.0f} % of the smallest's"
    )
  else:
    verdict = (
      "is undecided: the largest teacher's derived variance is clearly lower than the smallest's "
      f"under {lower} of {len(measures)} seeds"
    )
  said = (
    "Observation 1 (a larger teacher's wrong-class probabilities are less distinct) "
    f"{verdict} (at τ = {findings.settings.tau:g}, mean and median: {values}). The derived "
    f"variance of {last} is lower than that of {first} on {100 * share:.0f} % of the examples."
  )
  if lower == len(measures) and medians[first] < medians[last] * _SAME:
    said += " The medians do not fall: few examples with large variances decide the means."
  fitted = np.mean([np.mean(m.examples[names[-1]].correct) for m in measures])
  if fitted < _FITTED:
    said += (
      f" The largest teacher classifies only {100 * fitted:.3g} % of these examples correctly. The "
      "paper's teachers fit nearly all of their training examples."
    )
  return said


def observation_2(findings: Findings) -> str:
  """Says whether all pairs of teachers order the classes alike."""
  comparisons = findings.comparisons
  judged = [found for found in comparisons if not math.isnan(found.spearman)]
  rho = [found.spearman for found in judged]
  claim = "Observation 2 (teachers of all capacities agree on the order of the classes)"
  if not judged:
    return f"{claim} can't be judged: no example has an order of the classes under two teachers."
  high = sum(value > PAPER_SPEARMAN for value in rho)
  weakly = "holds weakly, not at the level of the paper"
  verdict = weakly if min(rho) >= 0.5 else "does not hold"
  if high > len(rho) / 2:
    verdict = "holds"
  without = len(comparisons) - len(judged)
  left_out = f" Pairs without an order: {without}." if without else ""
  return (
    f"{claim} {verdict}: Spearman's ρ is {_range(rho)}. It is above {PAPER_SPEARMAN} for {high} of "
    f"{len(rho)} pairs; in the paper it is for most. Kendall's τ is "
    f"{_range([found.kendall for found in judged])}.{left_out}"
  )


def temperatures(findings: Findings) -> str:
  """Warns if τ* is often at an edge of the grid; '' if it isn't."""
  grid, said = findings.settings.grid, ""
  for edge, kind in ((max(grid), "largest"), (min(grid), "smallest")):
    shares = _shares(findings, functools.partial(_chosen, tau=edge))
    if often := [f"{100 * share:.0f} % ({name})" for name, share in shares if share > _EDGE]:
      said += f" τ* is the {kind} temperature of the grid, {edge:g}, for {', '.join(often)}."
  end = "A wider grid may have more discriminative temperatures: --isats_grid=TAU,TAU,..."
  return f"The grid may be too narrow:{said} {end}" if said and len(grid) > 1 else ""


def guidance(findings: Findings) -> str:
  """Warns of labels that favour a wrong class more often than the plain one; '' if none does."""
  plain, *asymmetric = findings.settings.labels
  shares = [
    dict(_shares(findings, functools.partial(_misguided, kind=k)))
    for k in range(len(asymmetric) + 1)
  ]
  lost = [
    f"{label} of {name} {100 * share:.1f} % ({100 * shares[0][name]:.1f} % at {plain})"
    for label, by_name in zip(asymmetric, shares[1:], strict=True)
    for name, share in by_name.items()
    if is_lost(share - shares[0][name])
  ]
  return warning(lost)


def _chosen(examples: PerExample, tau: float) -> np.ndarray:
  return np.asarray(examples.tau_star == np.float32(tau))


def _misguided(examples: PerExample, kind: int) -> np.ndarray:
  return np.asarray(examples.misguidance[:, kind])


def _shares(
  findings: Findings, select: Callable[[PerExample], np.ndarray]
) -> Iterator[tuple[str, float]]:
  """Yields each teacher's share of selected examples, mean over the seeds."""
  for name in findings.measures[0].examples:
    yield name, float(np.mean([np.mean(select(m.examples[name])) for m in findings.measures]))


def _range(values: list[float]) -> str:
  lowest, highest = f"{min(values):.2f}", f"{max(values):.2f}"
  return lowest if lowest == highest else f"{lowest} to {highest}"
