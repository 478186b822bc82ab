"""Parts of a split: chosen examples, and the validation split."""

import jax
import numpy as np

from jaxkd.data.base import Arrays, DataError, Example, Examples


class _Subset(Examples):
  """Some examples, read and decoded as those of the whole split."""

  def __init__(self, whole: Examples, rows: np.ndarray):
    self._whole, self._rows = whole, rows
    self.shape, self.squashed, self.class_names = whole.shape, whole.squashed, whole.class_names
    self.labels = np.asarray(whole.labels)[rows]

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index: int) -> Example:
    return self._whole[int(self._rows[index])]


def take(split: Arrays | Examples, rows: np.ndarray) -> Arrays | Examples:
  """Returns the examples of a split with the numbers `rows`, `[M]`: arrays of arrays.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.find("digits"))
    >>> take(train, np.array([3, 1])).labels.shape
    (2,)
  """
  if isinstance(split, Arrays):
    return jax.tree.map(lambda field: field[rows], split)
  return _Subset(split, rows)


def holdout(
  split: Arrays | Examples, fraction: float, seed: int = 0
) -> tuple[Arrays | Examples, Arrays | Examples]:
  """Returns the rest of a training split, and a validation split of a share of it, in (0, 1).

  Each class gives the same share of its examples, up to rounding; too few for both parts are a
  DataError. Both parts keep the order of the examples. The choice depends on the labels and the
  seed alone, so arrays and examples give the same parts.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.SPECS["digits"])
    >>> train, validation = holdout(train, 0.2)
    >>> len(train.labels), len(validation.labels)
    (1149, 288)
  """
  # Slow to import, and most runs hold nothing out.
  from sklearn import model_selection

  labels = np.asarray(split.labels)
  options = {"test_size": fraction, "stratify": labels, "random_state": seed}
  try:
    rows = model_selection.train_test_split(np.arange(len(labels)), **options)
  except ValueError as error:
    raise DataError(f"a share of {fraction} can't be held out: {error}") from error
  train, validation = map(np.sort, rows)
  return take(split, train), take(split, validation)
