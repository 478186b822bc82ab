"""A view of an example is a function of seed, row and view alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxkd import data
from jaxkd.data.base import InMemory

SMALL = dataclasses.replace(data.SPECS["digits"], padding=2, flip=True)
PHOTOS = dataclasses.replace(data.SPECS["digits"], image_size=6, resize=8, padding=0, flip=True)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 1)).astype(np.uint8)
KEY = jax.random.key(3)
VIEWS = 3
augment_views = jax.jit(data.augment_views, static_argnums=(1, 5))


def seen(spec, rows, view):
  rows = np.array(rows)
  places = np.stack([rows, np.full_like(rows, view)], axis=1).astype(np.int32)
  return np.asarray(augment_views(IMAGES[rows], spec, KEY, places))


@pytest.mark.parametrize("spec", [SMALL, PHOTOS], ids=["crop", "resized crop"])
def test_a_view_of_an_example_is_the_same_image_in_every_batch(spec):
  whole = seen(spec, range(12), 1)
  np.testing.assert_array_equal(seen(spec, [7, 2, 11], 1), whole[[7, 2, 11]])
  np.testing.assert_array_equal(seen(spec, [5], 1)[0], whole[5])
  # Other views and other rows are drawn anew.
  assert np.mean(np.any(seen(spec, range(12), 2) != whole, axis=(1, 2, 3))) > 0.5
  other = augment_views(IMAGES, spec, jax.random.key(4), data.places_of(0, 1, 12))
  assert np.any(other != whole)


def test_a_view_is_a_crop_of_the_padded_image_and_perhaps_its_mirror_image():
  padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
  corners = [(top, left) for top in range(5) for left in range(5)]
  flips = 0
  for view in range(4):
    for row, image in enumerate(seen(SMALL, range(12), view)):
      crops = [padded[row, top : top + 8, left : left + 8] for top, left in corners]
      same = any(np.array_equal(image, crop) for crop in crops)
      flips += not same
      assert same or any(np.array_equal(image[:, ::-1], crop) for crop in crops)
  assert 10 < flips < 38


def places(kind, views, batch_size=5, steps=20):
  """Returns the places of the first batches of 7 examples, from a loader of a kind."""
  mesh = Mesh(np.array(jax.devices()[:1]), ("data",))
  key = jax.device_put(jax.random.key(1), NamedSharding(mesh, PartitionSpec()))
  rows = np.arange(7, dtype=np.int32)
  split = data.Arrays(jnp.asarray(IMAGES[:7]), jnp.asarray(rows))
  if kind == "streamed":
    split = InMemory(IMAGES[:7], rows, ())
  sharding = NamedSharding(mesh, PartitionSpec("data"))
  loader = data.train_loader(split, batch_size, key, sharding, 0, views)
  batches = [
    data.batch_at(loader.source(step), jnp.int32(step), batch_size) for step in range(steps)
  ]
  loader.close()
  for batch in batches:
    if batch.places is not None:
      np.testing.assert_array_equal(batch.places[:, 0], batch.labels)
  return [batch.places for batch in batches]


@pytest.mark.parametrize("kind", ["resident", "streamed"])
def test_the_view_is_the_epoch_modulo_the_number_of_views(kind):
  found = np.concatenate(places(kind, VIEWS))
  np.testing.assert_array_equal(found[:, 1], np.arange(len(found)) // 7 % VIEWS)
  # Each example comes once in each view.
  once = {tuple(place) for place in found[: 7 * VIEWS]}
  assert len(once) == 7 * VIEWS


def test_both_loaders_give_the_same_places_and_none_without_views():
  resident, streamed = (np.stack(places(kind, VIEWS)) for kind in ("resident", "streamed"))
  np.testing.assert_array_equal(resident, streamed)
  assert places("resident", 0) == [None] * 20


def test_images_of_a_plane_keep_it_when_they_are_resized():
  # Bilinear weights keep a linear slope, away from the edges.
  slope = np.arange(8.0)[None, :, None, None] * 16 + np.zeros((1, 8, 8, 1))
  larger = np.asarray(data.resized(jnp.asarray(slope, jnp.float32), 16))
  expected = (np.arange(16) + 0.5) / 2 - 0.5
  np.testing.assert_allclose(larger[0, 1:-1, 3, 0], 16 * expected[1:-1], rtol=1e-5)
  assert data.resized(jnp.asarray(IMAGES), 16).dtype == jnp.uint8
  assert data.resized(IMAGES, 8) is IMAGES


def test_the_augmentation_of_an_experiment_is_a_part_of_the_view():
  erasing = data.Augmentation(policy="trivialaugment", erasing=1.0)
  places = data.places_of(0, 1, 12)
  whole = np.asarray(augment_views(IMAGES, SMALL, KEY, places, None, erasing))
  assert np.any(whole != seen(SMALL, range(12), 1))
  rows = np.array([7, 2])
  own = augment_views(IMAGES[rows], SMALL, KEY, places[rows], None, erasing)
  np.testing.assert_array_equal(own, whole[rows])
