"""Splits and batches: the types that the data modules share."""

import abc
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import jax
import numpy as np

from jaxkd.common.console import progress, tell
from jaxkd.common.cores import cores
from jaxkd.common.errors import UserError

_CHUNK = 16
_T = TypeVar("_T")


class DataError(UserError):
  """Data is missing or wrong."""


class MissingError(DataError):
  """The data set is missing."""


class Arrays(NamedTuple):
  """A split, or a batch, in the memory of the host or of the devices."""

  # `[N, S, S, channels]`, uint8, with S `spec.stored_size`; a resident split has rows, `[N, D]`.
  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array  # `[N]`, int32
  # `[N, 2]`, int32, where whole photographs are squashed into squares: the height and width of each
  # photograph once its shorter side is S.
  sizes: np.ndarray | jax.Array | None = None
  # `[N, 2]`, int32, in a training batch with views: each example's row and its view; see `views`.
  places: np.ndarray | jax.Array | None = None


def as_rows(arrays: Arrays) -> Arrays:
  """Returns a split whose images are rows, for the devices.

  TPUs give `[N, S, S, 3]` another layout, so every dispatch would copy the whole split.
  """
  return arrays._replace(images=arrays.images.reshape(len(arrays.images), -1))


class Example(NamedTuple):
  """One example; the fields are those of `Arrays` without the first axis."""

  image: np.ndarray
  label: np.int32
  size: np.ndarray | None = None


class EvalBatch(NamedTuple):
  """An evaluation batch: `Arrays`, and a mask `[B]` that is false on the last batch's padding."""

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array
  mask: np.ndarray | jax.Array
  sizes: np.ndarray | jax.Array | None = None


class Examples(abc.ABC):
  """A split that is read and decoded example by example, in any order."""

  shape: tuple[int, int, int]  # of an image, `(S, S, channels)`
  squashed: bool = False  # whether images are squashed photographs, which have sizes
  class_names: tuple[str, ...] = ()
  labels: Any  # of all examples, `[N]`, int32; no image is decoded for them
  content: Any  # a hash of all images and labels

  @abc.abstractmethod
  def __len__(self) -> int:
    """Returns the number of examples."""

  @abc.abstractmethod
  def __getitem__(self, index: int) -> Example:
    """Returns an example with its decoded image."""

  def load(self) -> Arrays:
    """Returns all examples."""
    return stack(map(self.__getitem__, range(len(self))))


class InMemory(Examples):
  """A split in the memory of the host."""

  def __init__(self, images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]):
    self._images, self.labels, self.class_names = images, labels, class_names
    self.shape = images.shape[1:]

  def __len__(self) -> int:
    return len(self.labels)

  def __getitem__(self, index: int) -> Example:
    return Example(self._images[index], self.labels[index])

  def load(self) -> Arrays:
    """Returns the arrays."""
    return Arrays(self._images, self.labels)


def stack(examples: Iterable[Example]) -> Arrays:
  """Returns one or more examples as arrays."""
  images, labels, sizes = zip(*examples, strict=True)
  sizes = None if sizes[0] is None else np.stack(sizes)
  return Arrays(np.stack(images), np.array(labels, np.int32), sizes)


def in_order(read: Callable[[int], _T], size: int, title: str, delay: float = 0) -> Iterator[_T]:
  """Yields `read(0)` to `read(size - 1)`, read ahead in threads; shows progress after `delay` s."""
  # Slow to import.
  import grain

  def chunk(start):
    return [read(row) for row in range(start, min(start + _CHUNK, size))]

  threads = len(cores())
  options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
  chunks = grain.MapDataset.range(0, size, _CHUNK).map(chunk).to_iter_dataset(options)
  with progress(title, size, delay) as bar:
    for values in chunks:
      yield from values
      bar.update(len(values))


Split = Arrays | Examples


def size(split: Split) -> int:
  """Returns the number of examples."""
  return len(split.labels if isinstance(split, Arrays) else split)


def check_batch_size(batch_size: int, size: int) -> None:
  """Raises a ValueError if a batch is larger than the split."""
  if batch_size > size:
    wanted = f"at most {size}, the size of the training split"
    raise ValueError(f"data.batch_size is {batch_size}, must be {wanted}")


def readable(path: object) -> str:
  r"""Returns a path as text: bytes that are not UTF-8 become escapes.

  Examples:
    >>> print(readable("caf\udce9/1.png"))
    caf\xe9/1.png
  """
  return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@functools.cache
def tell_once(line: str) -> None:
  """Prints a line to stderr, once in a process."""
  tell(f"jaxkd: {line}")
