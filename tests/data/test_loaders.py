"""Both loaders meet the contract of `jaxkd.data`."""

import multiprocessing
import os
import pathlib
import socket
import subprocess
import sys
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from stripes import SPEC

from jaxkd import data
from jaxkd.common import cores as common_cores
from jaxkd.data import streamed
from jaxkd.data.base import InMemory
from jaxkd.data.resident import Order

LOADERS = pytest.mark.parametrize("kind", ["resident", "streamed"])


def _sharding(num_devices=1):
  mesh = Mesh(np.array(jax.devices()[:num_devices]), ("data",))
  return NamedSharding(mesh, PartitionSpec("data"))


def _split(kind, size, num_devices=1):
  """A split whose images encode their row."""
  rows = np.arange(size, dtype=np.int32)
  images = np.zeros((size, 2, 2, 1), np.uint8)
  images[:, 0, 0, 0], images[:, 0, 1, 0] = rows // 256, rows % 256
  if kind == "streamed":
    return InMemory(images, rows, ())
  replicated = NamedSharding(_sharding(num_devices).mesh, PartitionSpec())
  return jax.device_put(data.Arrays(images, rows), replicated)


def _loader(kind, size, batch_size, seed=0, num_devices=1, workers=0):
  sharding = _sharding(num_devices)
  key = jax.device_put(jax.random.key(seed), NamedSharding(sharding.mesh, PartitionSpec()))
  return data.train_loader(_split(kind, size, num_devices), batch_size, key, sharding, workers)


_batch_at = jax.jit(data.batch_at, static_argnums=2)


def _rows(loader, steps, batch_size):
  """Labels of the batches of the given steps, each from its own source."""
  rows = [_batch_at(loader.source(step), np.int32(step), batch_size).labels for step in steps]
  loader.close()
  return np.array(rows)


@LOADERS
@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (13, 5), (7, 7)])
def test_each_example_comes_once_per_epoch(kind, size, batch_size):
  loader = _loader(kind, size, batch_size)
  epochs = batch_size  # They take `size` steps.
  rows = _rows(loader, range(size), batch_size).reshape(epochs, size)
  np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile(np.arange(size), (epochs, 1)))
  assert len({tuple(order) for order in rows}) == epochs


@LOADERS
def test_images_and_labels_stay_paired(kind):
  loader = _loader(kind, 300, 40, seed=1)
  batch = data.batch_at(loader.source(9), jnp.int32(9), 40)
  images = np.asarray(batch.images, np.int32)
  assert batch.images.dtype == jnp.uint8
  np.testing.assert_array_equal(images[:, 0, 0, 0] * 256 + images[:, 0, 1, 0], batch.labels)
  loader.close()


@LOADERS
def test_the_seed_and_the_step_determine_a_batch(kind):
  def rows(seed, steps):
    return _rows(_loader(kind, 10, 4, seed), steps, 4)

  forward = rows(0, range(20))
  np.testing.assert_array_equal(rows(0, reversed(range(20)))[::-1], forward)
  np.testing.assert_array_equal(rows(0, [17]), forward[17:18])
  assert np.any(rows(1, range(20)) != forward)


def test_both_loaders_give_the_same_batches():
  resident, streamed = (
    _rows(_loader(kind, 23, 8, seed=5), range(9), 8) for kind in ("resident", "streamed")
  )
  np.testing.assert_array_equal(resident, streamed)


@LOADERS
def test_one_source_serves_max_steps_steps(kind):
  expected = _rows(_loader(kind, 13, 5), range(40), 5)
  loader = _loader(kind, 13, 5)
  step = 0
  while step < 30:
    source, count = loader.source(step), loader.max_steps(step)
    assert count >= 1
    got = [_batch_at(source, np.int32(s), 5).labels for s in range(step, step + count)]
    np.testing.assert_array_equal(got, expected[step : step + count])
    step += count
  loader.close()


@LOADERS
@pytest.mark.parametrize("num_devices", [1, 2])
def test_batches_are_equal_on_any_number_of_devices(kind, num_devices):
  loader = _loader(kind, 40, 16, seed=3, num_devices=num_devices)
  sharding = _sharding(num_devices)
  batch_at = jax.jit(data.batch_at, static_argnums=2, out_shardings=sharding)
  rows = []
  for step in range(5):
    batch = batch_at(loader.source(step), np.int32(step), 16)
    assert batch.images.sharding == sharding
    rows.append(batch.labels)
  loader.close()
  expected = _rows(_loader("resident", 40, 16, seed=3), range(5), 16)
  np.testing.assert_array_equal(rows, expected)


@LOADERS
def test_a_batch_larger_than_the_split_is_refused(kind):
  with pytest.raises(ValueError, match=r"data\.batch_size is 9.* at most 8"):
    _loader(kind, 8, 9)


@LOADERS
@pytest.mark.parametrize("num_devices", [1, 2])
@pytest.mark.parametrize("size", [32, 19, 3])
def test_evaluation_counts_each_example_once(kind, size, num_devices):
  split, sharding = _split(kind, size, num_devices), _sharding(num_devices)
  seen = []
  for batch in data.eval_batches(split, 16, sharding, workers=0):
    assert {part.shape[0] for part in batch if part is not None} == {16}
    seen.extend(np.asarray(batch.labels)[np.asarray(batch.mask)])
  assert seen == list(range(size))


# --- The streamed loader alone ------------------------------------------------


def test_worker_processes_give_the_same_batches_and_end(data_dir):
  train, _ = data.examples(SPEC, data_dir)
  batches = []
  for workers, first in ((0, 0), (2, 2)):
    loader = data.Streamed(train, 8, jax.random.key(0), _sharding(), workers)
    steps = range(first, 6)
    batches.append([np.array(loader.source(step).images) for step in steps])
    loader.close()
  np.testing.assert_array_equal(batches[0][2:], batches[1])
  assert not multiprocessing.active_children()


def test_a_killed_worker_process_is_a_data_error(data_dir):
  train, _ = data.examples(SPEC, data_dir)
  loader = data.Streamed(train, 8, jax.random.key(0), _sharding(), workers=1)
  loader.source(0)
  (worker,) = multiprocessing.active_children()
  worker.kill()
  with pytest.raises(data.DataError, match="a process that decodes images was killed"):
    # The first of these batches had been read ahead.
    _rows(loader, range(1, 20), 8)
  loader.close()


def test_streamed_images_equal_resident_images(data_dir):
  sharding = _sharding()
  key = jax.device_put(jax.random.key(2), jax.devices()[0])
  batches = []
  for kind in ("resident", "streamed"):
    train, _ = data.read(SPEC, data_dir, kind)
    if kind == "resident":
      train = jax.tree.map(jnp.asarray, train)
    loader = data.train_loader(train, 8, key, sharding, workers=0)
    batches.append([_batch_at(loader.source(s), np.int32(s), 8).images for s in range(4)])
    loader.close()
  np.testing.assert_array_equal(batches[0], batches[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_a_data_error(workers):
  class Damaged(InMemory):
    def __getitem__(self, index):
      if index == 3:
        raise data.DataError("example 3 is not a readable image")
      return super().__getitem__(index)

  images = np.zeros((8, 2, 2, 1), np.uint8)
  examples = Damaged(images, np.zeros(8, np.int32), ())
  loader = data.Streamed(examples, 4, jax.random.key(0), _sharding(), workers)
  with pytest.raises(data.DataError, match="example 3"):
    _rows(loader, range(2), 4)
  loader.close()


def test_the_loader_is_chosen_by_size(data_dir):
  train, _ = data.read(SPEC, data_dir)
  assert isinstance(train, data.Arrays)
  assert data.size(train) == 23
  budget = (23 + 10) * 8 * 8 * 3 / 2**30
  train, _ = data.read(SPEC, data_dir, resident_gib=budget * 0.99)
  assert isinstance(train, data.Examples)
  assert data.size(train) == 23
  assert isinstance(data.read(SPEC, data_dir, resident_gib=budget)[0], data.Arrays)
  with pytest.raises(data.DataError, match="loader is 'fast'"):
    data.read(SPEC, data_dir, "fast")


def test_processes_on_one_machine_share_its_cores(monkeypatch):
  monkeypatch.setattr(common_cores, "cores", lambda: list(range(8)))
  share = common_cores.share_of_cores.__wrapped__
  assert share() == 8
  # Two processes on this machine, one on another machine.
  monkeypatch.setattr(jax, "process_count", lambda: 3)
  monkeypatch.setattr(
    common_cores.multihost_utils,
    "process_allgather",
    lambda place: np.array([place, place, place - 1], np.uint32),
  )
  assert share() == 4
  monkeypatch.setattr(common_cores, "cores", lambda: [5])
  assert share() == 1


_PROCESS = """
import sys, jax, numpy as np
jax.config.update("jax_num_cpu_devices", 2)
port, process = map(int, sys.argv[1:])
jax.distributed.initialize(f"localhost:{port}", 2, process)
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxkd import data
from jaxkd.training import sharding
from jaxkd.data.base import InMemory

mesh = sharding.mesh()
arrays = data.Arrays(
  np.zeros((21, 2, 2, 1), np.uint8), np.arange(21, dtype=np.int32)
)
put = sharding.replicate(mesh)
key = put(jax.random.key(3))
for split in (put(arrays), InMemory(arrays.images, arrays.labels, ())):
  loader = data.train_loader(split, 8, key, sharding.split_batch(mesh), 0)
  batch_at = jax.jit(
    data.batch_at, static_argnums=2, out_shardings=sharding.split_batch(mesh)
  )
  for step in range(4):
    labels = batch_at(loader.source(step), np.int32(step), 8).labels
    for shard in labels.addressable_shards:
      row = shard.index[0].start or 0
      print("row", step, row, *np.asarray(shard.data).tolist())
  loader.close()
  for batch in data.eval_batches(split, 8, sharding.split_batch(mesh), 0):
    labels, mask = batch.labels, batch.mask
    for shard, its in zip(labels.addressable_shards, mask.addressable_shards):
      print("eval", *np.asarray(shard.data)[np.asarray(its.data)].tolist())
"""


def test_each_of_two_processes_has_half_of_every_batch():
  with socket.socket() as free:
    free.bind(("localhost", 0))
    port = free.getsockname()[1]
  root = pathlib.Path(data.__file__).parents[2]
  environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(root)}
  processes = [
    subprocess.Popen(
      [sys.executable, "-c", _PROCESS, str(port), str(process)],
      stdout=subprocess.PIPE,
      text=True,
      env=environment,
    )
    for process in range(2)
  ]
  outputs = [process.communicate(timeout=120)[0] for process in processes]
  assert [process.returncode for process in processes] == [0, 0]

  expected = _rows(_loader("resident", 21, 8, seed=3), range(4), 8)
  got = np.zeros_like(expected)
  seen, evaluated = 0, []
  for line in "".join(outputs).splitlines():
    if line.startswith("row "):
      step, row, *labels = map(int, line.split()[1:])
      got[step, row : row + len(labels)] = labels
      seen += len(labels)
    if line.startswith("eval "):
      evaluated += map(int, line.split()[1:])
  np.testing.assert_array_equal(got, expected)
  assert seen == 2 * 4 * 8
  # Each loader evaluates every example once.
  assert sorted(evaluated) == sorted(2 * list(range(21)))


class _Process:
  """A sharding over processes with one device each, as far as the loader needs it."""

  def __init__(self, process, count):
    self._process, self._count = process, count

  def addressable_devices_indices_map(self, shape):
    length = shape[0] // self._count
    start = self._process * length
    return {None: (slice(start, start + length),)}


@pytest.mark.parametrize("count", [1, 2, 8])
def test_each_process_reads_only_its_share_of_a_batch(count):
  class Recorded(InMemory):
    read: ClassVar[list[int]] = []

    def __getitem__(self, index):
      self.read.append(index)
      return super().__getitem__(index)

  order = Order(21, jax.random.key(3))
  images = np.zeros((21, 2, 2, 1), np.uint8)
  examples = Recorded(images, np.arange(21, dtype=np.int32), ())
  (expected,) = _rows(_loader("resident", 21, 8, seed=3), [11], 8)
  batch, evaluated = [], []
  for process in range(count):
    rows = streamed.local_rows(_Process(process, count), 8)
    batches = streamed.TrainBatches(examples, order, 8, rows)
    examples.read.clear()
    batch += batches[11].labels.tolist()
    assert len(examples.read) == 8 // count
    parts = streamed.EvalBatches(examples, 8, rows)
    for part in map(parts.__getitem__, range(len(parts))):
      evaluated += part.labels[part.mask].tolist()
  np.testing.assert_array_equal(batch, expected)
  assert sorted(evaluated) == list(range(21))
