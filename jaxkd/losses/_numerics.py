"""Numerics that the losses share."""

import jax
import jax.numpy as jnp


def accumulate(x: jax.typing.ArrayLike) -> jax.Array:
  """Casts to float32, except float64, which stays."""
  x = jnp.asarray(x)
  return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def over_classes(value: jax.typing.ArrayLike, logits: jax.Array) -> jax.Array:
  """Lets a scalar or per-example `[...]` value meet `[..., C]` logits."""
  value = jnp.asarray(value, logits.dtype)
  return value[..., None] if value.ndim else value


def is_label(labels: jax.typing.ArrayLike, num_classes: int) -> jax.Array:
  """Returns a boolean mask `[..., C]`, true on each example's own class."""
  labels = jnp.asarray(labels, jnp.int32)[..., None]
  return labels == jax.lax.broadcasted_iota(
    jnp.int32, (*labels.shape[:-1], num_classes), labels.ndim - 1
  )


def log_softmax(logits: jax.typing.ArrayLike, tau: jax.typing.ArrayLike) -> jax.Array:
  """Returns `log p(tau)` in the accumulation dtype."""
  logits = accumulate(logits)
  return jax.nn.log_softmax(logits / over_classes(tau, logits), axis=-1)


def wrong_class_variance(values: jax.Array, labels: jax.typing.ArrayLike) -> jax.Array:
  """Returns the population variance of all but the label's entry, `[...]`.

  Exactly 0 where these entries are equal: they are compared with their largest
  before anything is rounded.
  """
  num_classes = values.shape[-1]
  wrong = ~is_label(labels, num_classes)
  largest = jnp.max(values, axis=-1, keepdims=True, where=wrong, initial=-jnp.inf)
  shifted = jnp.where(wrong, values - largest, 0.0)
  mean = jnp.sum(shifted, axis=-1, keepdims=True) / (num_classes - 1)
  squares = jnp.where(wrong, jnp.square(shifted - mean), 0.0)
  return jnp.sum(squares, axis=-1) / (num_classes - 1)


def safe_sqrt(x: jax.Array) -> jax.Array:
  """Returns the square root, with gradient 0 instead of infinity at 0."""
  positive = x > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)


def safe_norm(x: jax.Array, keepdims: bool = False) -> jax.Array:
  """Returns the norm over the last axis, with gradient 0 at 0."""
  return safe_sqrt(jnp.sum(jnp.square(x), axis=-1, keepdims=keepdims))
