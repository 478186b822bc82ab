"""Digits-Five as published with M3SDA (Peng et al. 2019): MATLAB files."""

import pathlib
from collections.abc import Iterator

import numpy as np
import scipy.io
import tensorflow_datasets as tfds

from jaxkd.common.errors import explained
from jaxkd.data.base import DataError
from jaxkd.data.builders import files

# Images `[N, H, W, channels]` in [0, 255]; labels `[N, 1]`, or one-hot.
_Split = tuple[np.ndarray, np.ndarray]


_FILES = {
  "mnist": ["mnist_data.mat"],
  "mnist_m": ["mnistm_with_label.mat"],
  "usps": ["usps_28x28.mat"],
  "svhn": ["svhn_train_32x32.mat", "svhn_test_32x32.mat"],
  "syn": ["syn_number.mat"],
}
# Names of the arrays of images and labels, to train on and to test on.
_ARRAYS = {
  "mnist": ("train_28", "label_train", "test_28", "label_test"),
  "mnist_m": ("train", "label_train", "test", "label_test"),
  "syn": ("train_data", "train_label", "test_data", "test_label"),
}


class DigitsFive(tfds.core.GeneratorBasedBuilder):
  """One config for each domain; each reads its own files."""

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=domain) for domain in _FILES]

  @property
  def MANUAL_DOWNLOAD_INSTRUCTIONS(self) -> str:
    """Names the files."""
    return ", ".join(_FILES[self.builder_config.name])

  def _info(self) -> tfds.core.DatasetInfo:
    channels = 1 if self.builder_config.name in ("mnist", "usps") else 3
    return files.info(self, "http://ai.bu.edu/M3SDA/", (None, None, channels), "png", 10)

  def _split_generators(self, dl_manager):
    domain = self.builder_config.name
    paths = [pathlib.Path(dl_manager.manual_dir) / name for name in _FILES[domain]]
    try:
      train, test = _splits(domain, list(map(_load, paths)))
    except KeyError as error:
      raise DataError(f"{' or '.join(map(str, paths))} lacks the array {error}") from error
    classes = range(1, 11) if domain == "svhn" else range(10)
    train, test = _checked(train, classes, paths[0]), _checked(test, classes, paths[-1])
    return {"train": self._generate_examples(train), "test": self._generate_examples(test)}

  def _generate_examples(self, split: _Split) -> Iterator[tuple[int, dict]]:
    for row, (image, label) in enumerate(zip(*split, strict=True)):
      yield row, {"image": files.png(image), "label": int(label)}


def _load(file: pathlib.Path) -> dict[str, np.ndarray]:
  if not file.is_file():
    raise DataError(f"{file} is missing")
  # SciPy has no common class for errors of damaged files.
  with explained(DataError, f"{file} is damaged"):
    return scipy.io.loadmat(file)


def _checked(split: _Split, classes: range, file: pathlib.Path) -> _Split:
  """Returns images as uint8 and digits `[N]`, the last digits of labels that must be `classes`."""
  images, labels = split
  if len(images) != len(labels):
    raise DataError(f"{file} has {len(images)} images and {len(labels)} labels in one split")
  with np.errstate(invalid="ignore"):
    pixels = images.astype(np.uint8)
  # Pixels in [0, 1] would all be black.
  if not np.array_equal(pixels, images) or np.max(images, initial=0) <= 1:
    raise DataError(f"{file} has pixels that are not whole numbers up to 255")
  if labels.shape == (len(images), 10):
    if not np.all(np.sort(labels, axis=1) == np.eye(10)[9]):
      raise DataError(f"{file} has labels that are not one-hot")
    labels = labels.argmax(1)
  elif labels.size == len(images):
    labels = labels.ravel()
  else:
    raise DataError(f"{file} has labels of shape {labels.shape}, must be [N, 1] or [N, 10]")
  wrong = ~np.isin(labels, classes)
  if wrong.any():
    row, allowed = int(np.argmax(wrong)), f"{classes[0]} to {classes[-1]}"
    raise DataError(f"image {row} in {file} has label {labels[row]}, not {allowed}")
  if missing := set(classes) - set(labels.tolist()):
    raise DataError(f"{file} has no images of label {min(missing)} in a split")
  return pixels, labels % 10


def _splits(domain: str, mats: list[dict[str, np.ndarray]]) -> list[_Split]:
  """Returns the training and the test split."""
  if domain == "usps":
    # Cells: a row for each split; images `[N, 1, H, W]` in [0, 1], labels.
    cells = mats[0]["dataset"]
    return [(np.round(255 * images)[:, 0, ..., None], labels) for images, labels in cells]
  if domain == "svhn":
    # The label of 0 is 10.
    return [(np.moveaxis(mat["X"], -1, 0), mat["y"]) for mat in mats]
  train, train_labels, test, test_labels = (mats[0][name] for name in _ARRAYS[domain])
  return [(train, train_labels), (test, test_labels)]
