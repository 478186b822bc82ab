"""The resident loader: a split as uint8 on the devices, no host work per step.

Example number `step * B + i` since the start is entry `(step * B + i) mod N` of the permutation of
its epoch. Batches go across the ends of epochs, so no example is dropped or repeated, whatever B.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd.data import base
from jaxkd.data.base import EvalBatch
from jaxkd.data.order import Order


class TrainSource(NamedTuple):
  """What the jitted steps draw their batches from.

  Attributes:
    arrays: the split.
    order: `[2N]`, int32: the permutations of two epochs in a row.
    step: the step that starts at `offset`, int32.
    offset: position in `order` of that step's first example, int32.
  """

  arrays: base.Arrays
  order: jax.Array
  step: jax.typing.ArrayLike
  offset: jax.typing.ArrayLike


def batch_at(
  source: TrainSource | base.Arrays,
  step: jax.Array,
  batch_size: int,
) -> base.Arrays:
  """Returns a step's batch: arrays of B examples.

  Args:
    source: from a loader's `source`: the split and its order for a resident split, the batch
      itself for a streamed one.
    step: number of the step.
    batch_size: B.
  """
  if isinstance(source, base.Arrays):
    return source
  start = source.offset + (step - source.step) * batch_size
  rows = jax.lax.dynamic_slice(source.order, (start,), (batch_size,))
  return jax.tree.map(lambda field: field[rows], source.arrays)


def eval_batch_at(
  arrays: base.Arrays | EvalBatch,
  index: jax.typing.ArrayLike,
  batch_size: int,
) -> EvalBatch:
  """Returns an evaluation batch; the last of `ceil(N / B)` is padded.

  Args:
    arrays: from `eval_batches`: the split if it is resident, the batch itself if it is streamed.
    index: number of the batch, from `eval_batches` too.
    batch_size: B.
  """
  if isinstance(arrays, EvalBatch):
    return arrays
  size = arrays.labels.shape[0]
  rows = index * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
  mask = rows < size
  rows = jnp.minimum(rows, size - 1)
  batch = jax.tree.map(lambda field: field[rows], arrays)
  return EvalBatch(batch.images, batch.labels, mask, batch.sizes)


class Resident:
  """A training split on the devices, and the order of its examples.

  Args:
    arrays: the split, on the devices.
    batch_size: B, at most the number of examples.
    key: the PRNG key of the permutations, on the devices.

  Raises:
    ValueError: B is larger than the split.
  """

  def __init__(self, arrays: base.Arrays, batch_size: int, key: jax.Array):
    self._size = arrays.labels.shape[0]
    base.check_batch_size(batch_size, self._size)
    self._batch_size = batch_size
    self._arrays = arrays
    self._order = Order(self._size, key)
    # Jitted, since `jax.device_put` moves nothing to other processes' devices.
    self._put = jax.jit(lambda order: order, out_shardings=key.sharding)
    self._epoch = -1

  def max_steps(self, step: int) -> int:
    """Returns how many steps from `step` on one source can serve."""
    _, offset = divmod(step * self._batch_size, self._size)
    return (2 * self._size - offset) // self._batch_size

  def source(self, step: int) -> TrainSource:
    """Returns a source for `max_steps(step)` steps from `step` on."""
    epoch, offset = divmod(step * self._batch_size, self._size)
    if epoch != self._epoch:
      self._epoch = epoch
      both = self._order.epoch(epoch), self._order.epoch(epoch + 1)
      self._rows = self._put(np.concatenate(both))
    return TrainSource(self._arrays, self._rows, np.int32(step), np.int32(offset))

  def close(self) -> None:
    """Does nothing: there are no other processes."""
