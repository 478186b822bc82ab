"""A validation split, for whatever is tuned."""

import numpy as np

from jaxkd.data.base import Arrays, DataError, Examples
from jaxkd.data.subset import take


def holdout(
  split: Arrays | Examples, fraction: float, seed: int = 0
) -> tuple[Arrays | Examples, Arrays | Examples]:
  """Carves a validation split out of a training split.

  Each class gives the same share of its examples, up to rounding. Both splits
  keep the order of the examples. Which are held out depends on the labels and
  the seed alone, not on whether the split is arrays or examples.

  Args:
    split: the training split, arrays of the host or examples.
    fraction: the share that is validated on, in (0, 1).
    seed: of the choice.

  Returns:
    What is left to train on, and the validation split.

  Raises:
    DataError: a class has too few examples, or the fraction is too small or too
      large for one of each class on both sides.

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
  try:
    rows = model_selection.train_test_split(
      np.arange(len(labels)),
      test_size=fraction,
      stratify=labels,
      random_state=seed,
    )
  except ValueError as error:
    raise DataError(f"a share of {fraction} can't be held out: {error}") from error
  train, validation = map(np.sort, rows)
  return take(split, train), take(split, validation)
