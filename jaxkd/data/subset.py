"""Some examples of a split."""

import jax
import numpy as np

from jaxkd.data.base import Arrays, Example, Examples, stack


class _Subset(Examples):
  """Some examples, read and decoded as those of the whole split."""

  def __init__(self, whole: Examples, rows: np.ndarray):
    self._whole, self._rows = whole, rows
    self.shape, self.squashed = whole.shape, whole.squashed

  @property
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""
    return self._whole.class_names

  @property
  def labels(self) -> np.ndarray:
    """Labels of all examples."""
    return self._whole.labels[self._rows]

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index: int) -> Example:
    return self._whole[int(self._rows[index])]

  def load(self) -> Arrays:
    """Returns all examples."""
    return stack(map(self.__getitem__, range(len(self))))


def take(split: Arrays | Examples, rows: np.ndarray) -> Arrays | Examples:
  """Returns some examples of a split: arrays of arrays, or else examples.

  Args:
    split: arrays, or examples to stream.
    rows: which examples, `[M]`, integers.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.find("digits"))
    >>> take(train, np.array([3, 1])).labels.shape
    (2,)
  """
  if isinstance(split, Arrays):
    return jax.tree.map(lambda field: field[rows], split)
  return _Subset(split, rows)
