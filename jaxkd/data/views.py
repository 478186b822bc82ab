"""Views: augmented images that depend on a seed, an example and a view's number alone.

With K views, an example is seen under view `epoch mod K`. Batches, processes and the point at which
a training resumes make no difference, so a teacher's predictions of a view can be kept.
"""

import jax
import jax.numpy as jnp

from jaxkd.data.augment import augment
from jaxkd.data.augmentation import UNCHANGED, Augmentation
from jaxkd.data.specs import Spec


def augment_views(
  images: jax.Array,
  spec: Spec,
  key: jax.Array,
  places: jax.Array,
  sizes: jax.Array | None = None,
  augmentation: Augmentation = UNCHANGED,
) -> jax.Array:
  """Augments each image under its view; the result is as that of `augment`, then `augmentation`.

  Args:
    images: `[B, S, S, channels]`, uint8, with S `spec.stored_size`.
    spec: the data set.
    key: of all views.
    places: `[B, 2]`, int32: row and view of each example.
    sizes: of squashed photographs, `[B, 2]`.
    augmentation: follows that of the data set, and doesn't mix images.
  """

  def one(image, place, size):
    own = jax.random.fold_in(jax.random.fold_in(key, place[1]), place[0])
    pixels = augment(image[None], spec, own, None if size is None else size[None])
    return augmentation(pixels, jnp.zeros(1, jnp.int32), spec, own).pixels[0]

  return jax.vmap(one)(images, places, sizes)


def resized(images: jax.Array, size: int) -> jax.Array:
  """Resizes images `[B, S, S, channels]`, bilinear and antialiased; 0 keeps their size.

  Pixels of uint8 are rounded. Inputs of another rank stay as they are.
  """
  if not size or images.ndim != 4 or size == images.shape[1]:
    return images
  shape = (len(images), size, size, images.shape[-1])
  found = jax.image.resize(images.astype(jnp.float32), shape, "bilinear")
  if images.dtype == jnp.uint8:
    return jnp.clip(jnp.round(found), 0, 255).astype(jnp.uint8)
  return found.astype(images.dtype)


def places_of(start: jax.typing.ArrayLike, view: jax.typing.ArrayLike, count: int) -> jax.Array:
  """Returns the places of `count` examples from row `start` on under one view, `[count, 2]`."""
  rows = jnp.asarray(start, jnp.int32) + jnp.arange(count, dtype=jnp.int32)
  return jnp.stack([rows, jnp.full_like(rows, view)], axis=1)
