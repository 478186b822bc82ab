"""The random-resized crop (Szegedy et al. 2015) on the device.

Boxes are top, left, height and width, `[B, 4]`; sizes are the images' height and width, `[B, 2]`,
int32.
"""

import jax
import jax.numpy as jnp

_SCALE = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_ATTEMPTS = 10


def random_boxes(key: jax.Array, sizes: jax.Array) -> jax.Array:
  """Draws the boxes to crop, int32: a uniform share of the area, a log-uniform width to height.

  Ten boxes are drawn, and the first that fits is taken. If none fits, the largest box of such a
  ratio in the middle is taken, as in torchvision.
  """
  area_key, ratio_key, corner_key = jax.random.split(key, 3)
  shape = (len(sizes), _ATTEMPTS)
  area = jnp.prod(sizes.astype(jnp.float32), axis=1, keepdims=True)
  area *= jax.random.uniform(area_key, shape, minval=_SCALE[0], maxval=_SCALE[1])
  low, high = map(jnp.log, _RATIO)
  ratio = jnp.exp(jax.random.uniform(ratio_key, shape, minval=low, maxval=high))
  sides = jnp.stack([jnp.sqrt(area / ratio), jnp.sqrt(area * ratio)], axis=-1)
  sides = jnp.round(sides).astype(jnp.int32)
  fits = jnp.all((sides > 0) & (sides <= sizes[:, None]), axis=-1)
  first = jnp.argmax(fits, axis=1)[:, None, None]
  sides = jnp.take_along_axis(sides, first, axis=1)[:, 0]
  free = jnp.maximum(sizes - sides, 0) + 1
  corners = jax.random.randint(corner_key, sides.shape, 0, free, jnp.int32)
  boxes = jnp.concatenate([corners, sides], axis=1)
  return jnp.where(jnp.any(fits, axis=1, keepdims=True), boxes, _largest_boxes(sizes))


def _largest_boxes(sizes: jax.Array) -> jax.Array:
  """Returns the largest boxes in the middle with a ratio in the range."""
  height, width = sizes.T.astype(jnp.float32)
  rows = jnp.minimum(height, jnp.round(width / _RATIO[0]))
  columns = jnp.minimum(width, jnp.round(height * _RATIO[1]))
  sides = jnp.stack([rows, columns], axis=1).astype(jnp.int32)
  return jnp.concatenate([(sizes - sides) // 2, sides], axis=1)


def middle_boxes(sizes: jax.Array, side: int) -> jax.Array:
  """Returns the squares of a side in the middle, int32, rounded as torchvision rounds them."""
  corners = jnp.round((sizes - side).astype(jnp.float32) / 2)
  return jnp.concatenate([corners.astype(jnp.int32), jnp.full_like(sizes, side)], axis=1)


def squash(boxes: jax.Array, sizes: jax.Array, size: int) -> jax.Array:
  """Returns the boxes, float32, once images of these sizes are squashed into squares of a size."""
  scale = size / sizes.astype(jnp.float32)
  return boxes.astype(jnp.float32) * jnp.tile(scale, (1, 2))


def resize(images: jax.Array, boxes: jax.Array, size: int) -> jax.Array:
  """Crops a box out of each image, `[B, S, S, channels]`, uint8, and resizes it to a square.

  It is bilinear and antialiased. Pillow's pixels differ by one level at most, since it rounds
  between the two directions.
  """
  weights = jax.vmap(_weights, in_axes=(0, 0, None, None))
  rows = weights(boxes[:, 0], boxes[:, 2], images.shape[1], size)
  columns = weights(boxes[:, 1], boxes[:, 3], images.shape[2], size)
  pixels, highest = images.astype(jnp.float32), jax.lax.Precision.HIGHEST
  resized = jnp.einsum("boi,bijc,bpj->bopc", rows, pixels, columns, precision=highest)
  return jnp.clip(jnp.round(resized), 0, 255).astype(jnp.uint8)


def _weights(start: jax.Array, length: jax.Array, in_size: int, out_size: int) -> jax.Array:
  """Returns the share of each pixel of a line in each new one, `[out, in]`."""
  pixels = jnp.arange(in_size, dtype=jnp.float32)
  step = length / out_size
  centers = start + step * (jnp.arange(out_size, dtype=jnp.float32) + 0.5)
  distance = (pixels + 0.5)[None] - centers[:, None]
  weights = jnp.maximum(0, 1 - jnp.abs(distance) / jnp.maximum(step, 1))
  inside = (pixels + 1 > start) & (pixels < start + length)
  weights = jnp.where(inside[None], weights, 0)
  return weights / jnp.sum(weights, axis=1, keepdims=True)
