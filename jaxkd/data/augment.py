"""Augmentation and normalisation on the device, inside the jitted step."""

import jax
import jax.numpy as jnp

from jaxkd.data import specs


def normalize(images: jax.Array, spec: specs.Spec) -> jax.Array:
  """Scales uint8 images `[..., channels]` to float32 of mean 0, std 1."""
  mean = 255 * jnp.asarray(spec.mean, jnp.float32)
  scale = 1 / (255 * jnp.asarray(spec.std, jnp.float32))
  shape = (1,) * (images.ndim - 1) + (spec.channels,)
  return (images.astype(jnp.float32) - mean.reshape(shape)) * scale.reshape(
    shape
  )


def augment(images: jax.Array, spec: specs.Spec, key: jax.Array) -> jax.Array:
  """Crops and flips training images at random, each on its own.

  Zero padding (black, before normalisation's mean is subtracted, as the
  references do it), a crop at a uniform integer offset, a horizontal flip with
  probability 1/2; each only where the spec says so.

  Args:
    images: `[B, H, W, channels]`, uint8.
    spec: the data set.
    key: a PRNG key.

  Returns:
    `[B, H, W, channels]`, uint8.
  """
  batch, height, width, channels = images.shape
  crop_key, flip_key = jax.random.split(key)
  if spec.padding:
    padding = (spec.padding, spec.padding)
    padded = jnp.pad(images, ((0, 0), padding, padding, (0, 0)))
    corners = jax.random.randint(
      crop_key, (batch, 2), 0, 2 * spec.padding + 1, jnp.int32
    )

    def crop(image, corner):
      return jax.lax.dynamic_slice(
        image, (corner[0], corner[1], 0), (height, width, channels)
      )

    images = jax.vmap(crop)(padded, corners)
  if spec.flip:
    flipped = jax.random.bernoulli(flip_key, 0.5, (batch, 1, 1, 1))
    images = jnp.where(flipped, images[:, :, ::-1], images)
  return images
