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
from collections.abc import Iterator

import numpy as np
import tqdm  # type: ignore[import-untyped]

from jaxkd.data.base import Arrays, Examples

_CHUNK = 256


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
  if path.exists():
    try:
      return _read(path, examples)
    except (OSError, ValueError, KeyError) as error:
      _say(f"{path} is damaged ({error}): decoding again")
      shutil.rmtree(path, ignore_errors=True)
  try:
    with _whole_or_nothing(path) as folder:
      _decode(examples, path.name, folder)
    return _read(path, examples)
  except OSError as error:
    _say(f"the decoded images are not kept: {error}")
    return _decode(examples, path.name, None)


def _say(line: str) -> None:
  print(f"jaxkd: {line}", file=sys.stderr)


@contextlib.contextmanager
def _whole_or_nothing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Gives a folder that is renamed to `path` once it is complete."""
  path.parent.mkdir(parents=True, exist_ok=True)
  folder = path.parent / f".{uuid.uuid4().hex}"
  folder.mkdir()
  try:
    yield folder
    # Another process may have been faster: its files hold the same.
    if not path.exists():
      with contextlib.suppress(FileExistsError):
        folder.rename(path)
  finally:
    shutil.rmtree(folder, ignore_errors=True)


def _decode(
  examples: Examples, name: str, folder: pathlib.Path | None
) -> Arrays:
  """Decodes all examples, into files if there is a folder."""
  size = len(examples)
  shape = (size, *examples.shape)
  if folder is None:
    images = np.empty(shape, np.uint8)
  else:
    images = np.lib.format.open_memmap(
      folder / "images.npy", "w+", np.dtype(np.uint8), shape
    )
  labels = np.empty(size, np.int32)

  def fill(start):
    rows = range(start, min(start + _CHUNK, size))
    for row in rows:
      images[row], labels[row] = examples[row]
    return len(rows)

  # Pillow decodes without the interpreter's lock.
  with (
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    tqdm.tqdm(total=size, desc=f"decoding {name}", unit=" images") as progress,
  ):
    try:
      for count in pool.map(fill, range(0, size, _CHUNK)):
        progress.update(count)
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise

  arrays = Arrays(images, labels)
  if folder is not None:
    np.save(folder / "labels.npy", labels)
    (folder / "crc32.json").write_text(json.dumps(_checksums(arrays)))
  return arrays


def _read(path: pathlib.Path, examples: Examples) -> Arrays:
  arrays = Arrays(
    np.load(path / "images.npy", mmap_mode="r"), np.load(path / "labels.npy")
  )
  expected = (len(examples), *examples.shape)
  if arrays.images.shape != expected:
    raise ValueError(f"it has shape {arrays.images.shape}, not {expected}")
  if _checksums(arrays) != json.loads((path / "crc32.json").read_text()):
    raise ValueError("its checksum is wrong")
  return arrays


def _checksums(arrays: Arrays) -> dict[str, int]:
  return {
    field: zlib.crc32(np.asarray(array).data)
    for field, array in arrays._asdict().items()
  }
