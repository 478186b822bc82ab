"""The user's own photographs: `train/<class>/*.jpg` and `test/<class>/*.jpg`.

The layout of `tfds.ImageFolder`, which itself needs TensorFlow to read images.
"""

import concurrent.futures
import functools
import hashlib
import pathlib

import numpy as np
import tqdm  # type: ignore[import-untyped]
from PIL import Image

from jaxkd.data import cache, decode, hashes, specs
from jaxkd.data.base import Arrays, DataError, Example, Examples

_TEST = ("test", "validation", "val")


class Folder(Examples):
  """A split that is a folder for each class.

  Args:
    spec: size and channels of the images.
    path: the folder of the split.
    class_names: the classes, in the order of the labels.
    squashed: whether images are kept whole, to be cropped at random.

  Raises:
    DataError: a class has no images, or there is a folder of another name.
  """

  def __init__(
    self,
    spec: specs.Spec,
    path: pathlib.Path,
    class_names: tuple[str, ...],
    squashed: bool,
  ):
    if others := sorted(set(_subfolders(path)) - set(class_names)):
      raise DataError(f"{path / others[0]} is not a class of the train folder")
    self._spec = spec
    self._files: list[pathlib.Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
      files = _images(path / name)
      self._files += files
      labels += [label] * len(files)
    self._labels = np.array(labels, np.int32)
    self._class_names = class_names
    size = spec.stored_size
    self.shape = size, size, spec.channels
    self.squashed = squashed
    self._path = path

  @property
  def class_names(self) -> tuple[str, ...]:
    """Names of the folders."""
    return self._class_names

  @property
  def labels(self) -> np.ndarray:
    """Labels of all examples."""
    return self._labels

  @functools.cached_property
  def content(self) -> str:
    """A hash of all images and their names below the split's folder.

    They are read once, and again when a size or a time of change differs.

    Raises:
      DataError: an image can't be read.
    """
    stats = hashlib.sha256()
    for name, file in self._named_files():
      stat = file.stat()
      stats.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    path = self._cache(f"content-{stats.hexdigest()[:12]}")
    return hashes.kept(path, self._read_content)

  def __len__(self) -> int:
    return len(self._files)

  def __getitem__(self, index: int) -> Example:
    file = self._files[index]
    try:
      encoded = file.read_bytes()
    except OSError as error:
      raise DataError(f"{file} can't be read: {error}") from error
    image, size = decode.image(encoded, self._spec, str(file), self.squashed)
    return Example(image, self._labels[index], size)

  def load(self) -> Arrays:
    """Returns all examples; decodes them the first time."""
    size = "x".join(map(str, self.shape))
    name = f"{size}-{self.content[:12]}"
    return cache.load(self, self._cache(name))

  def _read_content(self) -> str:
    def digest(file):
      try:
        with file.open("rb") as opened:
          return hashlib.file_digest(opened, "sha256").hexdigest()
      except OSError as error:
        raise DataError(f"{file} can't be read: {error}") from error

    content = hashlib.sha256()
    with concurrent.futures.ThreadPoolExecutor() as pool:
      digests = pool.map(digest, self._files)
      files = tqdm.tqdm(self._named_files(), f"reading {self._path}", unit=" images")
      for (name, _), its in zip(files, digests, strict=True):
        content.update(f"{name} {its}\n".encode())
    return content.hexdigest()

  def _named_files(self) -> list[tuple[str, pathlib.Path]]:
    return [(file.relative_to(self._path).as_posix(), file) for file in self._files]

  def _cache(self, name: str) -> pathlib.Path:
    return self._path.parent / "jaxkd_cache" / f"{self._path.name}-{name}"


@functools.cache
def content(path: str) -> str:
  """Returns a hash of all images and their classes, wherever the folder lies.

  A process looks at each folder once.

  Raises:
    DataError: as of `open_folder`; an image can't be read.
  """
  train, test = open_folder(specs.folder(len(class_names(path))), path)
  both = f"{train.content} {test.content}"
  return hashlib.sha256(both.encode()).hexdigest()[:12]


def class_names(path: str) -> tuple[str, ...]:
  """Returns the classes of a folder, sorted.

  Raises:
    DataError: there is no folder `train`, or nothing in it.
  """
  train = _root(path) / "train"
  if not train.is_dir():
    raise DataError(
      f"{train} is not there: config.data.data_dir must name a folder that has "
      "train/<class>/*.jpg and test/<class>/*.jpg"
    )
  names = _subfolders(train)
  if len(names) < 2:
    raise DataError(f"{train} must have a folder for each of two classes or more")
  return tuple(names)


def open_folder(spec: specs.Spec, path: str) -> tuple[Folder, Folder]:
  """Returns the training and the test split of a folder.

  Raises:
    DataError: something is missing, empty or superfluous.
  """
  names = class_names(path)
  for test in _TEST:
    if (_root(path) / test).is_dir():
      break
  else:
    raise DataError(f"{_root(path)} has no folder {', '.join(_TEST)}")
  return (
    Folder(spec, _root(path) / "train", names, squashed=True),
    Folder(spec, _root(path) / test, names, squashed=False),
  )


def _root(path: str) -> pathlib.Path:
  return pathlib.Path(path).expanduser()


def _subfolders(path: pathlib.Path) -> list[str]:
  return sorted(
    child.name for child in path.iterdir() if child.is_dir() and not child.name.startswith(".")
  )


def _images(path: pathlib.Path) -> list[pathlib.Path]:
  """Returns a class's images, sorted by name."""
  suffixes = Image.registered_extensions()
  if path.is_dir():
    files = sorted(
      file
      for file in path.iterdir()
      if file.suffix.lower() in suffixes and not file.name.startswith(".")
    )
    if files:
      return files
  raise DataError(f"{path} has no images")
