"""Studies of logits that any framework has saved with `numpy.savez`."""

import hashlib
import pathlib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxkd.analysis.study import MeasuredTeacher, Study
from jaxkd.common.errors import ConfigError, FileError, described, one_line
from jaxkd.common.files import StrPath, check_zip
from jaxkd.common.logits import are_probabilities

_KEYS = ("logits", "labels", "features", "class_names")
_Arrays = Mapping[str, np.typing.ArrayLike]


def read(paths: Sequence[StrPath]) -> Study:
  """Reads a `.npz` file for each teacher, from small to large, named after the file.

  Each has `logits` `[N, C]`, which may be log-probabilities, and `labels` `[N]`; it may have
  `features` `[N, D]` and `class_names` `[C]`. N, C and the labels are the same in all files.
  Nothing is unpickled.
  """
  if len(paths) < 2:
    raise ConfigError("--logits names one file; a comparison needs two or more")
  files = [pathlib.Path(path) for path in paths]
  stems = [one_line(file.stem) for file in files]
  names = stems if len(set(stems)) == len(stems) else [one_line(str(file)) for file in files]
  if len(set(names)) < len(names):
    raise ConfigError("--logits names a file twice")
  loaded = {name: _load(file) for name, file in zip(names, files, strict=True)}
  logits, all_labels, features, all_classes = (
    {name: arrays[key] for name, arrays in loaded.items() if key in arrays} for key in _KEYS
  )
  labels = all_labels[names[0]]
  try:
    check_logits(logits, labels)
    _check_equal("labels", all_labels)
    check_features(features, labels)
    _check_equal("class_names", all_classes)
  except ValueError as error:
    raise FileError(str(error)) from error
  for name, file in zip(names, files, strict=True):
    if are_probabilities(logits[name]):
      raise FileError(
        f"{file}: logits are probabilities, rows in [0, 1] that sum to 1; save the network's "
        "logits, or np.log of these"
      )
  logs = [name for name in names if are_probabilities(np.exp(np.minimum(logits[name], 1)))]
  num_examples, num_classes = logits[names[0]].shape
  classes = np.ravel(next(iter(all_classes.values()), np.arange(num_classes)))
  if len(classes) != num_classes:
    name = next(iter(all_classes))
    raise FileError(f"{name}: {len(classes)} class_names for {num_classes} classes")
  contents = hashlib.sha256()
  for key, values in (found for arrays in loaded.values() for found in arrays.items()):
    contents.update(f"{key} {values.shape} {values.dtype} ".encode() + values.tobytes())
  return Study(
    title="-".join(stems),
    teachers=tuple(MeasuredTeacher(name, logits[name], features.get(name)) for name in names),
    labels=labels.astype(np.int32),
    class_names=tuple(one_line(str(name)) for name in classes),
    about=f"{num_examples} examples of {num_classes} classes; logits saved as "
    f"{', '.join(one_line(file.name) for file in files)}.",
    approximations=tuple(
      f"{name} has log-probabilities, for which ATS and ISATS differ from those of its logits"
      for name in logs
    ),
    digest=contents.hexdigest()[:8],
  )


def _load(path: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    # NumPy warns of files that Python 2 has written.
    with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
      archive = np.load(file, allow_pickle=False)
      if not isinstance(archive, np.lib.npyio.NpzFile):
        raise FileError(f"{path} holds one array, must be a .npz file")
      check_zip(path)
      loaded = {name: archive[name] for name in _KEYS if name in archive.files}
      found = ", ".join(archive.files) or "none"
  except FileError:
    raise
  except OSError as error:
    raise FileError(f"can't read {path}: {error.strerror or error}") from error
  # The errors of NumPy and zipfile have no common class.
  except Exception as error:
    # NumPy advises to load the file unsafely, in further sentences.
    reason = re.split(r"(?<=\D)\. ", described(error))[0]
    if "pickle" in reason:
      reason = "it has Python objects, which are never loaded"
    raise FileError(f"{path} is not a sound .npz file: {reason[:200]}") from error
  for name, values in loaded.items():
    # NumPy returns a member that is no array as bytes.
    if not isinstance(values, np.ndarray):
      raise FileError(f"{path}: {name} is not an array")
  for name in ("logits", "labels"):
    if name not in loaded:
      raise FileError(f"{path} has no array {name!r}; its arrays are: {found}")
  for name, values in loaded.items():
    kinds, wanted = ("Uiu", "text") if name == "class_names" else ("fiu", "numbers")
    if values.dtype.kind not in kinds:
      raise FileError(f"{path}: {name} are of type {values.dtype}, must be {wanted}")
  for name in {"logits", "features"} & loaded.keys():
    # Values out of float32's range become infinite, which `check_logits` refuses.
    with np.errstate(over="ignore"):
      loaded[name] = loaded[name].astype(np.float32)
  return loaded


def _check_equal(key: str, arrays: Mapping[str, np.ndarray]) -> None:
  """Checks that all files that have an array have the same one."""
  for name, values in arrays.items():
    first, expected = next(iter(arrays.items()))
    if not np.array_equal(values, expected):
      raise ValueError(
        f"the {key} of {name} differ from those of {first}; all files must have the same examples "
        "and classes in the same order"
      )


def check_logits(logits: _Arrays, labels: np.typing.ArrayLike) -> None:
  """Checks that logits `[N, C]` by network name are finite, and labels `[N]` are in `[0, C)`."""
  labels = np.asarray(labels)
  first: Any = None
  for name, given in logits.items():
    shape = _check(name, "logits", "C", given, labels)
    if shape[1] < 2:
      raise ValueError(f"{name}: one class only, there is nothing to compare")
    first = first or (name, shape)
    if shape != first[1]:
      raise ValueError(f"{name}: logits of shape {shape}, but {first[0]} has {first[1]}")
    wrong = np.flatnonzero((labels < 0) | (labels >= shape[1]))
    if wrong.size:
      raise ValueError(
        f"label {labels[wrong[0]]} of example {wrong[0]} is outside the {shape[1]} classes of "
        f"{name}"
      )


def check_features(features: _Arrays, labels: np.typing.ArrayLike) -> None:
  """Checks features `[N, D]` by network name, where D may differ, and labels of two classes."""
  labels = np.asarray(labels)
  for name, given in features.items():
    _check(name, "features", "D", given, labels)
    if np.all(labels == labels[0]):
      raise ValueError(f"all labels are {labels[0]}: angles between classes need two classes")


def _check(
  name: str, kind: str, width: str, given: np.typing.ArrayLike, labels: np.ndarray
) -> tuple[int, ...]:
  """Checks that a network's outputs are finite and have integer labels; returns their shape."""
  values = np.asarray(given, np.float32)
  if values.ndim != 2 or not len(values):
    raise ValueError(f"{name}: {kind} must be [N, {width}], not {values.shape}")
  if not np.issubdtype(labels.dtype, np.integer):
    raise ValueError(f"labels must be integers, not {labels.dtype}")
  if labels.shape != (len(values),):
    raise ValueError(f"{name}: {len(values)} examples, but labels of shape {labels.shape}")
  broken = np.flatnonzero(~np.isfinite(values).all(axis=-1))
  if broken.size:
    raise ValueError(
      f"{name}: {kind}: {broken.size} of {len(values)} examples are not finite, the first is "
      f"number {broken[0]}"
    )
  return values.shape
