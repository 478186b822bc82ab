"""Measures every teacher of a study, and every pair of them."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd import losses, metrics
from jaxkd.analysis import rules
from jaxkd.analysis.study import Settings, Study, Teacher

# Examples measured at a time: memory does not grow with their number.
_BLOCK = 8192

TAUS = (0.1, 0.25, 0.4, 0.5, *map(float, range(1, 11)))
"""Temperatures of the curves, those of the ATS paper's Fig. 7."""


Values = np.ndarray | jax.Array


class Examples(NamedTuple):
  """What one teacher says about each example, `[N]` each.

  Attributes:
    correct: whether it names the label's class.
    label_logit: the logit of the label, f_y.
    wrong_deviation: standard deviation of the other logits, sigma(g).
    entropy: of the probabilities at temperature 1.
    derived_average: e(q) at tau.
    derived_variance: v(q) at tau.
    inherent_variance: v of the softmax over the wrong classes, at tau.
    ats_variance: v(q) of the label that ATS makes.
    isats_variance: v(q) of the label that ISATS makes.
    tau_star: the most discriminative temperature.
  """

  correct: Values
  label_logit: Values
  wrong_deviation: Values
  entropy: Values
  derived_average: Values
  derived_variance: Values
  inherent_variance: Values
  ats_variance: Values
  isats_variance: Values
  tau_star: Values


class Comparison(NamedTuple):
  """A larger teacher against a smaller one; a ratio to 0 is infinite.

  Attributes:
    small: the smaller teacher.
    large: the larger one.
    less_distinct: mean derived variance of the smaller over the larger's.
    share: of the examples on which the larger one's is lower.
    raised: mean derived variance of the larger under ISATS over that at tau.
    restored: the same over the smaller's at tau.
    overlap: mean rank set overlap of the top k classes.
    spearman: mean Spearman's rho.
    kendall: mean Kendall's tau, as in the paper.
    kendall_b: mean Kendall's tau-b.
  """

  small: str
  large: str
  less_distinct: float
  share: float
  raised: float
  restored: float
  overlap: float
  spearman: float
  kendall: float
  kendall_b: float


class RuleFigures(NamedTuple):
  """A line of Table 1.

  Attributes:
    teacher: the network.
    rule: name of the rule.
    order: of the classes, according to the rule.
    kendall: as in `metrics.RuleConsistency`.
    deviation: as in `metrics.RuleConsistency`.
  """

  teacher: str
  rule: str
  order: str
  kendall: float
  deviation: float


class Measures(NamedTuple):
  """All that was measured.

  Attributes:
    examples: by teacher.
    calibration: expected calibration error by teacher.
    comparisons: of every pair of teachers, the widest apart first.
    angles: between features, by teacher; empty where a teacher has none.
    rules: Table 1; empty where no rule is known for the classes.
  """

  examples: dict[str, Examples]
  calibration: dict[str, float]
  comparisons: list[Comparison]
  angles: dict[str, metrics.FeatureAngles]
  rules: list[RuleFigures]


def measure(study: Study, settings: Settings) -> Measures:
  """Measures a study.

  Args:
    study: its arrays are trusted; see `jaxkd.analysis.checks`.
    settings: checked.

  Returns:
    `Measures`.
  """
  examples = {
    teacher.name: over_blocks(
      functools.partial(_examples, settings=settings),
      teacher.logits,
      study.labels,
    )
    for teacher in study.teachers
  }
  return Measures(
    examples=examples,
    calibration={
      teacher.name: float(
        metrics.expected_calibration_error(jnp.asarray(teacher.logits), jnp.asarray(study.labels))
      )
      for teacher in study.teachers
    },
    comparisons=[_compare(small, large, examples, settings.k) for small, large in _pairs(study)],
    angles={
      name: jax.tree.map(
        float,
        metrics.feature_angles(jnp.asarray(features), jnp.asarray(study.labels)),
      )
      for name, features in study.features.items()
    },
    rules=list(_rules(study, settings.tau)),
  )


def mean_comparisons(found: Sequence[Measures]) -> list[Comparison]:
  """Returns the comparison of each pair, mean over the seeds' measures."""
  return [
    Comparison(pair[0].small, pair[0].large, *np.mean([c[2:] for c in pair], 0))
    for pair in zip(*(m.comparisons for m in found), strict=True)
  ]


def _pairs(study: Study) -> list[tuple[Teacher, Teacher]]:
  """Returns the pairs of a smaller and a larger teacher, widest apart first."""
  numbers = itertools.combinations(range(len(study.teachers)), 2)
  return [
    (study.teachers[i], study.teachers[j])
    for i, j in sorted(numbers, key=lambda pair: pair[0] - pair[1])
  ]


def mean(values: Values) -> float:
  """Returns the mean of what is a number, e.g. of defined correlations."""
  return float(jnp.nanmean(jnp.asarray(values, jnp.float32)))


def over_blocks(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
  """Applies a function to some examples at a time; joins its arrays `[n]`."""
  blocks = [
    jax.tree.map(np.asarray, function(*(a[start : start + _BLOCK] for a in arrays)))
    for start in range(0, len(arrays[0]), _BLOCK)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)


@functools.partial(jax.jit, static_argnames="settings")
def _examples(logits: jax.Array, labels: jax.Array, settings: Settings) -> Examples:
  probs = losses.softmax(logits, settings.tau)
  ats = losses.asymmetric_softmax(logits, labels, *settings.ats)
  tau1, tau_star = losses.isats_temperatures(logits, labels, settings.grid, settings.gap)
  isats = losses.asymmetric_softmax(logits, labels, tau1, tau_star)
  own = jnp.arange(logits.shape[-1])[None] == labels[:, None]
  return Examples(
    correct=jnp.argmax(logits, axis=-1) == labels,
    label_logit=jnp.sum(logits, axis=-1, where=own),
    wrong_deviation=jnp.std(logits, axis=-1, where=~own),
    entropy=metrics.entropy(logits),
    derived_average=metrics.derived_average(probs, labels),
    derived_variance=metrics.derived_variance(probs, labels),
    inherent_variance=metrics.inherent_variance(logits, labels, settings.tau),
    ats_variance=metrics.derived_variance(ats, labels),
    isats_variance=metrics.derived_variance(isats, labels),
    tau_star=tau_star,
  )


@functools.partial(jax.jit, static_argnames="k")
def _agreement(a: jax.Array, b: jax.Array, k: int) -> tuple[jax.Array, ...]:
  return metrics.rank_set_overlap(a, b, k), *metrics.rank_correlations(a, b)


def _compare(small: Teacher, large: Teacher, examples: dict[str, Examples], k: int) -> Comparison:
  before, after = examples[small.name], examples[large.name]
  small_variance = mean(before.derived_variance)
  large_variance = mean(after.derived_variance)
  isats_variance = mean(after.isats_variance)
  agreement = over_blocks(functools.partial(_agreement, k=k), small.logits, large.logits)
  return Comparison(
    small.name,
    large.name,
    _ratio(small_variance, large_variance),
    float(np.mean(after.derived_variance < before.derived_variance)),
    _ratio(isats_variance, large_variance),
    _ratio(isats_variance, small_variance),
    *map(mean, agreement),
  )


def _ratio(a: float, b: float) -> float:
  if b:
    return a / b
  return math.inf if a else 1.0


@jax.jit
def _variances(logits: jax.Array, labels: jax.Array, tau: float) -> jax.Array:
  return metrics.derived_variance(losses.softmax(logits, tau), labels)


def mean_variance(logits: np.ndarray, labels: np.ndarray, tau: float) -> float:
  """Returns mean v(q) at a temperature, of logits `[N, C]`, labels `[N]`."""
  at = functools.partial(_variances, tau=tau)
  return mean(over_blocks(at, logits, labels))


@jax.jit
def _curves(
  logits: jax.Array, labels: jax.Array, ratio1: float, ratio2: float
) -> tuple[jax.Array, jax.Array]:
  def at(tau):
    probs = losses.asymmetric_softmax(logits, labels, ratio1 * tau, ratio2 * tau)
    return (
      metrics.derived_average(probs, labels),
      metrics.derived_variance(probs, labels),
    )

  averages, variances = jax.lax.map(at, jnp.array(TAUS))
  return averages.T, variances.T


def temperature_curves(
  logits: np.ndarray,
  labels: np.ndarray,
  ratios: tuple[float, float] = (1.0, 1.0),
) -> tuple[np.ndarray, np.ndarray]:
  """Returns mean e(q) and v(q) at each of `TAUS`, `[T]` each.

  Args:
    logits: `[N, C]`.
    labels: `[N]`.
    ratios: of the label's and the others' temperature to tau; equal for TS.
  """
  curves = over_blocks(lambda *block: _curves(*block, *ratios), logits, labels)
  averages, variances = (c.mean(axis=0, dtype=np.float64) for c in curves)
  return averages, variances


def known_rules(class_names: tuple[str, ...]) -> list[rules.Rule]:
  """Returns the rules of Table 1 of which all classes are there.

  Examples:
    >>> [rule.name for rule in known_rules(rules.DIGITS_FIVE_CLASSES)]
    ['D.1', 'D.2', 'D.3']
  """
  return [
    rule
    for rule in (*rules.CIFAR100_RULES, *rules.DIGITS_FIVE_RULES)
    if all(set(chain) <= set(class_names) for chain in rule.chains)
  ]


def _rules(study: Study, tau: float) -> Iterator[RuleFigures]:
  for teacher in study.teachers:
    for rule in known_rules(study.rule_names):
      found = metrics.rule_consistency(
        jnp.asarray(teacher.logits),
        jnp.asarray(study.labels),
        rules.label_chains(rule, study.rule_names),
        tau,
      )
      yield RuleFigures(
        teacher.name,
        rule.name,
        rule.order,
        float(found.kendall),
        float(found.deviation),
      )
