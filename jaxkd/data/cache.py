"""Decodes a split once into `.npy` files, which later runs map into memory."""

import contextlib
import json
import math
import os
import pathlib
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from jaxkd.common import files, signals
from jaxkd.common.console import tell
from jaxkd.common.errors import FileError, explained
from jaxkd.common.locks import HeldError, held
from jaxkd.data.base import Arrays, Examples, in_order, readable

VERSION = 3  # part of folders' names and of identities: raised when decoding gives other pixels

_Fields = dict[str, np.ndarray]
_Shapes = dict[str, tuple[int, ...]]
_Read = Callable[[int], Iterable]
_DTYPES = {"images": np.uint8, "labels": np.int32, "sizes": np.int32}


def load(examples: Examples, path: pathlib.Path) -> Arrays:
  """Returns all examples from a folder, whose name must change with the pixels, or decodes them.

  One process decodes and shows its progress on stderr; others wait for it. A damaged folder is
  decoded again. If the folder can't be written, nothing is cached.
  """
  size = len(examples)
  shapes: _Shapes = {"images": (size, *examples.shape), "labels": (size,)}
  if examples.squashed:
    shapes["sizes"] = (size, 2)
  return Arrays(**_cached(path, shapes, examples.__getitem__))


def labels(read: Callable[[int], np.int32], size: int, path: pathlib.Path) -> np.ndarray:
  """Returns all labels from the cache, or reads them; `read` takes an example's number."""
  return _cached(path, {"labels": (size,)}, lambda row: (read(row),))["labels"]


def text(path: pathlib.Path, compute: Callable[[], str]) -> str:
  """Returns a text from a file, or computes it; the file's name must change with the text."""
  with contextlib.suppress(FileError, KeyError):
    return files.read_json(path, "")["text"]
  found = compute()
  with contextlib.suppress(OSError, FileError):
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, {"text": found})
  return found


def _cached(path: pathlib.Path, shapes: _Shapes, read: _Read) -> _Fields:
  """Returns arrays from `path`, or fills them row by row if it does not exist."""
  path = path.with_name(f"{path.name}-v{VERSION}")
  with contextlib.suppress(FileError):
    return _mapped(path, shapes)
  try:
    with _locked(path), signals.exit_when_terminated():
      return _read_or_write(path, shapes, read)
  except OSError as error:
    tell(f"jaxkd: decoded images are not kept: {error}")
    fields = {name: np.empty(shape, _DTYPES[name]) for name, shape in shapes.items()}
    _fill(fields, read, path.name)
    return fields


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
  """Waits until no other process writes `path`, and keeps others from writing it."""
  path.parent.mkdir(parents=True, exist_ok=True)
  lock = path.with_name(f".{path.name}.lock")
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(held(lock))
    except HeldError:
      tell(f"jaxkd: waiting for the process that holds {readable(lock)}")
      stack.enter_context(held(lock, wait=math.inf))
    yield


def _read_or_write(path: pathlib.Path, shapes: _Shapes, read: _Read) -> _Fields:
  """Returns arrays from `path`; the lock is held."""
  if path.exists():
    try:
      return _mapped(path, shapes)
    except FileError:
      tell(f"jaxkd: {readable(path)} is damaged: decoding again")
      shutil.rmtree(path, ignore_errors=True)
  # A killed process may have left this folder.
  part = path.with_name(f".{path.name}.part")
  shutil.rmtree(part, ignore_errors=True)
  part.mkdir()
  try:
    fields: _Fields = {}
    for name, shape in shapes.items():
      file = part / f"{name}.npy"
      fields[name] = np.lib.format.open_memmap(file, "w+", _DTYPES[name], shape)
      # On a full disk, writing to a mapped file kills the process. macOS has no such call.
      if hasattr(os, "posix_fallocate"):
        with open(file, "r+b") as opened:
          os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    _fill(fields, read, path.name)
    (part / "crc32.json").write_text(json.dumps(_checksums(fields)))
    part.rename(path)
  finally:
    shutil.rmtree(part, ignore_errors=True)
  return _mapped(path, shapes)


def _fill(fields: _Fields, read: _Read, name: str) -> None:
  for row, values in enumerate(in_order(read, len(fields["labels"]), f"decoding {name}")):
    for field, value in zip(fields.values(), values, strict=False):
      field[row] = value


def _mapped(path: pathlib.Path, shapes: _Shapes) -> _Fields:
  """Returns the arrays of a folder; a FileError if they are not as they were written."""
  # NumPy has errors of many types for damaged headers.
  with explained(FileError, f"can't read {readable(path)}"):
    fields = {name: np.load(path / f"{name}.npy", mmap_mode="r") for name in shapes}
    for name, expected in shapes.items():
      found = fields[name]
      if (found.shape, found.dtype) != (expected, _DTYPES[name]) or not found.flags.c_contiguous:
        raise ValueError(f"{name} is {found.dtype} {found.shape}, not {expected}")
    if _checksums(fields) != json.loads((path / "crc32.json").read_text()):
      raise ValueError("the checksum is wrong")
  return fields


def _checksums(fields: _Fields) -> dict[str, int]:
  return {name: zlib.crc32(np.asarray(field).data) for name, field in fields.items()}
