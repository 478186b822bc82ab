"""Some examples of a split, where all are more than needed."""

import numpy as np

from jaxkd import data


def thin(split: data.Arrays | data.Examples, limit: int) -> data.Arrays | data.Examples:
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
  return data.take(split, np.arange(0, data.size(split), stride))
