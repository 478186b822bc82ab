"""Reads a split into memory as uint8 images and integer labels."""

from typing import NamedTuple

import jax
import numpy as np

from jaxkd.data import specs


class DataError(Exception):
  """Data is missing or is not what it should be; the message is one line."""


class Arrays(NamedTuple):
  """A split in memory, of the host or of the devices.

  Attributes:
    images: `[N, H, W, channels]`, uint8.
    labels: `[N]`, int32.
  """

  images: np.ndarray | jax.Array
  labels: np.ndarray | jax.Array


def load(spec: specs.Spec, data_dir: str = "") -> tuple[Arrays, Arrays]:
  """Returns the training and the test split.

  Args:
    spec: the data set.
    data_dir: where TFDS keeps its data; TFDS's own default if empty.

  Raises:
    DataError: the data set is not there, or not in a format that can be read.

  Examples:
    >>> from jaxkd import data
    >>> train, test = data.load(data.SPECS["digits"])
    >>> train.images.shape, test.labels.shape
    ((1437, 8, 8, 1), (360,))
  """
  if not spec.builder:
    return _digits()
  return (
    _tfds_split(spec, spec.train_split, data_dir),
    _tfds_split(spec, spec.test_split, data_dir),
  )


def _digits() -> tuple[Arrays, Arrays]:
  from sklearn import datasets, model_selection

  digits = datasets.load_digits()
  # 17 grey levels, 0 to 16.
  images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
  labels = digits.target.astype(np.int32)
  train, test = model_selection.train_test_split(
    np.arange(len(labels)), test_size=360, stratify=labels, random_state=0
  )
  return Arrays(images[train], labels[train]), Arrays(
    images[test], labels[test]
  )


def _tfds_split(spec: specs.Spec, split: str, data_dir: str) -> Arrays:
  import tensorflow_datasets as tfds

  builder = tfds.builder(
    spec.builder, data_dir=data_dir or None, file_format="array_record"
  )
  try:
    source = builder.as_data_source(split)
  except Exception as error:
    raise DataError(
      f"data set {spec.name!r} is not prepared in {builder.data_path}; "
      f"prepare it with: python -m jaxkd.data.prepare {spec.name}"
      + (f" --data_dir={data_dir}" if data_dir else "")
    ) from error
  examples = [source[i] for i in range(len(source))]
  return Arrays(
    np.stack([example["image"] for example in examples]),
    np.array([example["label"] for example in examples], np.int32),
  )
