"""The teachers' variables at each step: networks, predictions on the devices or streamed."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from jaxkd import data
from jaxkd.data.resident import Order
from jaxkd.data.streamed import local_rows
from jaxkd.training import sharding
from jaxkd.training.jobs import Job, Teacher
from jaxkd.training.predictions import CLEAN, Packed, Predictions, part_of


class _Batches:
  """This process's rows of every training batch of streamed predictions, by step."""

  def __init__(self, stored: Predictions, order: Order, job: Job, rows: Sequence[int]):
    self._stored, self._order, self._rows = stored, order, rows
    self.batch_size, self._steps = job.batch_size, job.total_steps

  def __len__(self) -> int:
    # Views that come later may not have been predicted.
    return self._steps

  def __getitem__(self, step: int) -> Packed:
    positions = [step * self.batch_size + row for row in self._rows]
    places = np.array([self._order.place(p, self._stored.views) for p in positions])
    batch: Packed = {}
    for view in np.unique(places[:, 1]):
      chosen = places[:, 1] == view
      for name, array in self._stored.arrays(part_of(int(view))).items():
        empty = np.empty((len(positions), *array.shape[1:]), array.dtype)
        batch.setdefault(name, empty)[chosen] = array[places[chosen, 0]]
    return batch


class Feed:
  """Gives the variables of a job's teachers, the argument `teachers` of `Trainer.train_steps`.

  `shapes` are those of a step; arrays where they are the same in all steps.
  """

  def __init__(self, job: Job, order_key: jax.Array):
    self._put, self._batch_size = sharding.replicate(job.mesh), job.batch_size
    split = sharding.split_batch(job.mesh)
    self._streams: dict[int, data.Prefetched] = {}
    given: list[Any] = []
    for number, teacher in enumerate(job.teachers):
      if isinstance(teacher, Teacher):
        given.append(teacher.variables)
      elif teacher.network.streamed:
        order = Order(data.size(job.dataset.train), order_key)
        rows = local_rows(split, job.batch_size)
        batches = _Batches(teacher.stored, order, job, rows)
        self._streams[number] = data.Prefetched(batches, split, workers=0)
        stored = teacher.stored.storage.arrays.items()
        given.append(
          {n: jax.ShapeDtypeStruct((job.batch_size, *shape), d) for n, (shape, d) in stored}
        )
      else:
        given.append(self._put(_stacked(teacher.stored, job.needed_views)))
    self._teachers, self.shapes = job.teachers, tuple(given)

  def max_steps(self, step: int) -> int:
    """Returns how many steps from `step` on one call of `at` can serve."""
    return min((each.max_steps(step) for each in self._streams.values()), default=2**31)

  def at(self, step: int) -> tuple[Any, ...]:
    """Returns the teachers' variables from a step on."""
    if not self._streams:
      return self.shapes
    own = enumerate(self.shapes)
    return tuple(self._streams[n].source(step) if n in self._streams else x for n, x in own)

  def clean(self, batch: int) -> tuple[Any, ...]:
    """Returns the teachers' variables for a batch of the training split without augmentation."""
    pairs = zip(self._teachers, self.shapes, strict=True)
    return tuple(
      own if isinstance(each, Teacher) else self._clean(each.stored, batch) for each, own in pairs
    )

  def _clean(self, stored: Predictions, batch: int) -> Any:
    rows = batch * self._batch_size + np.arange(self._batch_size)
    rows = np.minimum(rows, stored.examples - 1)
    return self._put({n: array[rows] for n, array in stored.arrays(CLEAN).items()})

  def close(self) -> None:
    """Ends the reading ahead."""
    for stream in self._streams.values():
      stream.close()


def _stacked(stored: Predictions, views: int) -> Packed:
  """Returns the arrays of the first views, `[views, N, ...]`."""
  found = {
    name: np.empty((views, stored.examples, *shape), dtype)
    for name, (shape, dtype) in stored.storage.arrays.items()
  }
  for view in range(views):
    for name, array in stored.arrays(part_of(view)).items():
      found[name][view] = array
  return found
