"""Augmentation and normalisation on the device, inside the jitted step."""

import jax
import jax.numpy as jnp

from jaxkd.data.resized_crop import middle_boxes, random_boxes, resize, squash
from jaxkd.data.specs import Spec


def normalize(images: jax.Array, spec: Spec) -> jax.Array:
  """Scales uint8 images `[..., channels]` to float32 of mean 0, std 1."""
  mean = 255 * jnp.asarray(spec.mean, jnp.float32)
  scale = 1 / (255 * jnp.asarray(spec.std, jnp.float32))
  shape = (1,) * (images.ndim - 1) + (spec.channels,)
  return (images.astype(jnp.float32) - mean.reshape(shape)) * scale.reshape(shape)


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
    boxes = squash(middle_boxes(sizes, spec.image_size), sizes, spec.resize)
    return resize(images, boxes, spec.image_size)
  start = (spec.stored_size - spec.image_size) // 2
  middle = slice(start, start + spec.image_size)
  return images[:, middle, middle]
