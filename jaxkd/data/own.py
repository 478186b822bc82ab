"""A user's data sets: arrays or sources from code outside of jaxkd."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxkd.common.console import tell
from jaxkd.common.errors import explained
from jaxkd.data.base import DataError, Example, Examples, InMemory, in_order
from jaxkd.data.specs import IMAGENET_MEAN, IMAGENET_STD, Spec

_BAR_AFTER = 2.0  # seconds


@dataclasses.dataclass(frozen=True, eq=False)
class Own:
  """A user's data set, read once when needed; `data.register` describes the fields."""

  name: str
  load: Callable[[], Any] | Sequence[Any]
  class_names: Sequence[str] | None = None
  mean: Sequence[float] | float | None = None
  std: Sequence[float] | float | None = None
  padding: int = 0
  flip: bool = False

  @functools.cached_property
  def spec(self) -> Spec:
    """The facts about the data set; a DataError names a wrong one."""
    train, test = self.splits
    if train.shape != test.shape:
      raise self._wrong(f"train images are {train.shape}, test images {test.shape}")
    height, width, channels = train.shape
    if height != width:
      raise self._wrong(f"images are {height}x{width}, must be squares")
    if not 0 <= self.padding < height:
      raise self._wrong(f"padding is {self.padding}, must be in [0, {height})")
    mean, std = self._mean_std(channels)
    classes = len(train.class_names)
    return Spec(self.name, classes, height, channels, mean, std, self.padding, self.flip)

  @functools.cached_property
  def splits(self) -> tuple[Examples, Examples]:
    """The training and the test split; a DataError names a fault in them."""
    with explained(DataError, f"data set {self.name!r}: load() must give (train, test), but fails"):
      loaded = self.load() if callable(self.load) else self.load
    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
      raise self._wrong(f"load gives {_called(loaded)}, must give (train, test)")
    where = (f"data set {self.name!r}, {part}" for part in ("train", "test"))
    train, test = map(_opened, loaded, where)
    names = self.class_names
    if names is None:
      last = int(train.labels.max())
      names = tuple(map(str, range(last + 1)))
      if missing := sorted(set(range(last)) - set(train.labels.tolist())):
        reason = f"no training image has label {missing[0]}, but one has {last}"
        raise self._wrong(f"{reason}: give class_names if that is meant")
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
      wanted = f"{channels} numbers each, of pixels scaled to [0, 1], std above 0"
      raise self._wrong(f"mean is {mean} and std {std}, must be {wanted}")
    return mean, std

  def _wrong(self, reason: str) -> DataError:
    return DataError(f"data set {self.name!r}: {reason}")


class _Source(Examples):
  """A split of an indexable source of dicts with `image` and `label`."""

  def __init__(self, source: Any, where: str):
    self._source, self._where = source, where
    self.shape = self._read(0)[0].shape
    if len(self.shape) != 3:
      raise DataError(f"{where}: an image has shape {self.shape}, must be [S, S, C]")

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> Example:
    image, label = self._read(index)
    where = f"{self._where}: example {index}"
    if image.dtype != np.uint8 or image.shape != self.shape:
      has = f"{where} has an image of {image.dtype} {image.shape}"
      raise DataError(f"{has}, must be uint8 {self.shape}")
    _check_labels(label, (), where)
    return Example(image, np.int32(label))

  def _read(self, index: int) -> list[np.ndarray]:
    with explained(DataError, f"{self._where}: example {index} can't be read"):
      example = self._source[index]
    if not isinstance(example, Mapping) or not {"image", "label"} <= example.keys():
      has = f"{self._where}: example {index} is {_called(example)}"
      raise DataError(f"{has}, must be a dict with 'image' and 'label'")
    return [np.asarray(example[key]) for key in ("image", "label")]


def _opened(split: Any, where: str) -> Examples:
  """Reads a whole split; returns it with its labels and the hash of its content."""
  is_pair = isinstance(split, tuple | list) and len(split) == 2
  is_pair = is_pair and not isinstance(split[0], Mapping)
  if not is_pair and not (hasattr(split, "__len__") and hasattr(split, "__getitem__")):
    wanted = "(images, labels), or a source with len and [i]"
    raise DataError(f"{where}: {_called(split)} must be {wanted}")
  if not len(split[0] if is_pair else split):
    raise DataError(f"{where}: there are no images")
  examples: Examples
  if is_pair:
    images, labels = map(np.asarray, split)
    if images.dtype != np.uint8 or images.ndim != 4:
      has = f"images are {images.dtype} {images.shape}"
      raise DataError(f"{where}: {has}, must be uint8 [N, S, S, C]")
    _check_labels(labels, (len(images),), where)
    examples = InMemory(images, labels.astype(np.int32), ())
  else:
    examples = _Source(split, where)
  content, known = hashlib.sha256(f"{examples.shape}".encode()), []
  read = in_order(examples.__getitem__, len(examples), f"reading {where}", _BAR_AFTER)
  for image, label, _ in read:
    content.update(np.ascontiguousarray(image).data)
    known.append(label)
  examples.labels = np.array(known, np.int32)
  content.update(examples.labels.astype("<i4").tobytes())
  examples.content = content.hexdigest()
  return examples


def _check_labels(labels: np.ndarray, shape: tuple[int, ...], where: str) -> None:
  if labels.shape != shape or not np.issubdtype(labels.dtype, np.integer):
    raise DataError(f"{where}: labels are {labels.dtype} {labels.shape}, must be integers {shape}")
  for label in (labels.min(), labels.max()):
    if not 0 <= label < 2**31:
      raise DataError(f"{where}: a label is {label}, must be in [0, number of classes)")


def _measured(split: Examples) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """Returns mean and std of each channel, of pixels scaled to [0, 1]."""
  counts = np.zeros((split.shape[-1], 256))
  for image, *_ in in_order(split.__getitem__, len(split), "measuring mean and std", _BAR_AFTER):
    for channel, count in enumerate(counts):
      count += np.bincount(image[..., channel].ravel(), minlength=256)
  levels = np.arange(256) / 255
  mean = counts @ levels / counts.sum(1)
  std = np.sqrt((counts * (levels - mean[:, None]) ** 2).sum(1) / counts.sum(1))
  return tuple(mean.round(4).tolist()), tuple(std.round(4).tolist())


def _called(thing: Any) -> str:
  size = f" of {len(thing)}" if hasattr(thing, "__len__") else ""
  return f"a {type(thing).__name__}{size}"
