"""The resident loader: a split as uint8 on the devices, no host work per step.

Example number `step * B + i` since the start is entry `(step * B + i) mod N` of the permutation of
its epoch. Batches cross the ends of epochs, so no example is dropped or repeated, for any B.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd.common.placement import placed
from jaxkd.data import base
from jaxkd.data.base import EvalBatch


class Order:
  """The row of the example at each position since the start: one permutation for each epoch.

  NumPy draws it on the host, so that processes that decode images for the streamed loader draw the
  same order without JAX.
  """

  def __init__(self, size: int, key: jax.Array):
    self.size = size
    entropy = tuple(np.asarray(jax.random.key_data(key)).tolist())
    self.epoch = functools.partial(_permutation, size, entropy)

  def __getitem__(self, position: int) -> int:
    epoch, offset = divmod(position, self.size)
    return int(self.epoch(epoch)[offset])

  def place(self, position: int, views: int) -> tuple[int, int]:
    """Returns the row of the example at a position, and its view: the epoch modulo `views`."""
    return self[position], position // self.size % views


# Batches, and those read ahead, lie in two epochs at most.
@functools.lru_cache(maxsize=2)
def _permutation(size: int, entropy: tuple[int, ...], epoch: int) -> np.ndarray:
  """Returns an epoch's permutation, `[N]`, int32."""
  random = np.random.default_rng((*entropy, epoch))
  return random.permutation(size).astype(np.int32)


class TrainSource(NamedTuple):
  """The source of the batches of jitted steps: a split and the order of its examples."""

  arrays: base.Arrays
  order: jax.Array  # `[2N]`, int32: the permutations of two epochs in a row
  step: jax.typing.ArrayLike
  offset: jax.typing.ArrayLike  # the position of the step's first example in `order`
  views: jax.typing.ArrayLike | None = None  # `[2]`, int32: the views of the two epochs


def batch_at(source: TrainSource | base.Arrays, step: jax.Array, batch_size: int) -> base.Arrays:
  """Returns a step's B examples from a loader's `source`; a streamed one is already the batch."""
  if isinstance(source, base.Arrays):
    return source
  start = source.offset + (step - source.step) * batch_size
  rows = jax.lax.dynamic_slice(source.order, (start,), (batch_size,))
  batch = jax.tree.map(lambda field: field[rows], source.arrays)
  if source.views is None:
    return batch
  second = start + jnp.arange(batch_size, dtype=jnp.int32) >= source.order.shape[0] // 2
  views = jnp.asarray(source.views)[second.astype(jnp.int32)]
  return batch._replace(places=jnp.stack([rows, views], axis=1))


def eval_batch_at(arrays: base.Arrays, index: jax.typing.ArrayLike, batch_size: int) -> EvalBatch:
  """Returns an evaluation batch; the last of `ceil(N / B)` is padded."""
  last = arrays.labels.shape[0] - 1
  rows = index * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
  batch = jax.tree.map(lambda field: field[jnp.minimum(rows, last)], arrays)
  return EvalBatch(batch.images, batch.labels, rows <= last, batch.sizes)


class Resident:
  """A training split and the order of its examples; arrays and key are on the devices.

  `views` is the number of views of an example; 0: there are none.
  """

  def __init__(self, arrays: base.Arrays, batch_size: int, key: jax.Array, views: int = 0):
    self._size = arrays.labels.shape[0]
    base.check_batch_size(batch_size, self._size)
    self._batch_size, self._arrays, self._order = batch_size, arrays, Order(self._size, key)
    self._put = placed(key.sharding)
    self._epoch, self._count = -1, views

  def max_steps(self, step: int) -> int:
    """Returns how many steps from `step` on one source can serve."""
    return (2 * self._size - step * self._batch_size % self._size) // self._batch_size

  def source(self, step: int) -> TrainSource:
    """Returns a source for `max_steps(step)` steps from `step` on."""
    epoch, offset = divmod(step * self._batch_size, self._size)
    if epoch != self._epoch:
      both = self._order.epoch(epoch), self._order.epoch(epoch + 1)
      self._epoch, self._rows = epoch, self._put(np.concatenate(both))
    views = None
    if self._count:
      views = np.array([epoch % self._count, (epoch + 1) % self._count], np.int32)
    return TrainSource(self._arrays, self._rows, np.int32(step), np.int32(offset), views)

  def close(self) -> None:
    """Does nothing: there are no other processes."""
