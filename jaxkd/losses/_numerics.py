"""Numerics that every loss shares."""

import jax
import jax.numpy as jnp


def accumulate(x: jax.typing.ArrayLike) -> jax.Array:
  """Casts half precision to float32; keeps float32 and float64."""
  x = jnp.asarray(x)
  return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def over_classes(value: jax.typing.ArrayLike, logits: jax.Array) -> jax.Array:
  """Lets a scalar or per-example `[...]` value meet `[..., C]` logits."""
  value = jnp.asarray(value, logits.dtype)
  return value[..., None] if value.ndim else value


def is_label(labels: jax.Array, num_classes: int) -> jax.Array:
  """Returns a boolean mask `[..., C]`, true on each example's own class."""
  classes = jnp.arange(num_classes, dtype=labels.dtype)
  return labels[..., None] == jnp.expand_dims(
    classes, tuple(range(labels.ndim))
  )


def log_softmax(logits: jax.Array, tau: jax.typing.ArrayLike) -> jax.Array:
  """Returns `log p(tau)` in the accumulation dtype."""
  logits = accumulate(logits)
  return jax.nn.log_softmax(logits / over_classes(tau, logits), axis=-1)
