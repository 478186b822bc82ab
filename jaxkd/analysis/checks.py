"""Checks of a user's arrays: messages name the network, the mistake and its place in one line."""

from collections.abc import Mapping
from typing import Any

import numpy as np

_Arrays = Mapping[str, np.typing.ArrayLike]


def check_logits(logits: _Arrays, labels: np.typing.ArrayLike) -> None:
  """Checks that logits `[N, C]` by network name are finite, and labels `[N]` are in `[0, C)`."""
  labels = np.asarray(labels)
  first: Any = None
  for name, given in logits.items():
    values = _matrix(name, "logits", "C", given)
    if values.shape[1] < 2:
      raise ValueError(f"{name}: one class only, there is nothing to compare")
    first = first or (name, values.shape)
    if values.shape != first[1]:
      raise ValueError(f"{name}: logits of shape {values.shape}, but {first[0]} has {first[1]}")
    _check_labels(labels, name, values)
    wrong = np.flatnonzero((labels < 0) | (labels >= values.shape[1]))
    if wrong.size:
      raise ValueError(
        f"label {labels[wrong[0]]} of example {wrong[0]} is outside the {values.shape[1]} classes "
        f"of {name}"
      )
    _check_finite(values, f"{name}: logits")


def check_features(features: _Arrays, labels: np.typing.ArrayLike) -> None:
  """Checks features `[N, D]` by network name, where D may differ, and labels of two classes."""
  labels = np.asarray(labels)
  for name, given in features.items():
    values = _matrix(name, "features", "D", given)
    _check_labels(labels, name, values)
    if np.all(labels == labels[0]):
      raise ValueError(f"all labels are {labels[0]}: angles between classes need two classes")
    _check_finite(values, f"{name}: features")


def _matrix(name: str, what: str, width: str, values: np.typing.ArrayLike) -> np.ndarray:
  array = np.asarray(values, np.float32)
  if array.ndim != 2 or not len(array):
    raise ValueError(f"{name}: {what} must be [N, {width}], not {array.shape}")
  return array


def _check_labels(labels: np.ndarray, name: str, values: np.ndarray) -> None:
  if not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(f"labels must be integers, not {labels.dtype}")
  if labels.shape != (len(values),):
    raise ValueError(f"{name}: {len(values)} examples, but labels of shape {labels.shape}")


def _check_finite(values: np.ndarray, what: str) -> None:
  broken = np.flatnonzero(~np.isfinite(values).all(axis=-1))
  if broken.size:
    raise ValueError(
      f"{what}: {broken.size} of {len(values)} examples are not finite, the first is number "
      f"{broken[0]}"
    )
