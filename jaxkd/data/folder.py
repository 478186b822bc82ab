"""A user's photographs: `train/<class>/*.jpg` and `test/<class>/*.jpg`.

The layout is that of `tfds.ImageFolder`, which needs TensorFlow to read images.
"""

import contextlib
import functools
import hashlib
import os
import pathlib
import time
from collections.abc import Iterable, Iterator

import numpy as np

from jaxkd.common import shell
from jaxkd.data import cache, images, specs
from jaxkd.data.base import Arrays, DataError, Example, Examples, in_order, readable, tell_once

_TEST = ("test", "validation", "val")
_SETTLED = 2.0  # seconds after which a changed file has another time of change, anywhere


class Folder(Examples):
  """A split that is a folder for each class; `folders` are their names in the order of the labels.

  Images in sub-folders of a class belong to the class. Hidden files and folders, whose names begin
  with a dot, are skipped; other files that are not images are counted and named once.
  """

  def __init__(self, spec: specs.Spec, path: pathlib.Path, folders: list[str], squashed: bool):
    if unknown := sorted(set(_subfolders(path)) - set(folders)):
      raise DataError(f"{readable(path / unknown[0])} is not a class of the train folder")
    self._spec, self._path, self.squashed = spec, path, squashed
    self.class_names = tuple(map(readable, folders))
    self.shape = spec.stored_size, spec.stored_size, spec.channels
    self._files: list[pathlib.Path] = []
    labels: list[int] = []
    others = [f for f in path.iterdir() if f.is_file() and not f.name.startswith(".")]
    for label, name in enumerate(folders):
      below = set(_files(path / name))
      files = _images(below)
      if not files:
        raise DataError(f"{readable(path / name)} has no images")
      self._files += files
      labels += [label] * len(files)
      others += below.difference(files)
    if others:
      tell_once(_left_out(path, sorted(others)))
    self.labels = np.array(labels, np.int32)

  @functools.cached_property
  def content(self) -> str:
    """A hash of all images and their names below the split's folder.

    Images are read once, and again when a file's size, time of change or inode differs.
    """
    stats, newest = hashlib.sha256(), 0.0
    with _named():
      for row, file in enumerate(self._files):
        stat = os.stat(file)
        own = f" {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}\n"
        stats.update(self._name(row) + own.encode())
        newest = max(newest, stat.st_ctime)
    # A file that has just changed may change again without a new time.
    if time.time() - newest < _SETTLED:
      return self._read_content()
    name = f"content-{stats.hexdigest()[:12]}.sha256"
    return cache.text(self._cache(name), self._read_content)

  def __len__(self) -> int:
    return len(self._files)

  def __getitem__(self, index: int) -> Example:
    file = self._files[index]
    image, size = decode(file, self._spec, self.squashed)
    return Example(image, self.labels[index], size)

  def load(self) -> Arrays:
    """Returns all examples; decodes them the first time."""
    size = "x".join(map(str, self.shape))
    return cache.load(self, self._cache(f"{size}-{self.content[:12]}"))

  def _read_content(self) -> str:
    def line(row):
      content = hashlib.sha256(_read(self._files[row])).hexdigest()
      return self._name(row) + f" {content}\n".encode()

    lines = in_order(line, len(self), f"reading {readable(self._path)}")
    return hashlib.sha256(b"".join(lines)).hexdigest()

  def _name(self, row: int) -> bytes:
    """Returns a file's name below the split's folder."""
    return os.fsencode(self._files[row])[len(os.fsencode(self._path)) + 1 :]

  def _cache(self, name: str) -> pathlib.Path:
    return self._path.parent / "jaxkd_cache" / f"{self._path.name}-{name}"


def open_folder(spec: specs.Spec, path: str) -> tuple[Folder, Folder]:
  """Returns the training and the test split; a DataError names a missing or unknown folder."""
  folders, root = classes(path), pathlib.Path(path).expanduser()
  for test in filter(pathlib.Path.is_dir, map(root.joinpath, _TEST)):
    return Folder(spec, root / "train", folders, True), Folder(spec, test, folders, False)
  raise DataError(f"{readable(root)} has none of the folders {', '.join(_TEST)}")


def decode(
  file: pathlib.Path, spec: specs.Spec, squashed: bool = False
) -> tuple[np.ndarray, np.ndarray | None]:
  """Reads a file as `images.decode` does; a DataError names a file that can't be read."""
  return images.decode(_read(file), spec, readable(file), squashed)


def classes(path: str) -> list[str]:
  """Returns the names of the classes' folders, sorted."""
  train = pathlib.Path(path).expanduser() / "train"
  if not train.is_dir():
    wanted = "the folder that has train/<class>/*.jpg and test/<class>/*.jpg"
    raise DataError(f"{readable(path)!r} must be {wanted}, but there is no {readable(train)}")
  names = _subfolders(train)
  if len(names) < 2:
    raise DataError(f"{readable(train)} must have a folder for each of two classes or more")
  return names


def image_files(path: pathlib.Path) -> list[pathlib.Path]:
  """Returns the image files below a folder, sorted; hidden ones are skipped, others are named."""
  files = set(_files(path))
  found = _images(files)
  if others := sorted(files.difference(found)):
    tell_once(_left_out(path, others))
  return found


def _images(files: Iterable[pathlib.Path]) -> list[pathlib.Path]:
  return sorted(file for file in files if file.suffix.lower() in images.suffixes())


def _subfolders(path: pathlib.Path) -> list[str]:
  return sorted(f.name for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))


def _files(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields all files below a folder except hidden ones; a folder linked twice counts once."""
  visited = set()
  for folder, below, names in os.walk(path, followlinks=True):
    # A link may lead to a parent folder.
    if (real := os.path.realpath(folder)) in visited:
      below.clear()
      continue
    visited.add(real)
    below[:] = sorted(name for name in below if not name.startswith("."))
    yield from (pathlib.Path(folder, name) for name in names if not name.startswith("."))


def _read(file: pathlib.Path) -> bytes:
  with _named():
    return file.read_bytes()


@contextlib.contextmanager
def _named() -> Iterator[None]:
  """Turns an error of the operating system into a line that names the file."""
  try:
    yield
  except OSError as error:
    raise DataError(f"{readable(error.filename)} can't be read: {error.strerror}") from error


def _left_out(path: pathlib.Path, files: list[pathlib.Path]) -> str:
  named = ", ".join(readable(file.relative_to(path)) for file in files[:5])
  more = f" and {len(files) - 5} more" if len(files) > 5 else ""
  of_phones = any(file.suffix.lower() in (".heic", ".heif") for file in files)
  hint = f"; to read .heic: {shell.install('heif')}" if of_phones else ""
  count = "1 file is" if len(files) == 1 else f"{len(files)} files are"
  where = f"skipped in {readable(path)}, without a suffix of a readable image"
  return f"{count} {where}: {named}{more}{hint}"
