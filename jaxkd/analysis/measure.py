"""Measures of every teacher of a study and of every pair of teachers."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd import losses, metrics
from jaxkd.analysis.study import MeasuredTeacher, Settings, Study

_BLOCK = 8192  # examples that are measured at a time, which bounds the memory

_Values = np.ndarray | jax.Array


class PerExample(NamedTuple):
  """Measures of one teacher on each example, `[N]`, or `[N, 4]` for `Settings.labels`."""

  correct: _Values  # whether the label's class has the highest logit
  label_logit: _Values  # the logit of the label, f_y
  wrong_deviation: _Values  # standard deviation of the other logits, sigma(g)
  entropy: _Values  # of the probabilities at temperature 1
  derived_average: _Values  # e(q) at tau
  derived_variance: _Values  # v(q) at tau
  inherent_variance: _Values  # v of the softmax over the wrong classes, at tau
  ats_variance: _Values  # v(q) of the label under ATS
  isats_variance: _Values  # v(q) of the label under ISATS
  tau_star: _Values  # the most discriminative temperature
  misguidance: _Values  # whether each of the labels favours a wrong class
  label_probability: _Values  # p_y in each of the labels


class Comparison(NamedTuple):
  """A larger teacher against a smaller one; a ratio to 0 is infinite."""

  small: str
  large: str
  less_distinct: float  # mean derived variance of the smaller teacher over that of the larger one
  median_less_distinct: float  # the same of the medians
  share: float  # share of the examples on which the larger teacher's derived variance is lower
  raised: float  # the larger teacher's mean derived variance under ISATS over that at tau
  restored: float  # that mean under ISATS over the smaller teacher's at tau
  overlap: float  # mean rank set overlap of the top k classes
  spearman: float  # mean Spearman's rho
  kendall: float  # mean Kendall's tau, as in the paper
  kendall_b: float  # mean Kendall's tau-b


class Measures(NamedTuple):
  """The measures of one study."""

  examples: dict[str, PerExample]  # by teacher
  calibration: dict[str, float]  # expected calibration error by teacher
  comparisons: list[Comparison]  # pairs with the most teachers between them first


class Findings(NamedTuple):
  """Studies with their measures: the input of figures, tables and verdicts."""

  studies: Sequence[Study]  # one, or one for each seed
  settings: Settings
  measures: Sequence[Measures]  # of each study

  @property
  def study(self) -> Study:
    """The first seed's study, which pictures show."""
    return self.studies[0]

  @property
  def measured(self) -> Measures:
    """The first seed's measures."""
    return self.measures[0]

  @property
  def comparisons(self) -> list[Comparison]:
    """The comparison of each pair, mean over the seeds."""
    return [
      Comparison(pair[0].small, pair[0].large, *np.mean([c[2:] for c in pair], 0))
      for pair in zip(*(m.comparisons for m in self.measures), strict=True)
    ]

  def caption(self, text: str) -> str:
    """Returns a caption: a text, then data, networks and approximations."""
    return f"{text} {self.study.context}"


def measure(study: Study, settings: Settings) -> Measures:
  """Measures a study; `jaxkd.analysis.saved` checks arrays from outside."""
  of_examples = functools.partial(_per_example, settings=settings)
  examples = {t.name: over_blocks(of_examples, t.logits, study.labels) for t in study.teachers}
  # A stable sort keeps pairs of the same distance in the order of their sizes.
  pairs = itertools.combinations(enumerate(study.teachers), 2)
  by_distance = sorted(pairs, key=lambda pair: pair[0][0] - pair[1][0])
  calibration = {
    t.name: float(metrics.expected_calibration_error(t.logits, study.labels))
    for t in study.teachers
  }
  comparisons = [_compare(a, b, examples, settings.k) for (_, a), (_, b) in by_distance]
  return Measures(examples, calibration, comparisons)


def mean(values: _Values) -> float:
  """Returns the mean without NaNs, for example undefined correlations."""
  return float(jnp.nanmean(jnp.asarray(values, jnp.float32)))


def median(values: _Values) -> float:
  """Returns the median without NaNs."""
  return float(np.nanmedian(values))


def over_blocks(function: Callable[..., Any], *arrays: np.ndarray) -> Any:
  """Applies a function to a block of the examples at a time; joins its arrays `[n]`."""
  blocks = [
    jax.tree.map(np.asarray, function(*(a[start : start + _BLOCK] for a in arrays)))
    for start in range(0, len(arrays[0]), _BLOCK)
  ]
  return jax.tree.map(lambda *parts: np.concatenate(parts), *blocks)


@functools.partial(jax.jit, static_argnames="settings")
def _per_example(logits: jax.Array, labels: jax.Array, settings: Settings) -> PerExample:
  probs = losses.softmax(logits, settings.tau)
  ats = losses.asymmetric_softmax(logits, labels, *settings.ats)
  tau1, tau_star = losses.isats_temperatures(logits, labels, settings.grid, settings.gap)
  isats = losses.asymmetric_softmax(logits, labels, tau1, tau_star)
  milder = losses.asymmetric_softmax(logits, labels, settings.tau, settings.ats[1])
  taught = jnp.stack([probs, milder, ats, isats], axis=1)
  label_of_each = jnp.repeat(labels[:, None], taught.shape[1], axis=1)
  own = jnp.arange(logits.shape[-1])[None] == labels[:, None]
  return PerExample(
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
    misguidance=metrics.misguidance(taught, label_of_each),
    label_probability=metrics.label_probability(taught, label_of_each),
  )


@functools.partial(jax.jit, static_argnames="k")
def _agreement(a: jax.Array, b: jax.Array, k: int) -> tuple[jax.Array, ...]:
  return metrics.rank_set_overlap(a, b, k), *metrics.rank_correlations(a, b)


def _compare(
  small: MeasuredTeacher, large: MeasuredTeacher, examples: dict[str, PerExample], k: int
) -> Comparison:
  before, after = examples[small.name], examples[large.name]
  small_variance, large_variance = mean(before.derived_variance), mean(after.derived_variance)
  isats_variance = mean(after.isats_variance)
  agreement = over_blocks(functools.partial(_agreement, k=k), small.logits, large.logits)
  return Comparison(
    small.name,
    large.name,
    _ratio(small_variance, large_variance),
    _ratio(median(before.derived_variance), median(after.derived_variance)),
    float(np.mean(after.derived_variance < before.derived_variance)),
    _ratio(isats_variance, large_variance),
    _ratio(isats_variance, small_variance),
    *map(mean, agreement),
  )


def _ratio(a: float, b: float) -> float:
  return a / b if b else math.inf if a else 1.0
