"""scikit-learn's handwritten digits, read from its file: to import scikit-learn takes a second."""

import importlib.util
import pathlib

import numpy as np

from jaxkd.data.base import InMemory

_TRAIN = 1437


def load() -> tuple[InMemory, InMemory]:
  """Returns the training and the test split.

  The rows of both, in `digits_rows.npy`, are those of scikit-learn's `train_test_split` of 360 test
  examples, stratified by the labels, with `random_state=0`.
  """
  found = importlib.util.find_spec("sklearn")
  if found is None or found.origin is None:
    raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
  file = pathlib.Path(found.origin).with_name("datasets") / "data" / "digits.csv.gz"
  table = np.loadtxt(file, delimiter=",")
  # 17 grey levels, 0 to 16.
  images = np.round(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
  labels = table[:, -1].astype(np.int32)
  names = tuple(map(str, range(10)))
  rows = np.load(pathlib.Path(__file__).with_name("digits_rows.npy"))
  train, test = (InMemory(images[own], labels[own], names) for own in np.split(rows, [_TRAIN]))
  return train, test
