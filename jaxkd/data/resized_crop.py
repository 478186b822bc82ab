"""The random-resized crop (Szegedy et al. 2015) on the device."""

import jax
import jax.numpy as jnp

_SCALE = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_ATTEMPTS = 10


def random_boxes(key: jax.Array, batch_size: int, size: int) -> jax.Array:
  """Draws the boxes that are cropped.

  A box has a uniform share of the area in [0.08, 1] and a log-uniform ratio of
  width to height in [3/4, 4/3]. Of ten that are drawn the first that fits is
  taken, or else the whole image, as torchvision does.

  Args:
    key: a PRNG key.
    batch_size: B.
    size: height and width of the images.

  Returns:
    Top, left, height and width, `[B, 4]`, int32.
  """
  area_key, ratio_key, corner_key = jax.random.split(key, 3)
  shape = (batch_size, _ATTEMPTS)
  area = size**2 * jax.random.uniform(
    area_key, shape, minval=_SCALE[0], maxval=_SCALE[1]
  )
  log_ratio = jax.random.uniform(
    ratio_key, shape, minval=jnp.log(_RATIO[0]), maxval=jnp.log(_RATIO[1])
  )
  ratio = jnp.exp(log_ratio)
  sides = jnp.stack(
    [jnp.round(jnp.sqrt(area / ratio)), jnp.round(jnp.sqrt(area * ratio))],
    axis=-1,
  ).astype(jnp.int32)
  fits = jnp.all((sides > 0) & (sides <= size), axis=-1)
  first = jnp.argmax(fits, axis=1)[:, None, None]
  sides = jnp.take_along_axis(sides, first, axis=1)[:, 0]
  sides = jnp.where(jnp.any(fits, axis=1)[:, None], sides, size)
  corners = jax.random.randint(
    corner_key, (batch_size, 2), 0, size - sides + 1, jnp.int32
  )
  return jnp.concatenate([corners, sides], axis=1)


def resize(images: jax.Array, boxes: jax.Array, size: int) -> jax.Array:
  """Crops a box out of each image and resizes it: bilinear, antialiased.

  Args:
    images: `[B, S, S, channels]`, uint8.
    boxes: as `random_boxes` returns.
    size: height and width of what is returned.

  Returns:
    `[B, size, size, channels]`, uint8. Pillow's differ by one level at most,
    as it rounds between the two directions.
  """
  weights = jax.vmap(_weights, in_axes=(0, 0, None, None))
  rows = weights(boxes[:, 0], boxes[:, 2], images.shape[1], size)
  columns = weights(boxes[:, 1], boxes[:, 3], images.shape[2], size)
  resized = jnp.einsum(
    "boi,bijc,bpj->bopc",
    rows,
    images.astype(jnp.float32),
    columns,
    precision=jax.lax.Precision.HIGHEST,
  )
  return jnp.clip(jnp.round(resized), 0, 255).astype(jnp.uint8)


def _weights(
  start: jax.Array, length: jax.Array, in_size: int, out_size: int
) -> jax.Array:
  """Returns what each pixel of a line gives to each new one, `[out, in]`."""
  pixels = jnp.arange(in_size, dtype=jnp.int32)
  step = length.astype(jnp.float32) / out_size
  centers = start.astype(jnp.float32) + step * (
    jnp.arange(out_size, dtype=jnp.float32) + 0.5
  )
  distance = (pixels.astype(jnp.float32) + 0.5)[None] - centers[:, None]
  weights = jnp.maximum(0, 1 - jnp.abs(distance) / jnp.maximum(step, 1))
  inside = (pixels >= start) & (pixels < start + length)
  weights = jnp.where(inside[None], weights, 0)
  return weights / jnp.sum(weights, axis=1, keepdims=True)
