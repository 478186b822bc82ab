"""The order of training examples: one permutation for each epoch.

NumPy draws it on the host, so that processes that decode images for the streamed loader draw the
same order as the resident loader, without JAX.
"""

import functools

import jax
import numpy as np


class Order:
  """The example at each position since the start.

  Args:
    size: N, the number of examples.
    key: the PRNG key of the permutations.
  """

  def __init__(self, size: int, key: jax.Array):
    self.size = size
    self._entropy = tuple(np.asarray(jax.random.key_data(key)).tolist())

  def epoch(self, epoch: int) -> np.ndarray:
    """Returns an epoch's permutation, `[N]`, int32."""
    return _permutation(self.size, self._entropy, epoch)

  def __getitem__(self, position: int) -> int:
    """Returns the row of the example at a position."""
    epoch, offset = divmod(position, self.size)
    return int(self.epoch(epoch)[offset])


# Batches, and those read ahead, lie in two epochs at most.
@functools.lru_cache(maxsize=2)
def _permutation(size: int, entropy: tuple[int, ...], epoch: int) -> np.ndarray:
  random = np.random.default_rng((*entropy, epoch))
  return random.permutation(size).astype(np.int32)
