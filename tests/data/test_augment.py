"""Augmentation against the references' transforms; normalisation in float64."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxkd import data

_CIFAR = data.SPECS["cifar100"]
_IMAGE = np.random.default_rng(0).integers(1, 256, (6, 6, 3), np.uint8)


_augment = jax.jit(data.augment, static_argnums=1)


def _spec(padding, flip):
  return dataclasses.replace(_CIFAR, image_size=6, padding=padding, flip=flip)


def _views(spec, count, seed=0):
  images = jnp.tile(_IMAGE, (count, 1, 1, 1))
  return np.asarray(_augment(images, spec, jax.random.key(seed)))


def _all_views(padding, flip):
  """Every result of the references' transforms on `_IMAGE`, by its bytes."""
  padded = np.pad(_IMAGE, ((padding,) * 2, (padding,) * 2, (0, 0)))
  offsets = range(2 * padding + 1)
  crops = [padded[y : y + 6, x : x + 6] for y in offsets for x in offsets]
  if flip:
    crops += [crop[:, ::-1] for crop in crops]
  return {crop.tobytes(): number for number, crop in enumerate(crops)}


@pytest.mark.parametrize(("padding", "flip"), [(2, True), (1, False), (0, True)])
def test_every_view_of_the_references_is_equally_likely(padding, flip):
  expected = _all_views(padding, flip)
  views = _views(_spec(padding, flip), 200 * len(expected))
  numbers = [expected[view.tobytes()] for view in views]
  counts = np.bincount(numbers, minlength=len(expected))
  assert stats.chisquare(counts).pvalue > 1e-3


def test_images_without_padding_and_flip_are_unchanged():
  np.testing.assert_array_equal(_views(_spec(0, False), 3), [_IMAGE] * 3)


def test_the_key_determines_the_views():
  spec = _spec(2, True)
  np.testing.assert_array_equal(_views(spec, 9, 1), _views(spec, 9, 1))
  assert np.any(_views(spec, 9, 1) != _views(spec, 9, 2))


@pytest.mark.parametrize("name", ["cifar100", "mnist", "digits"])
def test_normalize_equals_float64(name):
  spec = data.SPECS[name]
  levels = np.arange(256, dtype=np.uint8)
  images = np.tile(levels[:, None, None, None], (1, 1, 1, spec.channels))
  expected = (images / np.float64(255) - spec.mean) / np.array(spec.std)
  got = data.normalize(jnp.asarray(images), spec)
  assert got.dtype == np.float32
  np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
