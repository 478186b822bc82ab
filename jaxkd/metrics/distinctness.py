"""Distinctness of one network's probabilities, and the network's confidence."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd import losses
from jaxkd.losses import _checks, _numerics


def _wrong_classes(
  probs: Array, labels: Array, where: Array | None
) -> tuple[_numerics.Labels, Array, Array]:
  """Returns the labels, the probabilities, and a mask of the wrong classes."""
  _checks.logits(probs=probs)
  checked = _checks.labels(labels, probs)
  wrong = ~checked.right
  if where is not None:
    _checks.equal_shapes(probs=probs, where=where)
    wrong &= where
  return checked, _numerics.accumulate(probs), wrong


@jax.jit
def derived_average(probs: Array, labels: Array, *, where: Array | None = None) -> Array:
  r"""Mean probability of the wrong classes, `[...]`, in `[0, 1 / (C - 1)]`.

  .. math::
    e(q) = \frac{1}{C - 1} \sum_{c \ne y} p_c = \frac{1 - p_y}{C - 1}

  The strength of the smoothing in a teacher's label, from Li et al., *Asymmetric Temperature
  Scaling Makes Larger Networks Teach Well Again*, NeurIPS 2022 ("the ATS paper" below).

  The teacher's label `probs`, `[..., C]`, is from any of the softmaxes. `where`, booleans
  `[..., C]`, is true on the classes that count, as in `logits > -jnp.inf`. None: all count.

  Examples:
    >>> print(derived_average(jnp.array([0.5, 0.375, 0.125]), jnp.array(0)))
    0.25
  """
  checked, probs, wrong = _wrong_classes(probs, labels, where)
  return checked.mark(jnp.mean(probs, axis=-1, where=wrong))


@jax.jit
def derived_variance(probs: Array, labels: Array, *, where: Array | None = None) -> Array:
  r"""Variance of the wrong classes' probabilities.

  .. math::
    v(q) = \frac{1}{C - 1} \sum_{c \ne y} (p_c - e(q))^2

  The ATS paper measures by it how well a teacher's label distinguishes the wrong classes. The
  arguments are as in :func:`derived_average`. Returns `[...]`, >= 0; exactly 0 where the wrong
  classes are equal.

  Examples:
    >>> print(derived_variance(jnp.array([0.5, 0.375, 0.125]), jnp.array(0)))
    0.015625
  """
  checked, probs, wrong = _wrong_classes(probs, labels, where)
  return checked.mark(_numerics.variance(probs, wrong))


@jax.jit
def misguidance(probs: Array, labels: Array) -> Array:
  r"""Whether a teacher's label favours a wrong class, 1 or 0, `[...]`.

  .. math::
    \left[ \max_{c \ne y} p_c \ge p_y \right]

  The ATS paper calls a label with the true class on top *correct guidance*. A label at one
  temperature lacks it where the teacher is wrong; asymmetric temperatures lower the true class, and
  take it from further examples. The mean is the share of such examples. `probs`, `[..., C]`, are
  from any of the softmaxes.

  Examples:
    >>> logits, labels = jnp.array([6.0, 4.0, 0.0]), jnp.array(0)
    >>> print(misguidance(losses.softmax(logits, 4.0), labels))
    0.0
    >>> print(misguidance(losses.asymmetric_softmax(logits, labels, 5.0, 3.0), labels))
    1.0
  """
  checked, probs, wrong = _wrong_classes(probs, labels, None)
  above = jnp.max(probs, axis=-1, where=wrong, initial=-jnp.inf) - label_probability(probs, labels)
  # NaN stays NaN.
  return checked.mark(jnp.where(jnp.isnan(above), above, (above >= 0).astype(above.dtype)))


@jax.jit
def label_probability(probs: Array, labels: Array) -> Array:
  r"""Probability of the true class in a teacher's label, :math:`p_y`, `[...]`, in `[0, 1]`.

  The strength of the *correct guidance* in the ATS paper's terms, from the label `probs`,
  `[..., C]`.

  Examples:
    >>> print(label_probability(jnp.array([0.5, 0.375, 0.125]), jnp.array(1)))
    0.375
  """
  checked, probs, wrong = _wrong_classes(probs, labels, None)
  return checked.mark(jnp.sum(probs, axis=-1, where=~wrong))


@jax.jit
def inherent_variance(logits: Array, labels: Array, tau: ArrayLike) -> Array:
  r"""Variance of the softmax of logits `[..., C]` over the wrong classes alone, `[...]`, >= 0.

  .. math::
    v(\tilde q), \quad \tilde q = \mathrm{softmax}(g / \tau), \quad
    v(q) = (C - 1)^2 \, e(q)^2 \, v(\tilde q)

  The ATS paper: :math:`g` are the logits without the label's. The identity splits
  :func:`derived_variance` into this and :func:`derived_average`. Masked classes are not counted.
  `tau` > 0 is a scalar or `[...]`.

  Examples:
    >>> logits = jnp.log(jnp.array([9.0, 3.0, 1.0]))
    >>> print(inherent_variance(logits, jnp.array(0), tau=1.0))
    0.0625
  """
  _checks.logits(logits=logits)
  checked = _checks.labels(labels, logits)
  wrong = jnp.where(checked.right, -jnp.inf, _numerics.accumulate(logits))
  probs = losses.softmax(wrong, tau)
  return checked.mark(_numerics.variance(probs, ~jnp.isneginf(wrong)))


@functools.partial(jax.jit, static_argnames="grid")
def temperature_distribution(
  logits: Array, labels: Array, grid: tuple[float, ...] = losses.ISATS_GRID
) -> Array:
  r"""Share of the examples for which each temperature is the most discriminative.

  .. math::
    P(\tau^\star(x) = \tau), \quad \tau \in \text{grid}

  Section 5.3 of the paper reports it for CIFAR-100, with :math:`\tau^\star` from
  :func:`optimal_temperature <jaxkd.losses.optimal_temperature>`, which has
  the same arguments. Returns the fraction of the examples for each temperature of the grid, `[G]`;
  NaN if an example has no temperature.

  Examples:
    >>> logits = jnp.array([[20.0, 8.0, 4.0, 0.0], [2.0, 1.0, 0.5, 0.0]])
    >>> print(temperature_distribution(logits, jnp.array([0, 0])))
    [0.5 0.  0.  0.  0.  0.  0.5]
  """
  _checks.logits(logits=logits)
  _checks.labels(labels, logits)
  # In blocks: the search holds the probabilities at all temperatures.
  taus = jax.lax.map(
    lambda example: losses.optimal_temperature(example[0], example[1], grid),
    (logits.reshape(-1, logits.shape[-1]), jnp.ravel(labels)),
    batch_size=4096,
  )
  shares = jnp.mean(taus[:, None] == jnp.asarray(grid, taus.dtype)[None], axis=0)
  return jnp.where(jnp.any(jnp.isnan(taus)), jnp.nan, shares)


@jax.jit
def entropy(logits: Array, tau: ArrayLike = 1.0) -> Array:
  r"""Entropy of the softened probabilities, `[...]`, in nats, from 0 to `log(C)`.

  .. math::
    H(p(\tau)) = -\sum_c p_c(\tau) \log p_c(\tau)

  Shannon, *A Mathematical Theory of Communication*, 1948. Logits are `[..., C]`; `tau` > 0 is a
  scalar or `[...]`.

  Examples:
    >>> print(entropy(jnp.array([[0.0, 0.0], [1000.0, 0.0]])))
    [0.6931... 0...]
  """
  _checks.temperatures(_checks.logits(logits=logits), tau=tau)
  log_probs = _numerics.log_softmax(logits, tau)
  return _numerics.cross_entropy(jnp.exp(log_probs), log_probs)


@functools.partial(jax.jit, static_argnames="bins")
def expected_calibration_error(logits: Array, labels: Array, bins: int = 15) -> Array:
  r"""Gap between confidence and accuracy, a scalar in `[0, 1]`.

  .. math::
    \sum_b \frac{n_b}{N} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

  Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017, with equally wide bins of the
  largest probability, closed on the right; 15 in the original. Logits are `[..., C]`, labels
  `[...]`.

  Examples:
    >>> logits = jnp.array([[1000.0, 0.0], [1000.0, 0.0]])
    >>> print(expected_calibration_error(logits, jnp.array([0, 1])))
    0.5
  """
  _checks.some(logits=logits)
  probs = losses.softmax(logits)
  checked = _checks.labels(labels, logits)
  confidence = jnp.max(probs, axis=-1)
  right = jnp.argmax(probs, axis=-1) == checked.own
  # NaN is clipped into a bin, so that the result is NaN, too.
  index = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
  gaps = checked.mark(right.astype(probs.dtype) - confidence)
  sums = jax.ops.segment_sum(jnp.ravel(gaps), jnp.ravel(index), bins)
  return jnp.sum(jnp.abs(sums)) / confidence.size
