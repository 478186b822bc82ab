"""The resident loader: a split as uint8 on the devices, no host work per step.

Example number `step * B + i` since the start is entry `(step * B + i) mod N` of
the permutation of its epoch. Batches go across the ends of epochs, so that no
example is dropped or repeated, whatever B.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd.data import sources


class TrainSource(NamedTuple):
  """What the jitted steps draw their batches from.

  Attributes:
    arrays: the split.
    order: `[2N]`, int32: the permutations of two epochs in a row.
    step: the step that starts at `offset`, int32.
    offset: position in `order` of that step's first example, int32.
  """

  arrays: sources.Arrays
  order: jax.Array
  step: jax.typing.ArrayLike
  offset: jax.typing.ArrayLike


def batch_at(
  source: TrainSource, step: jax.Array, batch_size: int
) -> tuple[jax.Array, jax.Array]:
  """Returns a step's images `[B, ...]` and labels `[B]`."""
  start = source.offset + (step - source.step) * batch_size
  rows = jax.lax.dynamic_slice(source.order, (start,), (batch_size,))
  return source.arrays.images[rows], source.arrays.labels[rows]


def eval_batch_at(
  arrays: sources.Arrays, index: jax.Array, batch_size: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns an evaluation batch: images, labels, and a mask `[B]`.

  The mask is false on what pads the last of `ceil(N / B)` batches.
  """
  size = arrays.labels.shape[0]
  rows = index * batch_size + jnp.arange(batch_size, dtype=jnp.int32)
  mask = rows < size
  rows = jnp.minimum(rows, size - 1)
  return arrays.images[rows], arrays.labels[rows], mask


class Resident:
  """A training split on the devices, and the order of its examples.

  Args:
    arrays: the split, on the devices.
    batch_size: B, at most the number of examples.
    key: the PRNG key that the permutations are drawn from, on the devices.

  Raises:
    ValueError: B is larger than the split.
  """

  def __init__(self, arrays: sources.Arrays, batch_size: int, key: jax.Array):
    self._size = arrays.labels.shape[0]
    if batch_size > self._size:
      raise ValueError(
        f"data.batch_size is {batch_size}, must be at most {self._size}, the "
        "size of the training split"
      )
    self._batch_size = batch_size
    self._key = key
    self._arrays = arrays
    self._epoch = 0
    self._order = _two_epochs(key, 0, self._size)

  def max_steps(self, step: int) -> int:
    """Returns how many steps from `step` on one source can serve."""
    _, offset = divmod(step * self._batch_size, self._size)
    return (2 * self._size - offset) // self._batch_size

  def source(self, step: int) -> TrainSource:
    """Returns a source for `max_steps(step)` steps from `step` on."""
    epoch, offset = divmod(step * self._batch_size, self._size)
    if epoch != self._epoch:
      self._epoch = epoch
      self._order = _two_epochs(self._key, epoch, self._size)
    return TrainSource(
      self._arrays,
      self._order,
      np.int32(step),
      np.int32(offset),
    )


@jax.jit(static_argnums=2)
def _two_epochs(
  key: jax.Array, epoch: jax.typing.ArrayLike, size: int
) -> jax.Array:
  return jnp.concatenate(
    [
      jax.random.permutation(jax.random.fold_in(key, e), size)
      for e in (epoch, epoch + 1)
    ]
  ).astype(jnp.int32)
