"""What the other modules of this package share."""

import abc
import math
from typing import NamedTuple

import jax
import numpy as np

DECODING = 1
"""In the name of all that is cached; raised when other pixels are decoded."""


class DataError(Exception):
  """Data is missing or is not what it should be; the message is one line."""


class MissingError(DataError):
  """Data is not there."""


class Arrays(NamedTuple):
  """A split, or a batch, in the memory of the host or of the devices.

  Attributes:
    images: `[N, S, S, channels]`, uint8, with S `spec.stored_size`.
    labels: `[N]`, int32.
  """

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array


class EvalBatch(NamedTuple):
  """An evaluation batch.

  Attributes:
    images: `[B, S, S, channels]`, uint8.
    labels: `[B]`, int32.
    mask: `[B]`, false on what pads the last batch.
  """

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array
  mask: np.ndarray | jax.Array


class Examples(abc.ABC):
  """A split that is read and decoded example by example, in any order.

  Attributes:
    shape: of an image, `(S, S, channels)`.
  """

  shape: tuple[int, int, int]

  @property
  @abc.abstractmethod
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""

  @property
  @abc.abstractmethod
  def labels(self) -> np.ndarray:
    """Labels of all examples, `[N]`, int32; no image is decoded for them."""

  @abc.abstractmethod
  def __len__(self) -> int:
    """Returns the number of examples."""

  @abc.abstractmethod
  def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
    """Returns image `shape`, uint8, and label."""

  @abc.abstractmethod
  def load(self) -> Arrays:
    """Returns all examples."""

  @property
  def nbytes(self) -> int:
    """Size of all images."""
    return len(self) * math.prod(self.shape)


def check_batch_size(batch_size: int, size: int) -> None:
  """Refuses a batch that is larger than the split.

  Raises:
    ValueError: it is.
  """
  if batch_size > size:
    raise ValueError(
      f"data.batch_size is {batch_size}, must be at most {size}, the size of "
      "the training split"
    )
