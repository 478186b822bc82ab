"""Files that the builders read and write: archives, and encoded images."""

import functools
import io
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from jaxkd.common.errors import explained
from jaxkd.data import images
from jaxkd.data.base import DataError

_MAX_BYTES = 2**28  # of a file in an archive; more is a decompression bomb


class Archive:
  """The files below a folder, or in a `.zip` or tar archive; `names` lists them.

  Nothing is unpacked to disk, so no name or link in an archive leads out of a folder. A missing,
  damaged or huge file is a DataError.
  """

  def __init__(self, path: pathlib.Path, folder: str):
    self.path = path
    self._prefix = f"{folder}/"
    # Errors of damaged archives have no common class.
    with explained(DataError, f"{path} is damaged"):
      self.names = [name for name, _ in self._files()]

  def read(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents of files, in the archive's order."""
    wanted = set(names)
    if missing := wanted - set(self.names):
      raise DataError(f"{self.path} lacks {min(missing)}")
    with explained(DataError, f"{self.path} is damaged"):
      for name, content in self._files():
        if name in wanted:
          yield name, content()

  def examples(self, labels: dict[str, int]) -> Iterator[tuple[str, dict]]:
    """Yields labelled images by name, unchanged, after decoding them as a check."""
    for name, content in self.read(labels):
      images.read(content, f"{name} in {self.path}")
      yield name, {"image": io.BytesIO(content), "label": labels[name]}

  def check(self, classes: Sequence[str], split: str, labels: dict[str, int]) -> None:
    """Raises a DataError if a class has no images in a split."""
    if missing := set(range(len(classes))) - set(labels.values()):
      name = classes[min(missing)]
      raise DataError(f"{self.path} has no images of class {name} in {split}")

  def texts(self, *names: str) -> list[str]:
    """Returns the contents of text files."""
    contents = dict(self.read(names))
    with explained(DataError, f"{', '.join(names)} in {self.path} are not all text", UnicodeError):
      return [contents[name].decode() for name in names]

  def _files(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yields the name of each file, and a function that reads it before the next is asked for."""

    def limited(name, file):
      content = file.read(_MAX_BYTES + 1)
      if len(content) > _MAX_BYTES:
        raise DataError(f"{name} has more than {_MAX_BYTES:,} bytes")
      return content

    if self.path.is_dir():
      for file in sorted(self.path.rglob("*")):
        if file.is_file():
          yield str(file.relative_to(self.path)), file.read_bytes
      return
    method = tfds.download.ExtractMethod["ZIP" if self.path.suffix == ".zip" else "TAR"]
    # TFDS would open a path with TensorFlow.
    with self.path.open("rb") as opened:
      for name, file in tfds.download.iter_archive(opened, method):
        yield name.removeprefix(self._prefix), functools.partial(limited, name, file)


def png(image: np.ndarray) -> io.BytesIO:
  """Returns an image `[H, W]` or `[H, W, 1 or 3]`, uint8, as a PNG file."""
  if image.shape[-1] == 1:
    image = image[..., 0]
  file = io.BytesIO()
  Image.fromarray(image).save(file, "png")
  file.seek(0)
  return file


def find(folder: pathlib.Path, *names: str) -> pathlib.Path | None:
  """Returns the first of these files or folders that exists."""
  return next(filter(pathlib.Path.exists, map(folder.joinpath, names)), None)


def info(
  builder: tfds.core.DatasetBuilder, homepage: str, shape: tuple, encoding: str, classes: int | None
) -> tfds.core.DatasetInfo:
  """Describes images and labels; `classes` is None if the builder sets their names later."""
  image = tfds.features.Image(shape=shape, encoding_format=encoding)
  label = tfds.features.ClassLabel(num_classes=classes)
  features = tfds.features.FeaturesDict({"image": image, "label": label})
  return tfds.core.DatasetInfo(builder=builder, features=features, homepage=homepage)
