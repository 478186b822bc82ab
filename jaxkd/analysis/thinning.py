"""Some examples of a split, where all are more than needed."""

import jax
import numpy as np

from jaxkd import data


def thin(
  split: data.Arrays | data.Examples, limit: int
) -> data.Arrays | data.Examples:
  """Returns every n-th example, so that there are at most `limit`.

  Not the first ones: a split may be sorted by class.

  Args:
    split: arrays, or examples to stream.
    limit: at least 1.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.find("digits"))
    >>> thin(train, 100).labels.shape
    (96,)
  """
  stride = -(-data.size(split) // limit)
  if stride == 1:
    return split
  if isinstance(split, data.Arrays):
    return jax.tree.map(lambda values: values[::stride], split)
  return _Thinned(split, stride)


class _Thinned(data.Examples):
  """Every n-th example."""

  def __init__(self, whole: data.Examples, stride: int):
    self._whole, self._stride = whole, stride
    self.shape = whole.shape

  @property
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""
    return self._whole.class_names

  def __len__(self) -> int:
    return -(-len(self._whole) // self._stride)

  def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
    return self._whole[index * self._stride]

  def load(self) -> data.Arrays:
    """Returns all examples that are left."""
    images, labels = zip(*map(self.__getitem__, range(len(self))), strict=True)
    return data.Arrays(np.stack(images), np.stack(labels))
