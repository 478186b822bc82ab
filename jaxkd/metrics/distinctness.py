"""How distinct one network's probabilities are, and how sure it is."""

import functools

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.losses import _numerics


@jax.jit
def derived_average(probs: jax.Array, labels: jax.Array) -> jax.Array:
  r"""Mean probability of the wrong classes.

  .. math::
    e(q) = \frac{1}{C - 1} \sum_{c \ne y} p_c = \frac{1 - p_y}{C - 1}

  Li et al., *Asymmetric Temperature Scaling Makes Larger Networks Teach Well
  Again*, NeurIPS 2022 ("the ATS paper" below): the strength of the smoothing
  in a teacher's label.

  Args:
    probs: `[..., C]`, the teacher's label, from any of the softmaxes.
    labels: `[...]`, integers in `[0, C)`.

  Returns:
    `[...]`, in `[0, 1 / (C - 1)]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(derived_average(jnp.array([0.5, 0.375, 0.125]), jnp.array(0)))
    0.25
  """
  probs = _numerics.accumulate(probs)
  wrong = ~_numerics.is_label(labels, probs.shape[-1])
  return jnp.mean(probs, axis=-1, where=wrong)


@jax.jit
def derived_variance(probs: jax.Array, labels: jax.Array) -> jax.Array:
  r"""Variance of the wrong classes' probabilities.

  .. math::
    v(q) = \frac{1}{C - 1} \sum_{c \ne y} (p_c - e(q))^2

  The ATS paper's measure of how well a teacher's label tells the wrong classes
  apart.

  Args:
    probs: `[..., C]`, the teacher's label, from any of the softmaxes.
    labels: `[...]`, integers in `[0, C)`.

  Returns:
    `[...]`, >= 0; exactly 0 where the wrong classes are equal.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(derived_variance(jnp.array([0.5, 0.375, 0.125]), jnp.array(0)))
    0.015625
  """
  return _numerics.wrong_class_variance(_numerics.accumulate(probs), labels)


@jax.jit
def inherent_variance(logits: jax.Array, labels: jax.Array, tau: jax.typing.ArrayLike) -> jax.Array:
  r"""Variance of the softmax over the wrong classes alone.

  .. math::
    v(\tilde q), \quad \tilde q = \mathrm{softmax}(g / \tau), \quad
    v(q) = (C - 1)^2 \, e(q)^2 \, v(\tilde q)

  The ATS paper: :math:`g` are the logits without the label's. The identity
  splits :func:`derived_variance` into this and :func:`derived_average`.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    tau: temperature > 0, a scalar or `[...]`.

  Returns:
    `[...]`, >= 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits = jnp.log(jnp.array([9.0, 3.0, 1.0]))
    >>> print(inherent_variance(logits, jnp.array(0), tau=1.0))
    0.0625
  """
  logits = _numerics.accumulate(logits)
  right = _numerics.is_label(labels, logits.shape[-1])
  probs = losses.softmax(jnp.where(right, -jnp.inf, logits), tau)
  return _numerics.wrong_class_variance(probs, labels)


@functools.partial(jax.jit, static_argnames="grid")
def temperature_distribution(
  logits: jax.Array,
  labels: jax.Array,
  grid: tuple[float, ...] = losses.ISATS_GRID,
) -> jax.Array:
  r"""How often each temperature is the most discriminative.

  The distribution of :math:`\tau^\star(x)` (:func:`optimal_temperature
  <jaxkd.losses.optimal_temperature>`) over the examples, which section 5.3 of
  the paper reports for CIFAR-100.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    grid: temperatures > 0.

  Returns:
    The fraction of the examples for each temperature, `[len(grid)]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits = jnp.array([[20.0, 8.0, 4.0, 0.0], [2.0, 1.0, 0.5, 0.0]])
    >>> print(temperature_distribution(logits, jnp.array([0, 0])))
    [0.5 0.  0.  0.  0.  0.  0.5]
  """
  # In blocks: the search holds the probabilities at all temperatures.
  taus = jax.lax.map(
    lambda example: losses.optimal_temperature(example[0], example[1], grid),
    (logits.reshape(-1, logits.shape[-1]), jnp.ravel(labels)),
    batch_size=4096,
  )
  return jnp.mean(taus[:, None] == jnp.asarray(grid, taus.dtype)[None], axis=0)


@jax.jit
def entropy(logits: jax.Array, tau: jax.typing.ArrayLike = 1.0) -> jax.Array:
  r"""Entropy of the softened probabilities.

  .. math::
    H(p(\tau)) = -\sum_c p_c(\tau) \log p_c(\tau)

  Args:
    logits: `[..., C]`, any floating dtype.
    tau: temperature > 0, a scalar or `[...]`.

  Returns:
    `[...]`, in nats, from 0 to `log(C)`.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(entropy(jnp.array([[0.0, 0.0], [1000.0, 0.0]])))
    [0.6931... 0...]
  """
  log_probs = _numerics.log_softmax(logits, tau)
  return jnp.sum(jnp.exp(log_probs) * -log_probs, axis=-1)


@functools.partial(jax.jit, static_argnames="bins")
def expected_calibration_error(logits: jax.Array, labels: jax.Array, bins: int = 15) -> jax.Array:
  r"""Gap between confidence and accuracy.

  .. math::
    \sum_b \frac{n_b}{N} \left| \mathrm{acc}_b - \mathrm{conf}_b \right|

  Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017, with
  equally wide bins of the largest probability, closed on the right.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    bins: number of bins; 15 in the original.

  Returns:
    A scalar in `[0, 1]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits = jnp.array([[1000.0, 0.0], [1000.0, 0.0]])
    >>> print(expected_calibration_error(logits, jnp.array([0, 1])))
    0.5
  """
  probs = losses.softmax(logits).reshape(-1, logits.shape[-1])
  confidence = jnp.max(probs, axis=-1)
  predicted = jnp.argmax(probs, axis=-1)
  right = predicted == jnp.ravel(labels).astype(predicted.dtype)
  index = jnp.ceil(confidence * bins).astype(jnp.int32) - 1
  gaps = jax.ops.segment_sum(right.astype(probs.dtype) - confidence, index, bins)
  return jnp.sum(jnp.abs(gaps)) / confidence.size
