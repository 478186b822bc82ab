"""What the other modules of this package share."""

import abc
import math
from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np

from jaxkd.common.errors import UserError


class DataError(UserError):
  """Data is missing or is not what it should be; the message is one line."""


class MissingError(DataError):
  """Data is not there."""


class Arrays(NamedTuple):
  """A split, or a batch, in the memory of the host or of the devices.

  Attributes:
    images: `[N, S, S, channels]`, uint8, with S `spec.stored_size`.
    labels: `[N]`, int32.
    sizes: `[N, 2]`, int32, where images are whole photographs squashed into
      squares: the height and width that they have once the shorter side is S.
  """

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array
  sizes: np.ndarray | jax.Array | None = None


class Example(NamedTuple):
  """An example; its fields are those of `Arrays` without the first axis."""

  image: np.ndarray
  label: np.int32
  size: np.ndarray | None = None


class EvalBatch(NamedTuple):
  """An evaluation batch.

  Attributes:
    images: `[B, S, S, channels]`, uint8.
    labels: `[B]`, int32.
    mask: `[B]`, false on what pads the last batch.
    sizes: `[B, 2]`, int32, or None; see `Arrays`.
  """

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array
  mask: np.ndarray | jax.Array
  sizes: np.ndarray | jax.Array | None = None


class Examples(abc.ABC):
  """A split that is read and decoded example by example, in any order.

  Attributes:
    shape: of an image, `(S, S, channels)`.
    squashed: whether images are squashed photographs, which have sizes.
  """

  shape: tuple[int, int, int]
  squashed: bool = False

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
  def __getitem__(self, index: int) -> Example:
    """Returns an example, its image decoded."""

  @abc.abstractmethod
  def load(self) -> Arrays:
    """Returns all examples."""

  @property
  def nbytes(self) -> int:
    """Size of all images."""
    return len(self) * math.prod(self.shape)


def stack(examples: Iterable[Example]) -> Arrays:
  """Returns one or more examples as arrays."""
  images, labels, sizes = zip(*examples, strict=True)
  return Arrays(
    np.stack(images),
    np.array(labels, np.int32),
    None if sizes[0] is None else np.stack(sizes),
  )


def check_batch_size(batch_size: int, size: int) -> None:
  """Refuses a batch that is larger than the split.

  Raises:
    ValueError: it is.
  """
  if batch_size > size:
    raise ValueError(
      f"data.batch_size is {batch_size}, must be at most {size}, the size of the training split"
    )
