"""Splits are decoded once: `.npy` files that later runs map into memory."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tqdm  # type: ignore[import-untyped]

from jaxkd.data.base import Arrays, Examples

_CHUNK = 256
_LAYOUT = "v2"
"""Goes into the names of folders; raised when what is in them changes."""

_Fields = dict[str, np.ndarray]
_Shapes = Mapping[str, tuple[int, ...]]
_DTYPES: dict[str, np.dtype] = {
  "images": np.dtype(np.uint8),
  "labels": np.dtype(np.int32),
  "sizes": np.dtype(np.int32),
}


def load(examples: Examples, path: pathlib.Path) -> Arrays:
  """Returns all examples, from the cache or decoded into it.

  Decoding shows its progress on stderr. What is damaged is decoded again; where
  nothing can be written, nothing is cached.

  Args:
    examples: the split.
    path: the folder of this split's files; its name must change whenever what
      is decoded does.

  Raises:
    DataError: an example can't be decoded.
  """
  size = len(examples)
  shapes: _Shapes = {"images": (size, *examples.shape), "labels": (size,)}
  if examples.squashed:
    shapes = {**shapes, "sizes": (size, 2)}

  def fill(fields, row):
    for field, value in zip(fields.values(), examples[row], strict=False):
      field[row] = value

  return Arrays(**_cached(path, shapes, fill))


def labels(
  read: Callable[[int], np.int32], size: int, path: pathlib.Path
) -> np.ndarray:
  """Returns all labels, from the cache or read into it; otherwise as `load`.

  Args:
    read: returns the label of an example.
    size: the number of examples.
    path: as for `load`.
  """

  def fill(fields, row):
    fields["labels"][row] = read(row)

  return _cached(path, {"labels": (size,)}, fill)["labels"]


def _cached(
  path: pathlib.Path, shapes: _Shapes, fill: Callable[[_Fields, int], None]
) -> _Fields:
  """Returns arrays from `path`, filled row by row if they are not there."""
  path = path.with_name(f"{path.name}-{_LAYOUT}")
  if path.exists():
    try:
      return _read(path, shapes)
    except (OSError, ValueError, KeyError) as error:
      _say(f"{path} is damaged ({error}): decoding again")
      shutil.rmtree(path, ignore_errors=True)
  try:
    with whole_or_nothing(path) as folder:
      fields: _Fields = {
        name: _new_file(folder / f"{name}.npy", _DTYPES[name], shape)
        for name, shape in shapes.items()
      }
      _fill_all(fields, fill, path.name)
      (folder / "crc32.json").write_text(json.dumps(_checksums(fields)))
    return _read(path, shapes)
  except OSError as error:
    _say(f"what is decoded is not kept: {error}")
    fields = {
      name: np.empty(shape, _DTYPES[name]) for name, shape in shapes.items()
    }
    _fill_all(fields, fill, path.name)
    return fields


def _say(line: str) -> None:
  print(f"jaxkd: {line}", file=sys.stderr)


@contextlib.contextmanager
def whole_or_nothing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Gives a folder that is renamed to `path` once it is complete."""
  path.parent.mkdir(parents=True, exist_ok=True)
  folder = path.parent / f".{uuid.uuid4().hex}"
  folder.mkdir()
  try:
    yield folder
    # Another process may have been faster: its files hold the same.
    with contextlib.suppress(OSError):
      folder.rename(path)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _new_file(
  file: pathlib.Path, dtype: np.dtype, shape: tuple[int, ...]
) -> np.memmap:
  """Returns a new file's array."""
  array = np.lib.format.open_memmap(file, "w+", dtype, shape)
  # Writing to a mapped file kills the process where the disk is full; macOS
  # can't be asked before.
  if hasattr(os, "posix_fallocate"):
    with open(file, "r+b") as opened:
      os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
  return array


def _fill_all(
  fields: _Fields, fill: Callable[[_Fields, int], None], name: str
) -> None:
  """Fills all rows in threads: Pillow needs no lock of the interpreter."""
  size = len(fields["labels"])

  def fill_chunk(start):
    rows = range(start, min(start + _CHUNK, size))
    for row in rows:
      fill(fields, row)
    return len(rows)

  with (
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    tqdm.tqdm(total=size, desc=f"decoding {name}", unit=" images") as progress,
  ):
    try:
      for count in pool.map(fill_chunk, range(0, size, _CHUNK)):
        progress.update(count)
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise


def _read(path: pathlib.Path, shapes: _Shapes) -> _Fields:
  fields = {
    name: np.load(path / f"{name}.npy", mmap_mode="r") for name in shapes
  }
  for name, expected in shapes.items():
    if fields[name].shape != expected:
      raise ValueError(f"{name} has shape {fields[name].shape}, not {expected}")
  if _checksums(fields) != json.loads((path / "crc32.json").read_text()):
    raise ValueError("its checksum is wrong")
  return fields


def _checksums(fields: _Fields) -> dict[str, int]:
  return {
    name: zlib.crc32(np.asarray(field).data) for name, field in fields.items()
  }
