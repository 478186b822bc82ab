"""Some examples of a split."""

import numpy as np

from jaxkd.data.base import Arrays, Examples


class _Subset(Examples):
  """Some examples, read and decoded as those of the whole split."""

  def __init__(self, whole: Examples, rows: np.ndarray):
    self._whole, self._rows = whole, rows
    self.shape = whole.shape

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

  def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
    return self._whole[int(self._rows[index])]

  def load(self) -> Arrays:
    """Returns all examples."""
    images, labels = zip(*map(self.__getitem__, range(len(self))), strict=True)
    return Arrays(np.stack(images), np.stack(labels))


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
    return Arrays(split.images[rows], split.labels[rows])
  return _Subset(split, rows)
