"""CUB-200-2011 (Wah et al. 2011): 200 birds in their official splits.

TFDS's own builder needs OpenCV and the archive of segmentations, too.
"""

import contextlib
import pathlib

import tensorflow_datasets as tfds

from jaxkd.data.base import DataError
from jaxkd.data.builders import files

_NAME = "CUB_200_2011"
_URL = f"https://data.caltech.edu/records/65de6-vp158/files/{_NAME}.tgz?download=1"


class Cub(tfds.core.GeneratorBasedBuilder):
  """Reads `CUB_200_2011.tgz`, `CUB_200_2011.tar`, or the folder in them.

  TFDS downloads the first and checks its checksum. Archives of fewer classes are read, too.
  """

  VERSION = tfds.core.Version("1.0.0")
  MANUAL_DOWNLOAD_INSTRUCTIONS = f"{_NAME}.tgz, {_NAME}.tar, {_NAME}/"

  def _info(self) -> tfds.core.DatasetInfo:
    homepage = "https://www.vision.caltech.edu/datasets/cub_200_2011/"
    return files.info(self, homepage, (None, None, 3), "jpeg", None)

  def _split_generators(self, dl_manager):
    path = None
    # TFDS raises it without a folder of archives.
    with contextlib.suppress(AssertionError):
      path = files.find(pathlib.Path(dl_manager.manual_dir), _NAME, f"{_NAME}.tar")
    source = files.Archive(path or pathlib.Path(dl_manager.download(_URL)), _NAME)
    tables = ("classes", "images", "image_class_labels", "train_test_split")
    texts = source.texts(*(f"{table}.txt" for table in tables))
    try:
      parsed = [dict(line.split(maxsplit=1) for line in text.splitlines()) for text in texts]
    except ValueError as error:
      where = f"a line of {', '.join(tables)}.txt in {source.path}"
      raise DataError(f"{where} is not a number and a value") from error
    classes, names, class_of, in_train = parsed
    called = [name.split(".")[-1].replace("_", " ") for name in classes.values()]
    self.info.features["label"].names = called
    labels = {number: label for label, number in enumerate(classes)}
    splits: dict[str, dict[str, int]] = {"train": {}, "test": {}}
    for number, name in names.items():
      try:
        split = {"1": "train", "0": "test"}[in_train[number]]
        own = classes[class_of[number]]
      except KeyError as error:
        raise DataError(f"{source.path} lacks the split or the class of {name}") from error
      if own != name.split("/")[0]:
        raise DataError(f"{name} in {source.path} has the label of class {own}")
      splits[split][f"images/{name}"] = labels[class_of[number]]
    for split, images in splits.items():
      source.check(list(classes.values()), split, images)
    return {split: self._generate_examples(source, images) for split, images in splits.items()}

  def _generate_examples(self, source, labels):
    return source.examples(labels)
