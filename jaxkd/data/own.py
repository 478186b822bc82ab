"""Data sets of the user's own: arrays or sources that code outside of jaxkd gives."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tqdm  # type: ignore[import-untyped]

from jaxkd.common.console import tell
from jaxkd.common.cores import cores
from jaxkd.data.base import DataError, Example, Examples, InMemory
from jaxkd.data.specs import IMAGENET_MEAN, IMAGENET_STD, Spec

_ROWS = 1024


@dataclasses.dataclass(frozen=True, eq=False)
class Own:
  """A data set of the user's own; `jaxkd.data.register` describes the fields.

  Nothing is loaded before it is needed, and then once.
  """

  name: str
  load: Callable[[], Any] | Sequence[Any]
  class_names: Sequence[str] | None = None
  mean: Sequence[float] | float | None = None
  std: Sequence[float] | float | None = None
  padding: int = 0
  flip: bool = False

  @functools.cached_property
  def spec(self) -> Spec:
    """The facts about the data set.

    Raises:
      DataError: images, labels or options are wrong.
    """
    train, test = self.splits
    if train.shape != test.shape:
      raise self._wrong(f"train images are {train.shape}, test images {test.shape}")
    height, width, channels = train.shape
    if height != width:
      raise self._wrong(f"images are {height}x{width}, must be squares")
    if not 0 <= self.padding < height:
      raise self._wrong(f"padding is {self.padding}, must be in [0, {height})")
    mean, std = self._mean_std(channels)
    return Spec(
      self.name, len(train.class_names), height, channels, mean, std, self.padding, self.flip
    )

  @functools.cached_property
  def splits(self) -> tuple[Examples, Examples]:
    """The training and the test split, checked.

    Raises:
      DataError: images or labels are wrong.
    """
    loaded = self.load() if callable(self.load) else self.load
    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
      raise self._wrong(f"load gives {_called(loaded)}, must give (train, test)")
    train, test = (
      _opened(split, f"data set {self.name!r}, {part}")
      for split, part in zip(loaded, ("train", "test"), strict=True)
    )
    names = self.class_names
    if names is None:
      names = tuple(map(str, range(int(train.labels.max()) + 1)))
      if missing := sorted(set(range(len(names))) - set(train.labels.tolist())):
        raise self._wrong(
          f"no training image has label {missing[0]}, but one has {len(names) - 1}: give "
          "class_names if that is meant"
        )
    elif len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):
      raise self._wrong(f"class_names are {list(names)}, must be different strings")
    if len(names) < 2:
      raise self._wrong(f"it has {len(names)} class, must have 2 or more")
    for part, split in (("train", train), ("test", test)):
      if (largest := split.labels.max()) >= len(names):
        raise self._wrong(f"a {part} image has label {largest}, but there are {len(names)} classes")
      split.class_names = tuple(names)
    return train, test

  def _mean_std(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if self.mean is None and self.std is None:
      if channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
      mean, std = _measured(self.splits[0])
      tell(f"jaxkd: data set {self.name!r}: measured on train: mean {mean}, std {std}")
    elif self.mean is None or self.std is None:
      raise self._wrong("mean and std must be given together")
    else:
      mean, std = (tuple(map(float, np.atleast_1d(value))) for value in (self.mean, self.std))
    in_range = all(0 <= m <= 1 for m in mean) and all(0 < s <= 1 for s in std)
    if len(mean) != channels or len(std) != channels or not in_range:
      raise self._wrong(
        f"mean is {mean} and std {std}, must be {channels} numbers each, of pixels scaled to "
        "[0, 1], std above 0"
      )
    return mean, std

  def _wrong(self, reason: str) -> DataError:
    return DataError(f"data set {self.name!r}: {reason}")


class _Arrays(InMemory):
  """A split of arrays, with a hash of its content."""

  @functools.cached_property
  def content(self) -> str:
    """A hash of all images and labels, as of a source of the same examples."""
    content = hashlib.sha256(f"{self.shape}".encode())
    for images in self.chunks():
      content.update(np.ascontiguousarray(images).data)
    return _finished(content, self.labels)

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields all images, some at a time."""
    return (self._images[row : row + _ROWS] for row in range(0, len(self), _ROWS))


class _Source(Examples):
  """A split of an indexable source of dicts with `image` and `label`."""

  def __init__(self, source: Any, where: str):
    self._source, self._where = source, where
    shape = np.shape(self._field(0, "image"))
    if len(shape) != 3:
      raise DataError(f"{where}: an image has shape {shape}, must be [S, S, C]")
    self.shape = shape
    content = hashlib.sha256(f"{shape}".encode())
    labels = []
    for example in self.examples():
      content.update(np.ascontiguousarray(example.image).data)
      labels.append(example.label)
    self.labels = np.array(labels, np.int32)
    self.content = _finished(content, self.labels)

  def examples(self) -> Iterator[Example]:
    """Yields all examples in order, read ahead in threads."""
    # Slow to import.
    import grain

    read = grain.ReadOptions(num_threads=len(cores()), prefetch_buffer_size=64)
    dataset = grain.MapDataset.source(self).to_iter_dataset(read)
    return iter(tqdm.tqdm(dataset, f"reading {self._where}", len(self), unit=" images"))

  def chunks(self) -> Iterator[np.ndarray]:
    """Yields all images, one at a time."""
    return (example.image for example in self.examples())

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> Example:
    image, label = (np.asarray(self._field(index, key)) for key in ("image", "label"))
    where = f"{self._where}: example {index}"
    if image.dtype != np.uint8 or image.shape != self.shape:
      raise DataError(
        f"{where} has an image of {image.dtype} {image.shape}, must be uint8 {self.shape}"
      )
    _check_labels(label, (), where)
    return Example(image, np.int32(label))

  def _field(self, index: int, key: str) -> Any:
    example = self._source[index]
    if not isinstance(example, Mapping) or key not in example:
      raise DataError(
        f"{self._where}: example {index} is {_called(example)}, must be a dict with 'image' and "
        "'label'"
      )
    return example[key]


def _opened(split: Any, where: str) -> _Arrays | _Source:
  """Returns a split with its labels, once shapes and types are checked."""
  is_pair = isinstance(split, tuple | list) and len(split) == 2
  if is_pair and not isinstance(split[0], Mapping):
    images, labels = map(np.asarray, split)
    if images.dtype != np.uint8 or images.ndim != 4:
      raise DataError(
        f"{where}: images are {images.dtype} {images.shape}, must be uint8 [N, S, S, C]"
      )
    if len(images):
      _check_labels(labels, (len(images),), where)
      return _Arrays(images, labels.astype(np.int32), ())
  elif not (hasattr(split, "__len__") and hasattr(split, "__getitem__")):
    raise DataError(
      f"{where}: {_called(split)} must be (images, labels), or a source with len and [i]"
    )
  if not len(split) or is_pair:
    raise DataError(f"{where}: there are no images")
  return _Source(split, where)


def _check_labels(labels: np.ndarray, shape: tuple[int, ...], where: str) -> None:
  if labels.shape != shape or not np.issubdtype(labels.dtype, np.integer):
    raise DataError(f"{where}: labels are {labels.dtype} {labels.shape}, must be integers {shape}")
  if labels.min() < 0 or labels.max() >= 2**31:
    wrong = labels.min() if labels.min() < 0 else labels.max()
    raise DataError(f"{where}: a label is {wrong}, must be in [0, number of classes)")


def _finished(content: Any, labels: np.ndarray) -> str:
  content.update(labels.astype("<i4").tobytes())
  return content.hexdigest()


def _measured(split: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """Returns mean and std of each channel, of pixels scaled to [0, 1]."""
  counts = np.zeros((split.shape[-1], 256))
  for images in split.chunks():
    for channel, count in enumerate(counts):
      count += np.bincount(images[..., channel].ravel(), minlength=256)
  levels = np.arange(256) / 255
  mean = counts @ levels / counts.sum(1)
  std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(1) / counts.sum(1))
  return tuple(mean.round(4).tolist()), tuple(std.round(4).tolist())


def _called(thing: Any) -> str:
  size = f" of {len(thing)}" if hasattr(thing, "__len__") else ""
  return f"a {type(thing).__name__}{size}"
