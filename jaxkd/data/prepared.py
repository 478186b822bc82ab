"""Reads data sets that TFDS has prepared, without TensorFlow."""

import functools
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import constants, read_only_builder

from jaxkd.common import shell
from jaxkd.common.errors import explained
from jaxkd.data import cache, images
from jaxkd.data.base import Arrays, DataError, Example, Examples, MissingError, in_order
from jaxkd.data.specs import Spec


def root(data_dir: str) -> pathlib.Path:
  """Returns the folder of TFDS's data: TFDS's default if `data_dir` is ''."""
  return pathlib.Path(data_dir or constants.DATA_DIR).expanduser()


def command(name: str, data_dir: str) -> str:
  """Returns the command that prepares a data set."""
  where = [f"--data_dir={data_dir}"] if data_dir else []
  return shell.command("prepare", name, *where)


class Prepared(Examples):
  """A split of a data set that TFDS has prepared as ArrayRecord files.

  `prepare` is the name for the command that prepares the data set. A data set that is not
  prepared is a MissingError; one that differs from the spec or can't be read is a DataError.
  """

  def __init__(self, spec: Spec, split: str, data_dir: str, prepare: str):
    builder = _builder(spec, data_dir, prepare)
    info = builder.info
    self._spec, self._split, self._path = spec, split, str(builder.data_path)
    if split not in info.splits:
      raise DataError(f"{self._path} has no split {split!r}, only {', '.join(info.splits)}")
    self.squashed = bool(spec.resize) and split == spec.train_split
    self.class_names = tuple(info.features[spec.label].names)
    if (classes := len(self.class_names)) > spec.num_classes:
      wanted = f"data set {spec.name!r} has {spec.num_classes}"
      raise DataError(f"{self._path} has {classes} classes, {wanted}")
    try:
      # TFDS would decode with one of two libraries that differ in the last bit of a JPEG's pixels.
      encoded = {"image": tfds.decode.SkipDecoding()}
      self._source = builder.as_data_source(split, decoders=encoded)
      # The fingerprint changes when a split is prepared again, perhaps from other archives.
      files = [f"{info.splits[split].shard_lengths}"]
      for file in map(pathlib.Path, info.splits[split].filepaths):
        stat = file.stat()
        files.append(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n")
      fingerprint = hashlib.sha256("".join(files).encode()).hexdigest()[:12]
    except Exception as error:
      raise _unreadable(self._path, error) from error
    self.shape = spec.stored_size, spec.stored_size, spec.channels
    size = "x".join(map(str, self.shape))
    name = "-".join((*info.full_name.split("/"), split, spec.label, size, fingerprint))
    self._cache = root(data_dir) / "jaxkd_cache" / name

  @functools.cached_property
  def labels(self) -> np.ndarray:
    """Labels of all examples, read the first time."""
    path = self._cache.with_name(f"{self._cache.name}-labels")
    return cache.labels(lambda row: np.int32(self._read(row)[self._spec.label]), len(self), path)

  @functools.cached_property
  def content(self) -> str:
    """A hash of all encoded images and the names of their classes, read once for a preparation."""
    path = self._cache.with_name(f"{self._cache.name}-content.sha256")
    return cache.text(path, self._read_content)

  def _read_content(self) -> str:
    def line(index):
      example = self._read(index)
      name = self.class_names[example[self._spec.label]]
      return f"{name} {hashlib.sha256(example['image']).hexdigest()}\n"

    lines = in_order(line, len(self), f"reading {self._cache.name}")
    return hashlib.sha256("".join(lines).encode()).hexdigest()

  def __len__(self) -> int:
    return len(self._source)

  def __getitem__(self, index: int) -> Example:
    example = self._read(index)
    image, size = images.decode(example["image"], self._spec, self._origin(index), self.squashed)
    return Example(image, np.int32(example[self._spec.label]), size)

  def _read(self, index: int) -> Mapping[str, Any]:
    with explained(DataError, f"{self._origin(index)} can't be read"):
      return self._source[index]

  def _origin(self, index: int) -> str:
    return f"example {index} of split {self._split!r} in {self._path}"

  def load(self) -> Arrays:
    """Returns all examples; decodes them the first time."""
    return cache.load(self, self._cache)


def _builder(spec: Spec, data_dir: str, prepare: str) -> tfds.core.DatasetBuilder:
  """Returns a reader of the newest version that is prepared."""
  data_root = root(data_dir)
  try:
    builder = read_only_builder.builder_from_files(spec.builder, data_dir=data_root)
  except tfds.core.DatasetNotFoundError:
    missing = f"data set {spec.name!r} is not prepared in {data_root / spec.builder}"
    raise MissingError(f"{missing}; prepare it with: {command(prepare, data_dir)}") from None
  # TFDS has no common class for errors of damaged files.
  except Exception as error:
    raise _unreadable(str(data_root / spec.builder), error) from error
  formats = builder.info.available_file_formats()
  if tfds.core.FileFormat.ARRAY_RECORD not in formats:
    names = ", ".join(sorted(format.value for format in formats))
    raise DataError(
      f"data set {spec.name!r} is prepared in {builder.data_path} as {names}, which can't be read "
      "without TensorFlow; delete that folder and prepare it as array_record with: "
      f"{command(prepare, data_dir)}"
    )
  return builder


def _unreadable(path: str, error: Exception) -> DataError:
  reason = f"{type(error).__name__}: {error}; if it is damaged, delete it and prepare it again"
  return DataError(f"{path} can't be read: {reason}")
