"""Reads what TFDS has prepared, without TensorFlow."""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants, read_only_builder

from jaxkd.data import cache, decode
from jaxkd.data.base import DECODING, Arrays, DataError, Examples
from jaxkd.data.specs import Spec


def root(data_dir: str) -> pathlib.Path:
  """Returns where TFDS keeps its data: its own default if `data_dir` is ''."""
  return pathlib.Path(data_dir or constants.DATA_DIR).expanduser()


def command(name: str, data_dir: str) -> str:
  """Returns the command that prepares a data set."""
  option = f" --data_dir={data_dir}" if data_dir else ""
  return f"python -m jaxkd.data.prepare {name}{option}"


class Prepared(Examples):
  """A split of a data set that TFDS has prepared as ArrayRecord files.

  Args:
    spec: the data set.
    split: name of the split.
    data_dir: where TFDS keeps its data; TFDS's own default if empty.
    prepare: the name that prepares the data set, among others perhaps.

  Raises:
    DataError: the data set is not there, is not as the spec says, or not in a
      format that can be read.
  """

  def __init__(self, spec: Spec, split: str, data_dir: str, prepare: str):
    builder = _builder(spec, data_dir, prepare)
    info = builder.info
    if split not in info.splits:
      raise DataError(
        f"{builder.data_path} has no split {split!r}, only "
        f"{', '.join(info.splits)}"
      )
    self._spec = spec
    self._split = split
    self._path = str(builder.data_path)
    label = info.features[spec.label]
    if label.num_classes > spec.num_classes:
      raise DataError(
        f"{builder.data_path} has {label.num_classes} classes, data set "
        f"{spec.name!r} has {spec.num_classes}"
      )
    self._class_names = tuple(label.names)
    # Decoded by `decode.image`: TFDS uses whichever of two libraries there is,
    # and they differ in the last bit of a JPEG's pixels.
    encoded = {
      name: tfds.decode.SkipDecoding()
      for name, feature in info.features.items()
      if isinstance(feature, tfds.features.Image)
    }
    try:
      self._source = builder.as_data_source(split, decoders=encoded)
      self._size = len(self._source)
      fingerprint = _fingerprint(info.splits[split])
    except Exception as error:
      raise _unreadable(self._path, error) from error
    size = spec.stored_size
    self.shape = size, size, spec.channels
    name = "-".join(
      (
        *info.full_name.split("/"),
        split,
        spec.label,
        "x".join(map(str, self.shape)),
        str(DECODING),
        fingerprint,
      )
    )
    self._cache = root(data_dir) / "jaxkd_cache" / name

  @property
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""
    return self._class_names

  @property
  def labels(self) -> np.ndarray:
    """Labels of all examples; they are read the first time."""
    path = self._cache.with_name(f"{self._cache.name}-labels")

    def label(index):
      return np.int32(self._read(index)[self._spec.label])

    return cache.labels(label, len(self), path)

  def __len__(self) -> int:
    return self._size

  def __getitem__(self, index: int) -> tuple[np.ndarray, np.int32]:
    example = self._read(index)
    image = decode.image(example["image"], self._spec, self._origin(index))
    return image, np.int32(example[self._spec.label])

  def _read(self, index: int) -> Mapping[str, Any]:
    """Returns an example, its images encoded."""
    try:
      return self._source[index]
    except Exception as error:
      raise DataError(
        f"{self._origin(index)} can't be read: {error}"
      ) from error

  def _origin(self, index: int) -> str:
    return f"example {index} of split {self._split!r} in {self._path}"

  def load(self) -> Arrays:
    """Returns all examples; decodes them the first time."""
    return cache.load(self, self._cache)


def _builder(
  spec: Spec, data_dir: str, prepare: str
) -> tfds.core.DatasetBuilder:
  """Returns what reads the newest version that is prepared."""
  data_root = root(data_dir)
  try:
    builder = read_only_builder.builder_from_files(
      spec.builder, data_dir=data_root
    )
  except tfds.core.DatasetNotFoundError:
    raise DataError(
      f"data set {spec.name!r} is not prepared in {data_root / spec.builder}; "
      f"prepare it with: {command(prepare, data_dir)}"
    ) from None
  # What TFDS raises on damaged files has no common class.
  except Exception as error:
    raise _unreadable(str(data_root / spec.builder), error) from error
  formats = builder.info.available_file_formats()
  if tfds.core.FileFormat.ARRAY_RECORD not in formats:
    names = ", ".join(sorted(format.value for format in formats))
    raise DataError(
      f"data set {spec.name!r} is prepared in {builder.data_path} as {names}, "
      f"which can't be read without TensorFlow; delete that folder and prepare "
      f"it as array_record with: {command(prepare, data_dir)}"
    )
  return builder


def _fingerprint(split: tfds.core.SplitInfo) -> str:
  """Returns what is another whenever a split is prepared anew.

  One version of a builder may read other archives.
  """
  files = hashlib.sha256(str(split.shard_lengths).encode())
  for file in map(pathlib.Path, split.filepaths):
    stat = file.stat()
    files.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
  return files.hexdigest()[:12]


def _unreadable(path: str, error: Exception) -> DataError:
  return DataError(
    f"{path} can't be read: {type(error).__name__}: {error}; if it is damaged, "
    "delete it and prepare it again"
  )
