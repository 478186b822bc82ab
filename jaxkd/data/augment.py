"""Augmentation and normalisation on the device, inside the jitted step.

Boxes of the random-resized crop (Szegedy et al. 2015) are top, left, height and width, `[B, 4]`;
sizes are the images' height and width, `[B, 2]`, int32.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxkd.data.specs import Spec

_SCALE = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_ATTEMPTS = 10


def normalize(images: jax.Array, spec: Spec) -> jax.Array:
  """Scales uint8 images `[..., channels]` to float32 of mean 0, std 1."""
  return standardized(images, spec.mean, spec.std)


def standardized(images: jax.Array, mean: Sequence[float], std: Sequence[float]) -> jax.Array:
  """Returns uint8 images `[..., channels]` less a mean, by a deviation, of pixels in [0, 1]."""
  shape = (1,) * (images.ndim - 1) + (len(mean),)
  center = 255 * jnp.asarray(mean, jnp.float32)
  scale = 1 / (255 * jnp.asarray(std, jnp.float32))
  return (images.astype(jnp.float32) - center.reshape(shape)) * scale.reshape(shape)


def augment(
  images: jax.Array, spec: Spec, key: jax.Array, sizes: jax.Array | None = None
) -> jax.Array:
  """Crops and flips training images at random, each independently.

  The spec decides: a random-resized crop; or zero padding (black, before the mean is subtracted, as
  in the references) and a crop at a uniform offset; and a horizontal flip with probability 1/2.

  Images are `[B, S, S, channels]`, uint8, with S `spec.stored_size`; the result has S `image_size`.
  `sizes` are those of squashed photographs, as in `Arrays`.
  """
  crop_key, flip_key = jax.random.split(key)
  if spec.resize:
    if sizes is None:
      sizes = jnp.full((len(images), 2), spec.resize, jnp.int32)
    boxes = squash(random_boxes(crop_key, sizes), sizes, spec.resize)
    images = resize(images, boxes, spec.image_size)
  elif spec.padding:
    around = (spec.padding, spec.padding)
    padded = jnp.pad(images, ((0, 0), around, around, (0, 0)))
    corners = jax.random.randint(crop_key, (len(images), 2), 0, 2 * spec.padding + 1, jnp.int32)

    def crop(image, corner):
      return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])

    images = jax.vmap(crop)(padded, corners)
  if spec.flip:
    flipped = jax.random.bernoulli(flip_key, 0.5, (len(images), 1, 1, 1))
    images = jnp.where(flipped, images[:, :, ::-1], images)
  return images


def center_crop(images: jax.Array, spec: Spec, sizes: jax.Array | None = None) -> jax.Array:
  """Returns the middle `image_size` pixels, which are evaluated; arguments are as for `augment`.

  The middle of squashed photographs is stretched back, which makes it as sharp as training images.
  """
  if sizes is not None:
    # Rounded as torchvision rounds them.
    corners = jnp.round((sizes - spec.image_size).astype(jnp.float32) / 2).astype(jnp.int32)
    boxes = jnp.concatenate([corners, jnp.full_like(sizes, spec.image_size)], axis=1)
    return resize(images, squash(boxes, sizes, spec.resize), spec.image_size)
  start = (spec.stored_size - spec.image_size) // 2
  middle = slice(start, start + spec.image_size)
  return images[:, middle, middle]


def random_boxes(key: jax.Array, sizes: jax.Array) -> jax.Array:
  """Draws the boxes to crop, int32: a uniform share of the area, a log-uniform aspect ratio.

  Ten boxes are drawn, and the first that fits is taken. If none fits, the largest box of such a
  ratio in the middle is taken, as in torchvision.
  """
  area_key, ratio_key, corner_key = jax.random.split(key, 3)
  area, ratio = areas_and_ratios(area_key, ratio_key, sizes, _SCALE, _RATIO)
  sides = jnp.stack([jnp.sqrt(area / ratio), jnp.sqrt(area * ratio)], axis=-1)
  sides = jnp.round(sides).astype(jnp.int32)
  fits = jnp.all((sides > 0) & (sides <= sizes[:, None]), axis=-1)
  boxes = first_fitting(corner_key, sides, fits, sizes)
  height, width = sizes.T.astype(jnp.float32)
  rows = jnp.minimum(height, jnp.round(width / _RATIO[0]))
  columns = jnp.minimum(width, jnp.round(height * _RATIO[1]))
  sides = jnp.stack([rows, columns], axis=1).astype(jnp.int32)
  largest = jnp.concatenate([(sizes - sides) // 2, sides], axis=1)
  return jnp.where(jnp.any(fits, axis=1, keepdims=True), boxes, largest)


def areas_and_ratios(
  area_key: jax.Array,
  ratio_key: jax.Array,
  sizes: jax.Array,
  shares: tuple[float, float],
  ratios: tuple[float, float],
) -> tuple[jax.Array, jax.Array]:
  """Draws areas and aspect ratios of ten boxes for each image, `[B, 10]`.

  Areas are uniform between two shares of the image's area, ratios log-uniform between two ratios.
  """
  shape = (len(sizes), _ATTEMPTS)
  area = jnp.prod(sizes.astype(jnp.float32), axis=1, keepdims=True)
  area *= jax.random.uniform(area_key, shape, minval=shares[0], maxval=shares[1])
  low, high = map(jnp.log, ratios)
  return area, jnp.exp(jax.random.uniform(ratio_key, shape, minval=low, maxval=high))


def first_fitting(key: jax.Array, sides: jax.Array, fits: jax.Array, sizes: jax.Array) -> jax.Array:
  """Puts a box with the first of the sides `[B, 10, 2]` that fit at a uniform place, `[B, 4]`."""
  first = jnp.argmax(fits, axis=1)[:, None, None]
  sides = jnp.take_along_axis(sides, first, axis=1)[:, 0]
  free = jnp.maximum(sizes - sides, 0) + 1
  corners = jax.random.randint(key, sides.shape, 0, free, jnp.int32)
  return jnp.concatenate([corners, sides], axis=1)


def squash(boxes: jax.Array, sizes: jax.Array, size: int) -> jax.Array:
  """Returns the boxes, float32, after images of these sizes are squashed into squares of `size`."""
  scale = size / sizes.astype(jnp.float32)
  return boxes.astype(jnp.float32) * jnp.tile(scale, (1, 2))


def resize(images: jax.Array, boxes: jax.Array, size: int) -> jax.Array:
  """Crops a box out of each image, `[B, S, S, channels]`, uint8, and resizes it to a square.

  Resampling is bilinear and antialiased. Pillow's pixels differ by one level at most: it rounds
  between the two directions.
  """
  weights = jax.vmap(_weights, in_axes=(0, 0, None, None))
  rows = weights(boxes[:, 0], boxes[:, 2], images.shape[1], size)
  columns = weights(boxes[:, 1], boxes[:, 3], images.shape[2], size)
  pixels, highest = images.astype(jnp.float32), jax.lax.Precision.HIGHEST
  resized = jnp.einsum("boi,bijc,bpj->bopc", rows, pixels, columns, precision=highest)
  return jnp.clip(jnp.round(resized), 0, 255).astype(jnp.uint8)


def _weights(start: jax.Array, length: jax.Array, in_size: int, out_size: int) -> jax.Array:
  """Returns the weight of each pixel of a line in each new pixel, `[out, in]`."""
  pixels = jnp.arange(in_size, dtype=jnp.float32)
  step = length / out_size
  centers = start + step * (jnp.arange(out_size, dtype=jnp.float32) + 0.5)
  distance = (pixels + 0.5)[None] - centers[:, None]
  weights = jnp.maximum(0, 1 - jnp.abs(distance) / jnp.maximum(step, 1))
  inside = (pixels + 1 > start) & (pixels < start + length)
  weights = jnp.where(inside[None], weights, 0)
  return weights / jnp.sum(weights, axis=1, keepdims=True)
