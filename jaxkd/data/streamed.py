"""The streamed loader: batches are read and decoded while the devices work.

For what does not fit on the devices. The order is the resident loader's, so
that the choice of a loader changes no result. Each process reads its devices'
share of every batch.
"""

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from absl import flags

from jaxkd.common.cores import share_of_cores
from jaxkd.data import base
from jaxkd.data.base import EvalBatch
from jaxkd.data.order import Order

_MAX_STEPS = 2**31
_ON_DEVICES = 2
_MANY = 64
"""From that many batches on, processes are worth the seconds they start in."""
_MAX_WORKERS = 16


class TrainBatches:
  """This process's rows of every training batch, by step.

  Args:
    examples: the split.
    order: of its examples.
    batch_size: B.
    rows: those of this process, of `range(B)`.
  """

  def __init__(
    self,
    examples: base.Examples,
    order: Order,
    batch_size: int,
    rows: list[int],
  ):
    self._examples = examples
    self._order = order
    self._batch_size = batch_size
    self._rows = rows

  def __len__(self) -> int:
    return _MAX_STEPS

  def __getitem__(self, step: int) -> base.Arrays:
    start = step * self._batch_size
    return _batch(self._examples, [self._order[start + r] for r in self._rows])


class EvalBatches:
  """This process's rows of every evaluation batch; the last is padded."""

  def __init__(self, examples: base.Examples, batch_size: int, rows: list[int]):
    self._examples = examples
    self._batch_size = batch_size
    self._rows = np.array(rows)

  def __len__(self) -> int:
    return -(-len(self._examples) // self._batch_size)

  def __getitem__(self, index: int) -> EvalBatch:
    rows = index * self._batch_size + self._rows
    last = len(self._examples) - 1
    batch = _batch(self._examples, np.minimum(rows, last).tolist())
    return EvalBatch(batch.images, batch.labels, rows <= last, batch.sizes)


class Streamed:
  """Training batches of a split that stays on disk.

  Args:
    examples: the split.
    batch_size: B, over all devices, at most the number of examples.
    key: the PRNG key that the order is drawn from.
    sharding: of the batches.
    workers: number of processes that decode, where there is much to decode; 0
      decodes in threads; None takes this process's share of the cores, 16 at
      most.

  Raises:
    ValueError: B is larger than the split.
  """

  def __init__(
    self,
    examples: base.Examples,
    batch_size: int,
    key: jax.Array,
    sharding: jax.sharding.Sharding,
    workers: int | None = None,
  ):
    base.check_batch_size(batch_size, len(examples))
    self._batches = TrainBatches(
      examples,
      Order(len(examples), key),
      batch_size,
      local_rows(sharding, batch_size),
    )
    self._batch_size = batch_size
    self._sharding = sharding
    self._workers = workers
    self._iterator: Any = None
    self._next = -1

  def max_steps(self, step: int) -> int:
    """Returns 1: a source is the batch of one step."""
    return 1

  def source(self, step: int) -> base.Arrays:
    """Returns the batch of a step; that of the step before was asked last.

    Another step starts the decoding anew, from there.

    Raises:
      DataError: an example can't be read.
    """
    if step != self._next or self._iterator is None:
      self.close()
      self._iterator = _prefetched(
        self._batches, step, self._batch_size, self._sharding, self._workers
      )
    self._next = step + 1
    return next(self._iterator)

  def close(self) -> None:
    """Ends the processes that decode."""
    if self._iterator is not None:
      self._iterator.close()
      self._iterator = None


def eval_batches(
  examples: base.Examples,
  batch_size: int,
  sharding: jax.sharding.Sharding,
  workers: int | None = None,
) -> Iterator[EvalBatch]:
  """Yields the `ceil(N / B)` batches of an evaluation.

  Args:
    examples: the split.
    batch_size: B, over all devices.
    sharding: of the batches.
    workers: as for `Streamed`.

  Raises:
    DataError: an example can't be read.
  """
  batches = EvalBatches(examples, batch_size, local_rows(sharding, batch_size))
  iterator = _prefetched(batches, 0, batch_size, sharding, workers)
  try:
    yield from iterator
  finally:
    iterator.close()


def _batch(examples: base.Examples, rows: list[int]) -> base.Arrays:
  return base.stack(examples[row] for row in rows)


def local_rows(sharding: jax.sharding.Sharding, batch_size: int) -> list[int]:
  """Returns the rows of a batch that are on this process's devices."""
  indices = sharding.addressable_devices_indices_map((batch_size,)).values()
  rows = {
    row for index in indices if index is not None for row in range(*index[0].indices(batch_size))
  }
  return sorted(rows)


def _prefetched(
  batches: TrainBatches | EvalBatches,
  start: int,
  batch_size: int,
  sharding: jax.sharding.Sharding,
  workers: int | None,
) -> Any:
  """Returns Grain's iterator over the batches on the devices, from `start` on.

  It decodes ahead, and puts the next batches on the devices.
  """
  # Slow to import, and only what is streamed needs it.
  import grain

  def put(field):
    # A copy: the worker's memory is given back at once, where JAX on CPUs would
    # hold it for as long as the batch lives.
    return jax.make_array_from_process_local_data(
      sharding, np.array(field), (batch_size, *field.shape[1:])
    )

  cores = share_of_cores()
  if len(batches) < _MANY:
    workers = 0
  elif workers is None:
    workers = min(cores, _MAX_WORKERS)
  threads = 1 if workers else cores
  read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
  dataset = grain.MapDataset.source(batches)[start:].to_iter_dataset(read)
  if workers:
    # Grain reads absl's flags, which only absl's own programs parse.
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    dataset = dataset.mp_prefetch(
      grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=1),
      worker_init_fn=_end_with_parent,
    )
  return iter(
    grain.experimental.ThreadPrefetchIterDataset(
      dataset.map(functools.partial(jax.tree.map, put)),
      prefetch_buffer_size=_ON_DEVICES,
    )
  )


def _end_with_parent(*_: int) -> None:
  """Ends this worker as soon as, and not before, its parent is gone.

  It would wait for ever for word from a parent that was killed; and a parent
  that stops in order, when all processes are asked to, waits for its workers.
  """
  for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
  parent = multiprocessing.parent_process()
  if parent is None:
    return

  def watch():
    parent.join()
    os._exit(1)

  threading.Thread(target=watch, daemon=True).start()
