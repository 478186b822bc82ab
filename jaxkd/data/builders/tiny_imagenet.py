"""Tiny ImageNet: 200 classes with 500 training and 50 test images of 64x64 pixels."""

import pathlib
import re
from collections.abc import Iterator

import tensorflow_datasets as tfds

from jaxkd.data.base import DataError
from jaxkd.data.builders import files

_NAME = "tiny-imagenet-200"
_TRAIN = re.compile(r"train/([^/]+)/images/[^/]+\.JPEG")


class TinyImagenet(tfds.core.GeneratorBasedBuilder):
  """Reads `tiny-imagenet-200.zip`, or the folder that it unpacks to.

  The labels of the published test images are not public. The split `test` is the published `val`,
  as everywhere in the literature.
  """

  VERSION = tfds.core.Version("1.0.0")
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"{_NAME}.zip, {_NAME}/"

  def _info(self) -> tfds.core.DatasetInfo:
    homepage = f"http://cs231n.stanford.edu/{_NAME}.zip"
    return files.info(self, homepage, (64, 64, 3), "jpeg", None)

  def _split_generators(self, dl_manager):
    folder = pathlib.Path(dl_manager.manual_dir)
    path = files.find(folder, _NAME, f"{_NAME}.zip")
    if not path:
      raise DataError(f"{folder} has neither {_NAME}.zip nor {_NAME}/")
    source = files.Archive(path, _NAME)
    tables = ("wnids.txt", "words.txt", "val/val_annotations.txt")
    classes, dictionary, annotations = source.texts(*tables)
    wnids = classes.split()
    words = {wnid: name for wnid, name, *_ in _rows(dictionary, f"words.txt in {source.path}")}
    names = [words.get(wnid, wnid).split(",")[0].strip() for wnid in wnids]
    # Two synsets may share their first word.
    self.info.features["label"].names = [
      f"{name} ({wnid})" if names.count(name) > 1 else name
      for name, wnid in zip(names, wnids, strict=True)
    ]
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    train = {match[0]: match[1] for match in map(_TRAIN.fullmatch, source.names) if match}
    rows = _rows(annotations, f"val_annotations.txt in {source.path}")
    test = {f"val/images/{file}": wnid for file, wnid, *_ in rows}
    for name, wnid in (train | test).items():
      if wnid not in labels:
        raise DataError(f"{name} in {source.path} is of class {wnid}, not in wnids.txt")
    splits = {}
    for split, published, images in (("train", "train", train), ("test", "val", test)):
      labelled = {name: labels[wnid] for name, wnid in images.items()}
      source.check(wnids, published, labelled)
      splits[split] = self._generate_examples(source, labelled)
    return splits

  def _generate_examples(self, source, labels):
    return source.examples(labels)


def _rows(text: str, origin: str) -> Iterator[list[str]]:
  """Yields the columns of each line, two or more."""
  for number, line in enumerate(text.splitlines(), 1):
    if "\t" not in line:
      raise DataError(f"line {number} of {origin} has no tab: {line!r}")
    yield line.split("\t")
