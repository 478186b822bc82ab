"""One interface for a user's arrays, sources and iterables of batches."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxkd.common.errors import ConfigError

Batch = tuple[np.ndarray, np.ndarray]


class UserData:
  """Pairs of inputs and labels.

  Args:
    given: arrays (inputs, labels); a source with `len` and `[i]`; or an iterable of batches.
    fields: names of inputs and labels in dicts.
    what: name of the argument, for messages.
    whole: whether `total` needs all of it, so that an iterable is refused.

  Attributes:
    size: number of examples; None if it is not known.
  """

  def __init__(self, given: Any, fields: tuple[str, str], what: str, whole: bool = False):
    self._given, self._fields, self._what = given, fields, what
    self.size: int | None = None
    pair = isinstance(given, tuple | list) and len(given) == 2
    self._arrays = pair and hasattr(given[0], "shape")
    if self._arrays:
      self._given = tuple(map(np.asarray, given))
      self.size, labels = map(len, self._given)
      if self.size != labels or not labels:
        raise ConfigError(f"{what} has {self.size} inputs and {labels} labels")
    elif hasattr(given, "__getitem__") and hasattr(given, "__len__"):
      self.size = len(given)
    elif not hasattr(given, "__iter__"):
      raise ConfigError(
        f"{what} is {type(given).__name__}, must be (inputs, labels), a source with len and [i], "
        "or an iterable of batches"
      )
    if whole:
      self._require_size()

  def batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
    """Yields batches: of one permutation after another, or of an iterable, which is repeated."""
    if self.size is None:
      ended = False
      while not ended:
        ended = True
        for batch in self._given:
          ended = False
          yield self._checked(self._pair(batch), batch_size)
    elif batch_size > self.size:
      raise ConfigError(f"batch_size is {batch_size}, {self._what} has {self.size} examples")
    else:
      left = np.empty(0, np.int64)
      for epoch in itertools.count():
        order = np.random.default_rng((seed, epoch)).permutation(self.size)
        left = np.concatenate([left, order])
        while len(left) >= batch_size:
          yield self._checked(self._take(left[:batch_size]), batch_size)
          left = left[batch_size:]

  def total(self, function: Callable[..., Any], batch_size: int) -> Any:
    """Returns the sum over all batches of a function of inputs, labels and mask of padding."""
    total: Any = None
    for start in range(0, self._require_size(), batch_size):
      places = np.arange(start, start + batch_size)
      batch = self._checked(self._take(np.minimum(places, (self.size or 1) - 1)), batch_size)
      part = function(*batch, places < (self.size or 1))
      total = part if total is None else jax.tree.map(jax.numpy.add, total, part)
    return total

  def _require_size(self) -> int:
    if self.size is None:
      raise ConfigError(f"{self._what} must be arrays or a source with len and [i]: all is read")
    return self.size

  def _take(self, places: np.ndarray) -> Batch:
    if self._arrays:
      inputs, labels = self._given
      return inputs[places], labels[places]
    pairs = [self._pair(self._given[int(place)]) for place in places]
    return np.stack([inputs for inputs, _ in pairs]), np.stack([labels for _, labels in pairs])

  def _pair(self, example: Any) -> Batch:
    keys: Any = self._fields if isinstance(example, Mapping) else (0, 1)
    try:
      return np.asarray(example[keys[0]]), np.asarray(example[keys[1]])
    except (KeyError, IndexError, TypeError) as error:
      raise ConfigError(
        f"{self._what} gives {type(example).__name__}, must give (inputs, labels) or dicts with "
        f"{' and '.join(map(repr, self._fields))}"
      ) from error

  def _checked(self, batch: Batch, batch_size: int) -> Batch:
    inputs, labels = batch
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
      raise ConfigError(
        f"{self._what} has labels of {labels.dtype} {labels.shape}, must be integers [B]"
      )
    if len(inputs) != len(labels) or len(labels) != batch_size:
      raise ConfigError(
        f"{self._what} has a batch of {len(inputs)} inputs and {len(labels)} labels, must have "
        f"batch_size = {batch_size}"
      )
    return inputs, labels.astype(np.int32)
