"""Digits-Five as published with M3SDA (Peng et al. 2019): MATLAB files."""

import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import scipy.io
import tensorflow_datasets as tfds

from jaxkd.data.base import DataError
from jaxkd.data.builders import encoded

_Split = tuple[np.ndarray, np.ndarray]
"""Images `[N, H, W, channels]`, uint8, and labels `[N]`."""


class DigitsFive(tfds.core.GeneratorBasedBuilder):
  """One config for each domain, each of which reads its own files."""

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = [  # noqa: RUF012  (TFDS wants a list)
    tfds.core.BuilderConfig(name=name)
    for name in ("mnist", "mnist_m", "usps", "svhn", "syn")
  ]

  @property
  def MANUAL_DOWNLOAD_INSTRUCTIONS(self) -> str:
    """Names the files."""
    return ", ".join(_DOMAINS[self.builder_config.name][0])

  def _info(self) -> tfds.core.DatasetInfo:
    channels = 1 if self.builder_config.name in ("mnist", "usps") else 3
    features = {
      "image": tfds.features.Image(
        shape=(None, None, channels), encoding_format="png"
      ),
      "label": tfds.features.ClassLabel(num_classes=10),
    }
    return tfds.core.DatasetInfo(
      builder=self,
      features=tfds.features.FeaturesDict(features),
      homepage="http://ai.bu.edu/M3SDA/",
    )

  def _split_generators(self, dl_manager):
    names, parse = _DOMAINS[self.builder_config.name]
    files = [pathlib.Path(dl_manager.manual_dir) / name for name in names]
    try:
      train, test = parse(*map(_load, files))
    except KeyError as error:
      raise DataError(
        f"{' or '.join(map(str, files))} lacks the array {error}"
      ) from error
    return {
      "train": self._generate_examples(train, files[0]),
      "test": self._generate_examples(test, files[-1]),
    }

  def _generate_examples(
    self, split: _Split, file: pathlib.Path
  ) -> Iterator[tuple[int, dict]]:
    images, labels = split
    for row, (image, label) in enumerate(zip(images, labels, strict=True)):
      if not 0 <= label < 10:
        raise DataError(f"image {row} in {file} has label {label}, not 0 to 9")
      yield row, {"image": encoded.png(image), "label": int(label)}


def _load(file: pathlib.Path) -> dict[str, np.ndarray]:
  if not file.is_file():
    raise DataError(f"{file} is not there")
  try:
    return scipy.io.loadmat(file)
  # SciPy has no common class for what damaged files raise.
  except Exception as error:
    raise DataError(f"{file} is damaged: {error}") from error


def _mnist(mat: dict[str, np.ndarray]) -> tuple[_Split, _Split]:
  return (
    (mat["train_28"].astype(np.uint8), mat["label_train"].argmax(1)),
    (mat["test_28"].astype(np.uint8), mat["label_test"].argmax(1)),
  )


def _mnist_m(mat: dict[str, np.ndarray]) -> tuple[_Split, _Split]:
  return (
    (mat["train"].astype(np.uint8), mat["label_train"].argmax(1)),
    (mat["test"].astype(np.uint8), mat["label_test"].argmax(1)),
  )


def _usps(mat: dict[str, np.ndarray]) -> tuple[_Split, _Split]:
  # Cells: a row for each split; images `[N, 1, H, W]` in [0, 1], labels.
  train, test = (
    (np.round(255 * images).astype(np.uint8)[:, 0, ..., None], labels.ravel())
    for images, labels in mat["dataset"]
  )
  return train, test


def _svhn(*mats: dict[str, np.ndarray]) -> tuple[_Split, _Split]:
  # 0 has label 10.
  train, test = (
    (np.moveaxis(mat["X"], -1, 0), mat["y"].ravel() % 10) for mat in mats
  )
  return train, test


def _syn(mat: dict[str, np.ndarray]) -> tuple[_Split, _Split]:
  return (
    (mat["train_data"].astype(np.uint8), mat["train_label"].ravel()),
    (mat["test_data"].astype(np.uint8), mat["test_label"].ravel()),
  )


_DOMAINS: dict[str, tuple[tuple[str, ...], Callable]] = {
  "mnist": (("mnist_data.mat",), _mnist),
  "mnist_m": (("mnistm_with_label.mat",), _mnist_m),
  "usps": (("usps_28x28.mat",), _usps),
  "svhn": (("svhn_train_32x32.mat", "svhn_test_32x32.mat"), _svhn),
  "syn": (("syn_number.mat",), _syn),
}
