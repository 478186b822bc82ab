"""Mixup, CutMix and random erasing change images and labels alike."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkd import data
from jaxkd.data import mixing
from jaxkd.data.augmentation import Augmentation, erase

SPEC = data.SPECS["cifar10"]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 8, 10, 3)).astype(np.uint8)
LABELS = np.array([0, 3, 1, 4, 2, 5], np.int32)


@functools.partial(jax.jit, static_argnums=(1, 2))
@functools.partial(jax.vmap, in_axes=(0, None, None))
def mix(key, mixup, cutmix):
  return mixing.mix(IMAGES, LABELS, key, mixup=mixup, cutmix=cutmix, num_classes=6)


KEYS = jax.random.split(jax.random.key(0), 200)
NEIGHBOURS = np.roll(np.arange(6), 1)


def own_shares(soft):
  """The share of each image in its mixture, `[keys]`; all images of a batch have the same."""
  own = np.asarray(soft)[:, np.arange(6), LABELS]
  others = np.asarray(soft)[:, np.arange(6), LABELS[NEIGHBOURS]]
  np.testing.assert_allclose(own + others, 1, rtol=1e-6)
  np.testing.assert_allclose(own, own[:, :1].repeat(6, 1), rtol=1e-6)
  return own[:, 0].astype(np.float64)


def test_mixup_averages_pixels_and_labels_alike():
  mixed, labels, soft = mix(KEYS, 0.4, 0.0)
  shares = own_shares(soft)
  own = shares[:, None, None, None, None]
  expected = own * IMAGES.astype(np.float64) + (1 - own) * IMAGES[NEIGHBOURS]
  np.testing.assert_allclose(mixed, expected, atol=1e-3)
  np.testing.assert_array_equal(labels, np.argmax(soft, axis=-1))
  # Beta(0.4, 0.4) has the mean 1/2 and the variance 1 / (4 (2 * 0.4 + 1)).
  assert shares.mean() == pytest.approx(0.5, abs=0.08)
  assert shares.var() == pytest.approx(1 / 7.2, abs=0.03)


def test_cutmix_puts_a_box_of_the_neighbour_into_the_image():
  mixed, labels, soft = mix(KEYS, 0.0, 1.0)
  shares = own_shares(soft)
  kept = np.all(np.asarray(mixed) == IMAGES, axis=(1, 4))
  boxes = ~kept
  for index, box in enumerate(boxes):
    expected = np.where(box[None, ..., None], IMAGES[NEIGHBOURS], IMAGES)
    np.testing.assert_array_equal(mixed[index], expected)
    # The box is the product of its rows and its columns.
    np.testing.assert_array_equal(box, box.any(1)[:, None] & box.any(0)[None])
  np.testing.assert_allclose(shares, kept.mean(axis=(1, 2)), rtol=1e-5)
  unequal = np.abs(shares - 0.5) > 1e-3
  np.testing.assert_array_equal(labels[unequal], np.argmax(soft, axis=-1)[unequal])
  assert 0.5 < shares.mean() < 0.75  # boxes are cut off at the border
  assert shares.min() < 0.25


def test_with_both_each_batch_has_one_of_them():
  mixed, _, _ = mix(KEYS, 0.4, 1.0)
  pixels = np.asarray(mixed)
  cut = np.all((pixels == IMAGES) | (pixels == IMAGES[NEIGHBOURS]), axis=(1, 2, 3, 4))
  assert 0.35 < cut.mean() < 0.65


def test_erased_pixels_are_zero_after_normalisation():
  images = np.full((300, 32, 32, 3), 255, np.uint8)
  erased = jax.jit(erase, static_argnums=(2, 3))(images, jax.random.key(0), 0.5, SPEC.mean)
  boxes = np.asarray(erased)[..., 0] != 255
  some = boxes.any(axis=(1, 2))
  assert 0.4 < some.mean() < 0.6
  normalised = np.asarray(data.normalize(erased, SPEC))
  np.testing.assert_array_equal(normalised[boxes], 0)
  for box in boxes[some]:
    np.testing.assert_array_equal(box, box.any(1)[:, None] & box.any(0)[None])
    rows, columns = box.any(1).sum(), box.any(0).sum()
    assert 0.015 < box.mean() < 0.35
    assert 0.25 < rows / columns < 4


def test_an_unused_augmentation_returns_its_images():
  batch = data.UNCHANGED(IMAGES, LABELS, SPEC, jax.random.key(0))
  assert batch.pixels is IMAGES
  assert batch.labels is LABELS
  assert batch.soft_labels is None


def test_all_together_are_a_function_of_the_key():
  both = Augmentation(policy="trivialaugment", erasing=0.5, mixup=0.2, cutmix=1.0)
  labels = jnp.asarray(LABELS)
  one, same, other = (both(IMAGES, labels, SPEC, jax.random.key(seed)) for seed in (0, 0, 1))
  np.testing.assert_array_equal(one.pixels, same.pixels)
  assert not np.array_equal(one.pixels, other.pixels)
  np.testing.assert_allclose(np.sum(one.soft_labels, axis=1), 1, rtol=1e-6)
