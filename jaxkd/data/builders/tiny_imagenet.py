"""Tiny ImageNet: 200 classes of 500 images of 64x64 pixels, 50 to evaluate."""

import collections
import io
import pathlib
import re
import zipfile
from collections.abc import Iterator

import tensorflow_datasets as tfds
from PIL import Image

from jaxkd.data.base import DataError

_NAME = "tiny-imagenet-200"
_TRAIN = re.compile(r"train/([^/]+)/images/[^/]+\.JPEG")


class TinyImagenet(tfds.core.GeneratorBasedBuilder):
  """Reads `tiny-imagenet-200.zip`, or the folder that it unpacks to.

  The labels of the published test images are not public: the split `test` is
  the published `val`, as everywhere in the literature.
  """

  VERSION = tfds.core.Version("1.0.0")
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"{_NAME}.zip, or the folder {_NAME}"

  def _info(self) -> tfds.core.DatasetInfo:
    features = {
      "image": tfds.features.Image(shape=(64, 64, 3), encoding_format="jpeg"),
      "label": tfds.features.ClassLabel(),
    }
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(features),
      homepage="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
    )

  def _split_generators(self, dl_manager):
    archive = _Archive(pathlib.Path(dl_manager.manual_dir))
    wnids = archive.text("wnids.txt").split()
    words = dict(
      line.split("\t", 1) for line in archive.text("words.txt").splitlines()
    )
    names = [words.get(wnid, wnid).split(",")[0].strip() for wnid in wnids]
    # Two synsets may share their first word.
    counts = collections.Counter(names)
    self.info.features["label"].names = [
      f"{name} ({wnid})" if counts[name] > 1 else name
      for name, wnid in zip(names, wnids, strict=True)
    ]
    labels = {wnid: label for label, wnid in enumerate(wnids)}

    train = [
      (match[0], match[1])
      for match in map(_TRAIN.fullmatch, archive.names)
      if match
    ]
    annotations = archive.text("val/val_annotations.txt").splitlines()
    test = [
      (f"val/images/{file}", wnid)
      for file, wnid, *_ in (line.split("\t") for line in annotations)
    ]
    for split, files in (("train", train), ("val", test)):
      if empty := set(wnids) - {wnid for _, wnid in files}:
        raise DataError(
          f"{archive.path} has no images of class {min(empty)} in {split}"
        )
    return {
      "train": self._generate_examples(archive, train, labels),
      "test": self._generate_examples(archive, test, labels),
    }

  def _generate_examples(
    self,
    archive: "_Archive",
    files: list[tuple[str, str]],
    labels: dict[str, int],
  ) -> Iterator[tuple[str, dict]]:
    for name, wnid in files:
      if wnid not in labels:
        raise DataError(
          f"{name} in {archive.path} is of class {wnid}, not in wnids.txt"
        )
      image = io.BytesIO(archive.read(name))
      try:
        Image.open(image).load()
      except (OSError, SyntaxError) as error:
        raise DataError(
          f"{name} in {archive.path} is not a readable image: {error}"
        ) from error
      image.seek(0)
      yield name, {"image": image, "label": labels[wnid]}


class _Archive:
  """The files of the archive, packed or not.

  Attributes:
    path: the archive or the folder.
    names: of all files, below the archive's only folder.
  """

  def __init__(self, folder: pathlib.Path):
    unpacked, packed = folder / _NAME, folder / f"{_NAME}.zip"
    self._zip = None
    if unpacked.is_dir():
      self.path = unpacked
      files = (file for file in unpacked.rglob("*") if file.is_file())
      self.names = sorted(str(file.relative_to(unpacked)) for file in files)
    elif packed.is_file():
      self.path = packed
      try:
        self._zip = zipfile.ZipFile(packed)
      except zipfile.BadZipFile as error:
        raise DataError(f"{packed} is damaged: {error}") from error
      prefix = f"{_NAME}/"
      self.names = [name.removeprefix(prefix) for name in self._zip.namelist()]
    else:
      raise DataError(f"{folder} has neither {_NAME}.zip nor {_NAME}/")

  def read(self, name: str) -> bytes:
    """Returns a file's content."""
    try:
      if self._zip:
        return self._zip.read(f"{_NAME}/{name}")
      return (self.path / name).read_bytes()
    except (KeyError, OSError, zipfile.BadZipFile) as error:
      raise DataError(
        f"{name} in {self.path} can't be read: {error}"
      ) from error

  def text(self, name: str) -> str:
    """Returns a text file's content."""
    return self.read(name).decode()
