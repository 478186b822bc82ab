"""Checks of a user's arrays before anything is measured on them.

They work on concrete arrays, outside `jax.jit`. A message is one line that names the network, the
mistake and its place.
"""

from collections.abc import Mapping

import numpy as np


def _check_finite(values: np.ndarray, what: str) -> None:
  broken = np.flatnonzero(~np.isfinite(values).all(axis=-1))
  if broken.size:
    raise ValueError(
      f"{what}: {broken.size} of {len(values)} examples are not finite, "
      f"the first is number {broken[0]}"
    )


def _check_labels(labels: np.ndarray, num_examples: int, what: str) -> None:
  if not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(f"labels must be integers, not {labels.dtype}")
  if labels.shape != (num_examples,):
    raise ValueError(f"{what}: {num_examples} examples, but labels of shape {labels.shape}")


def check_logits(logits: Mapping[str, np.typing.ArrayLike], labels: np.typing.ArrayLike) -> None:
  """Checks that networks can be compared on the same examples.

  Args:
    logits: `[N, C]` by network name.
    labels: `[N]`, of the examples.

  Raises:
    ValueError: other shapes, or shapes that differ between the networks; fewer than two classes;
      logits that are not finite; labels that are not integers in `[0, C)`.

  Examples:
    >>> check_logits({"small": [[1.0, 0.0]], "large": [[2.0, 0.0, 1.0]]}, [0])
    Traceback (most recent call last):
      ...
    ValueError: large: logits of shape (1, 3), but small has (1, 2)
  """
  labels = np.asarray(labels)
  first: tuple[str, tuple[int, ...]] | None = None
  for name, values in logits.items():
    values = np.asarray(values, np.float32)
    if values.ndim != 2 or not len(values):
      raise ValueError(f"{name}: logits must be [N, C], not {values.shape}")
    if values.shape[1] < 2:
      raise ValueError(f"{name}: one class only, there is nothing to compare")
    first = first or (name, values.shape)
    if values.shape != first[1]:
      raise ValueError(f"{name}: logits of shape {values.shape}, but {first[0]} has {first[1]}")
    _check_labels(labels, len(values), name)
    wrong = np.flatnonzero((labels < 0) | (labels >= values.shape[1]))
    if wrong.size:
      raise ValueError(
        f"label {labels[wrong[0]]} of example {wrong[0]} is outside the "
        f"{values.shape[1]} classes of {name}"
      )
    _check_finite(values, f"{name}: logits")


def check_features(
  features: Mapping[str, np.typing.ArrayLike], labels: np.typing.ArrayLike
) -> None:
  """Checks that angles between features can be measured.

  Args:
    features: `[N, D]` by network name; D may differ.
    labels: `[N]`, of the examples.

  Raises:
    ValueError: other shapes; features that are not finite; labels that are not integers, or that
      are all of one class.

  Examples:
    >>> check_features({"small": [[1.0, 0.0], [0.0, 1.0]]}, [3, 3])
    Traceback (most recent call last):
      ...
    ValueError: all labels are 3: angles between classes need two classes
  """
  labels = np.asarray(labels)
  for name, values in features.items():
    values = np.asarray(values, np.float32)
    if values.ndim != 2 or not len(values):
      raise ValueError(f"{name}: features must be [N, D], not {values.shape}")
    _check_labels(labels, len(values), name)
    if np.all(labels == labels[0]):
      raise ValueError(f"all labels are {labels[0]}: angles between classes need two classes")
    _check_finite(values, f"{name}: features")
