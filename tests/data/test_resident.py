"""Batches of the resident loader: the contract of `jaxkd.data`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxkd import data


def _split(size):
  """Images that tell which example they are."""
  rows = np.arange(size, dtype=np.int32)
  images = np.zeros((size, 2, 2, 1), np.uint8)
  images[:, 0, 0, 0], images[:, 0, 1, 0] = rows // 256, rows % 256
  return data.Arrays(images, rows)


_batch_at = jax.jit(data.batch_at, static_argnums=2)


def _rows(loader, steps, batch_size):
  """Labels of the batches of the given steps, each from its own source."""
  return np.array(
    [
      _batch_at(loader.source(step), np.int32(step), batch_size)[1]
      for step in steps
    ]
  )


@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (13, 5), (7, 7)])
def test_each_example_comes_once_per_epoch(size, batch_size):
  loader = data.Resident(_split(size), batch_size, jax.random.key(0))
  epochs = batch_size  # A whole number of steps: epochs * size / batch_size.
  rows = _rows(loader, range(size), batch_size).reshape(epochs, size)
  np.testing.assert_array_equal(
    np.sort(rows, axis=1), np.tile(np.arange(size), (epochs, 1))
  )
  assert len({tuple(order) for order in rows}) == epochs


def test_the_images_are_those_of_the_labels():
  loader = data.Resident(_split(300), 40, jax.random.key(1))
  images, labels = data.batch_at(loader.source(9), jnp.int32(9), 40)
  images = np.asarray(images, np.int32)
  np.testing.assert_array_equal(
    images[:, 0, 0, 0] * 256 + images[:, 0, 1, 0], labels
  )


def test_a_batch_is_a_function_of_seed_and_step():
  def rows(seed, steps):
    loader = data.Resident(_split(10), 4, jax.random.key(seed))
    return _rows(loader, steps, 4)

  forward = rows(0, range(20))
  np.testing.assert_array_equal(rows(0, reversed(range(20)))[::-1], forward)
  np.testing.assert_array_equal(rows(0, [17]), forward[17:18])
  assert np.any(rows(1, range(20)) != forward)


def test_one_source_serves_max_steps_steps():
  loader = data.Resident(_split(13), 5, jax.random.key(0))
  expected = _rows(loader, range(40), 5)
  step = 0
  while step < 30:
    source, count = loader.source(step), loader.max_steps(step)
    assert count >= 1
    got = [
      _batch_at(source, np.int32(s), 5)[1] for s in range(step, step + count)
    ]
    np.testing.assert_array_equal(got, expected[step : step + count])
    step += count


@pytest.mark.parametrize("num_devices", [1, 2, 8])
def test_same_batches_on_any_number_of_devices(num_devices):
  mesh = Mesh(np.array(jax.devices()[:num_devices]), ("data",))
  replicated = NamedSharding(mesh, PartitionSpec())
  split, key = jax.device_put((_split(40), jax.random.key(3)), replicated)
  loader = data.Resident(split, 16, key)
  batch_at = jax.jit(
    data.batch_at,
    static_argnums=2,
    out_shardings=NamedSharding(mesh, PartitionSpec("data")),
  )
  alone = data.Resident(_split(40), 16, jax.random.key(3))
  for step in (0, 2, 5):
    images, labels = batch_at(loader.source(step), np.int32(step), 16)
    expected = data.batch_at(alone.source(step), jnp.int32(step), 16)
    np.testing.assert_array_equal(images, expected[0])
    np.testing.assert_array_equal(labels, expected[1])


def test_a_batch_larger_than_the_split_is_refused():
  with pytest.raises(ValueError, match=r"data\.batch_size is 9.* at most 8"):
    data.Resident(_split(8), 9, jax.random.key(0))


@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (13, 4), (3, 8)])
def test_evaluation_counts_each_example_once(size, batch_size):
  arrays = jax.tree.map(jnp.asarray, _split(size))
  seen = []
  for index in range(-(-size // batch_size)):
    images, labels, mask = data.eval_batch_at(
      arrays, jnp.int32(index), batch_size
    )
    assert images.shape[0] == labels.shape[0] == mask.shape[0] == batch_size
    seen.extend(np.asarray(labels)[np.asarray(mask)])
  assert seen == list(range(size))
