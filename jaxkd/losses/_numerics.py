"""Numerics that the losses share."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


def accumulate(x: ArrayLike) -> Array:
  """Casts to float32, except float64, which stays."""
  x = jnp.asarray(x)
  return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def over_classes(value: ArrayLike, logits: Array) -> Array:
  """Gives a scalar or per-example `[...]` value an axis for `[..., C]` logits."""
  value = jnp.asarray(value, logits.dtype)
  return value[..., None] if value.ndim else value


class Labels(NamedTuple):
  """Labels in the form that losses need."""

  own: Array  # each example's class, int32 `[...]`; 0 for ignored examples
  right: Array  # booleans `[..., C]`, true on each example's own class
  ignored: Array | None  # booleans `[...]`, or None if no label is ignored

  @classmethod
  def of(cls, labels: Array, num_classes: int, ignore_label: int | None) -> "Labels":
    own = labels.astype(jnp.int32)
    ignored = None if ignore_label is None else own == ignore_label
    if ignored is not None:
      own = jnp.where(ignored, 0, own)
    classes = jax.lax.broadcasted_iota(jnp.int32, (*own.shape, num_classes), own.ndim)
    return cls(own, own[..., None] == classes, ignored)

  def blank(self, x: ArrayLike) -> Array:
    """Casts to float32 and sets the rows `[..., C]` of ignored examples to 0."""
    x = accumulate(x)
    return x if self.ignored is None else jnp.where(self.ignored[..., None], 0.0, x)

  def mark(self, values: Array) -> Array:
    """Returns `[...]` or `[..., C]` values: 0 where ignored, NaN for labels outside [0, C)."""
    axes = (..., *[None] * (values.ndim - self.own.ndim))
    inside = (self.own >= 0) & (self.own < self.right.shape[-1])
    # A product, not a choice: the gradient is NaN, too.
    values = values * jnp.where(inside, 1, jnp.nan).astype(values.dtype)[axes]
    return values if self.ignored is None else jnp.where(self.ignored[axes], 0.0, values)


def over_temperature(logits: Array, tau: Array) -> Array:
  """Returns logits / tau, with no gradient from masked classes in either."""
  masked = jnp.isneginf(logits)
  return jnp.where(masked, -jnp.inf, jnp.where(masked, 0.0, logits) / tau)


def log_softmax(logits: ArrayLike, tau: ArrayLike) -> Array:
  """Returns `log p(tau)` in the accumulation dtype."""
  logits = accumulate(logits)
  return jax.nn.log_softmax(over_temperature(logits, over_classes(tau, logits)), axis=-1)


def cross_entropy(probs: Array, log_probs: Array) -> Array:
  """Returns -sum(probs * log_probs) over the classes, where 0 * -inf is 0."""
  absent = (probs == 0) & jnp.isneginf(log_probs)
  return jnp.sum(probs * -jnp.where(absent, 0.0, log_probs), axis=-1)


def divergence(log_probs: Array, log_others: Array) -> Array:
  """Returns KL(p || q), `[...]`; a class with p = 0 adds nothing, whatever its q."""
  counted = ~jnp.isneginf(log_probs)
  difference = jnp.where(counted, log_probs, 0.0) - jnp.where(counted, log_others, 0.0)
  return jnp.sum(jnp.exp(log_probs) * difference, axis=-1)


def variance(values: Array, where: Array) -> Array:
  """Returns the population variance of the entries that count, `[...]`; 0 without any."""
  number = jnp.maximum(jnp.sum(where, axis=-1, keepdims=True, dtype=values.dtype), 1)
  largest = jnp.max(values, axis=-1, keepdims=True, where=where, initial=-jnp.inf)
  # Relative to the largest: the variance of equal entries is exactly 0.
  shifted = jnp.where(where, values - largest, 0.0)
  mean = jnp.sum(shifted, axis=-1, keepdims=True) / number
  squares = jnp.where(where, jnp.square(shifted - mean), 0.0)
  return jnp.sum(squares, axis=-1) / number[..., 0]


def safe_sqrt(x: Array) -> Array:
  """Returns the square root, with gradient 0 instead of infinity at 0."""
  zero = x == 0
  return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, x)))


def safe_norm(x: Array, keepdims: bool = False) -> Array:
  """Returns the norm over the last axis, with gradient 0 at 0."""
  return safe_sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=keepdims))


def unit(x: ArrayLike) -> Array:
  """Returns vectors of length 1 over the last axis; 0 stays 0."""
  x = accumulate(x)
  norm = safe_norm(x, keepdims=True)
  return x / jnp.where(norm == 0, 1.0, norm)
