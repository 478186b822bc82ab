"""The streamed loader: batches are read and decoded while the devices work.

It is for splits that don't fit on the devices. The order is the resident loader's, so the choice of
a loader changes no result. Each process reads its devices' share of every batch.
"""

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

import jax
import numpy as np
from absl import flags
from jax.sharding import Sharding

from jaxkd.common.cores import share_of_cores
from jaxkd.common.signals import SIGNALS
from jaxkd.data.base import (
  Arrays,
  DataError,
  EvalBatch,
  Examples,
  InMemory,
  check_batch_size,
  stack,
)
from jaxkd.data.resident import Order

_ON_DEVICES = 2
_MAX_WORKERS = 16
_MANY = 64  # batches; for fewer, processes are not worth the seconds that they take to start


class Batches(Protocol):
  """This process's part of every batch, by number, as a tree of arrays."""

  batch_size: int  # of the whole batch

  def __len__(self) -> int:
    """Returns the number of batches."""

  def __getitem__(self, number: int) -> Any:
    """Returns this process's part of a batch."""


class TrainBatches:
  """This process's rows, a part of `range(batch_size)`, of every training batch, by step."""

  def __init__(
    self, examples: Examples, order: Order, batch_size: int, rows: list[int], views: int = 0
  ):
    self.examples, self._order, self.batch_size, self._rows = examples, order, batch_size, rows
    self._views = views

  def __len__(self) -> int:
    return 2**31

  def __getitem__(self, step: int) -> Arrays:
    positions = [step * self.batch_size + row for row in self._rows]
    batch = stack(self.examples[self._order[position]] for position in positions)
    if not self._views:
      return batch
    places = [self._order.place(position, self._views) for position in positions]
    return batch._replace(places=np.array(places, np.int32))


class EvalBatches:
  """This process's rows of every evaluation batch; the last is padded."""

  def __init__(self, examples: Examples, batch_size: int, rows: list[int]):
    self.examples, self.batch_size, self._rows = examples, batch_size, np.array(rows)

  def __len__(self) -> int:
    return -(-len(self.examples) // self.batch_size)

  def __getitem__(self, index: int) -> EvalBatch:
    rows, last = index * self.batch_size + self._rows, len(self.examples) - 1
    batch = stack(self.examples[row] for row in np.minimum(rows, last).tolist())
    return EvalBatch(batch.images, batch.labels, rows <= last, batch.sizes)


class Prefetched:
  """Batches that are read ahead; `workers` is as in `Streamed`."""

  def __init__(self, batches: Batches, sharding: Sharding, workers: int | None):
    self._start = functools.partial(_prefetched, batches, sharding, workers)
    self._iterator: Any = None
    self._next = -1

  def max_steps(self, step: int) -> int:
    """Returns 1: a source is the batch of one step."""
    return 1

  def source(self, step: int) -> Any:
    """Returns the batch of a step; reading restarts unless the last call was for step - 1."""
    if step != self._next:
      self.close()
      self._iterator = self._start(step)
    self._next = step + 1
    return next(self._iterator)

  def close(self) -> None:
    """Ends the processes that decode."""
    if self._iterator is not None:
      self._iterator.close()
    self._iterator, self._next = None, -1


class Streamed(Prefetched):
  """Training batches of a split that stays on disk.

  Args:
    examples: the split; one that can't be read is a DataError, from `source`.
    batch_size: B, over all devices; a ValueError if it is larger than the split.
    key: the PRNG key of the order.
    sharding: of the batches.
    workers: number of processes that decode, where there is much to decode; 0 decodes in threads.
      None takes 0 for arrays in memory, otherwise this process's share of the cores, up to 16.
    views: number of views of an example; 0: there are none.
  """

  def __init__(
    self,
    examples: Examples,
    batch_size: int,
    key: jax.Array,
    sharding: Sharding,
    workers: int | None = None,
    views: int = 0,
  ):
    check_batch_size(batch_size, len(examples))
    rows = local_rows(sharding, batch_size)
    batches = TrainBatches(examples, Order(len(examples), key), batch_size, rows, views)
    super().__init__(batches, sharding, workers)


def evaluation(examples: Examples, batch_size: int, sharding: Sharding, workers: int | None) -> Any:
  """Returns an iterator over the `ceil(N / B)` batches of an evaluation, which must be closed."""
  batches = EvalBatches(examples, batch_size, local_rows(sharding, batch_size))
  return _prefetched(batches, sharding, workers, 0)


def local_rows(sharding: Sharding, batch_size: int) -> list[int]:
  """Returns the rows of a batch that are on this process's devices."""
  indices = sharding.addressable_devices_indices_map((batch_size,)).values()
  return sorted({row for index in indices if index for row in range(batch_size)[index[0]]})


def _prefetched(batches: Batches, sharding: Sharding, workers: int | None, start: int) -> Any:
  """Returns Grain's iterator over the batches from `start` on, the next ones on the devices."""
  # Slow to import.
  import grain

  def put(field):
    # A copy gives the worker's memory back at once; JAX on CPUs would hold it with the batch.
    shape = (batches.batch_size, *field.shape[1:])
    return jax.make_array_from_process_local_data(sharding, np.array(field), shape)

  cores = share_of_cores()
  if len(batches) < _MANY:
    workers = 0
  elif workers is None:
    in_memory = isinstance(getattr(batches, "examples", None), InMemory)
    workers = 0 if in_memory else min(cores, _MAX_WORKERS)
  threads = 1 if workers else cores
  read = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
  dataset = grain.MapDataset.source(batches)[start:].to_iter_dataset(read)
  if workers:
    # Grain reads absl's flags, which only absl's own programs parse.
    if not flags.FLAGS.is_parsed():
      flags.FLAGS.mark_as_parsed()
    processes = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=1)
    dataset = dataset.mp_prefetch(processes, worker_init_fn=_end_with_parent)
  dataset = dataset.map(functools.partial(jax.tree.map, put))
  ahead = grain.experimental.ThreadPrefetchIterDataset
  return _told(iter(ahead(dataset, prefetch_buffer_size=_ON_DEVICES)))


def _told(batches: Any) -> Iterator[Any]:
  """Yields Grain's batches; a killed worker is one line."""
  try:
    yield from batches
  except RuntimeError as error:
    if "terminated unexpectedly" not in str(error):
      raise
    text = "a process that decodes images was killed, which a lack of memory can cause"
    raise DataError(f"{text}; run the same command to resume") from error
  finally:
    batches.close()


def _end_with_parent(*_: int) -> None:
  """Ends this worker when its parent is gone, not at a signal, since the parent waits for it."""
  for number in SIGNALS:
    signal.signal(number, signal.SIG_IGN)

  def watch(parent):
    parent.join()
    os._exit(1)

  if parent := multiprocessing.parent_process():
    threading.Thread(target=watch, args=(parent,), daemon=True).start()
