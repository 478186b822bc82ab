"""Splits are decoded once: `.npy` files that later runs map into memory."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import sys
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

import numpy as np
import tqdm  # type: ignore[import-untyped]

from jaxkd.common import signals
from jaxkd.common.cores import cores
from jaxkd.data.base import Arrays, Examples

_CHUNK = 256
_UNIQUE = 16
"""Characters that tell apart folders of the same name that are not complete."""
_DAMAGE = (OSError, ValueError, KeyError)
"""What reading a damaged folder raises."""
_VERSION = 2
"""In the names of folders; raised when something else goes into them."""

_Fields = dict[str, np.ndarray]
_Shapes = Mapping[str, tuple[int, ...]]
_DTYPES: dict[str, np.dtype] = {
  "images": np.dtype(np.uint8),
  "labels": np.dtype(np.int32),
  "sizes": np.dtype(np.int32),
}


def load(examples: Examples, path: pathlib.Path) -> Arrays:
  """Returns all examples, from the cache or decoded into it.

  Decoding shows its progress on stderr. One process decodes, others wait for
  it. What is damaged is decoded again; where nothing can be written, nothing is
  cached.

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


def labels(read: Callable[[int], np.int32], size: int, path: pathlib.Path) -> np.ndarray:
  """Returns all labels, from the cache or read into it; otherwise as `load`.

  Args:
    read: returns the label of an example.
    size: the number of examples.
    path: as for `load`.
  """

  def fill(fields, row):
    fields["labels"][row] = read(row)

  return _cached(path, {"labels": (size,)}, fill)["labels"]


def _cached(path: pathlib.Path, shapes: _Shapes, fill: Callable[[_Fields, int], None]) -> _Fields:
  """Returns arrays from `path`, filled row by row if they are not there."""
  path = path.with_name(f"{path.name}-v{_VERSION}")
  with contextlib.suppress(*_DAMAGE):
    return _read(path, shapes)
  try:
    with _alone(path), signals.exit_when_terminated():
      return _read_or_write(path, shapes, fill)
  except OSError as error:
    _say(f"what is decoded is not kept: {error}")
    fields = {name: np.empty(shape, _DTYPES[name]) for name, shape in shapes.items()}
    _fill_all(fields, fill, path.name)
    return fields


def _read_or_write(
  path: pathlib.Path, shapes: _Shapes, fill: Callable[[_Fields, int], None]
) -> _Fields:
  """Returns arrays from `path`; nobody else writes them meanwhile."""
  if path.exists():
    try:
      return _read(path, shapes)
    except _DAMAGE as error:
      _say(f"{path} is damaged ({error}): decoding again")
      shutil.rmtree(path, ignore_errors=True)
  with whole_or_nothing(path) as folder:
    fields: _Fields = {
      name: _new_file(folder / f"{name}.npy", _DTYPES[name], shape)
      for name, shape in shapes.items()
    }
    _fill_all(fields, fill, path.name)
    (folder / "crc32.json").write_text(json.dumps(_checksums(fields)))
  return _read(path, shapes)


def _say(line: str) -> None:
  print(f"jaxkd: {line}", file=sys.stderr)


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
  """Waits until nobody else writes `path`, and keeps others from it.

  What killed processes left of it is deleted.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  lock = path.with_name(f".{path.name}.lock")
  with _locked(lock):
    try:
      for left in path.parent.glob(f".{path.name}.{'?' * _UNIQUE}"):
        shutil.rmtree(left, ignore_errors=True)
      yield
    finally:
      lock.unlink(missing_ok=True)


def _locked(lock: pathlib.Path) -> TextIO:
  """Opens a file that is locked until it is closed, or its owner killed."""
  while True:
    file = lock.open("w")
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      _say(f"waits for the process that has locked {lock}")
      fcntl.flock(file, fcntl.LOCK_EX)
    # Whoever had it has deleted it: another file may be locked by now.
    with contextlib.suppress(FileNotFoundError):
      if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
        return file
    file.close()


@contextlib.contextmanager
def whole_or_nothing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Gives a folder that is renamed to `path` once it is complete."""
  path.parent.mkdir(parents=True, exist_ok=True)
  folder = path.parent / f".{path.name}.{uuid.uuid4().hex:.{_UNIQUE}}"
  folder.mkdir()
  try:
    yield folder
    # Another process may have been faster: its files hold the same.
    with contextlib.suppress(OSError):
      folder.rename(path)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _new_file(file: pathlib.Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
  """Returns a new file's array."""
  array = np.lib.format.open_memmap(file, "w+", dtype, shape)
  # Writing to a mapped file kills the process where the disk is full; macOS
  # can't be asked before.
  if hasattr(os, "posix_fallocate"):
    with open(file, "r+b") as opened:
      os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
  return array


def _fill_all(fields: _Fields, fill: Callable[[_Fields, int], None], name: str) -> None:
  """Fills all rows in threads: Pillow needs no lock of the interpreter."""
  size = len(fields["labels"])

  def fill_chunk(start):
    rows = range(start, min(start + _CHUNK, size))
    for row in rows:
      fill(fields, row)
    return len(rows)

  with (
    concurrent.futures.ThreadPoolExecutor(len(cores())) as pool,
    tqdm.tqdm(total=size, desc=f"decoding {name}", unit=" images") as progress,
  ):
    try:
      for count in pool.map(fill_chunk, range(0, size, _CHUNK)):
        progress.update(count)
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise


def _read(path: pathlib.Path, shapes: _Shapes) -> _Fields:
  fields = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in shapes}
  for name, expected in shapes.items():
    if fields[name].shape != expected:
      raise ValueError(f"{name} has shape {fields[name].shape}, not {expected}")
  if _checksums(fields) != json.loads((path / "crc32.json").read_text()):
    raise ValueError("its checksum is wrong")
  return fields


def _checksums(fields: _Fields) -> dict[str, int]:
  return {name: zlib.crc32(np.asarray(field).data) for name, field in fields.items()}
