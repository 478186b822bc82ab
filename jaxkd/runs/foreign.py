"""Teachers of any framework: the views as files, and logits of them back into predictions."""

import dataclasses
import hashlib
import os
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd import data, losses, methods
from jaxkd.common import provenance
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError, FileError, described, explained
from jaxkd.common.files import (
  exists,
  make_folder,
  read_json,
  remove_leftovers,
  temporary,
  temporary_path,
)
from jaxkd.common.logits import are_probabilities
from jaxkd.runs import predicted
from jaxkd.runs.phase import Phase
from jaxkd.training import predicting
from jaxkd.training.jobs import Dataset
from jaxkd.training.predictions import CLEAN, Predictions, differing, part_of
from jaxkd.training.step import measures

_ROWS = 4096
"""Images that are written, and logits that are read, at once."""


@dataclasses.dataclass(frozen=True)
class ViewForm:
  """How views are written.

  Attributes:
    size: height and width; 0: those of the student's images.
    mean: per channel, of pixels scaled to [0, 1], subtracted; empty: the pixels are raw, uint8.
    std: as `mean`, divided by.
    channels_first: whether images are `[channels, S, S]`, as PyTorch has them.
  """

  size: int = 0
  mean: tuple[float, ...] = ()
  std: tuple[float, ...] = ()
  channels_first: bool = False

  def check(self, channels: int) -> None:
    """Raises a ConfigError if the normalisation is not of the data set's channels."""
    if len(self.mean) != len(self.std) or len(self.mean) not in (0, channels):
      raise ConfigError(
        f"--view_mean has {len(self.mean)} numbers and --view_std {len(self.std)}, both must have "
        f"{channels}, one for each channel, or none for raw pixels"
      )
    if not all(each > 0 for each in self.std):
      raise ConfigError(f"--view_std is {self.std}, must be > 0")

  def of(self, pixels: jax.Array) -> jax.Array:
    """Returns images `[B, S, S, channels]` of uint8 in this form."""
    images = data.resized(pixels, self.size)
    if self.mean:
      images = data.standardized(images, self.mean, self.std)
    return jnp.moveaxis(images, -1, 1) if self.channels_first else images


def export_views(
  views: predicting.Views, about: Mapping[str, Any], folder: str, form: ViewForm
) -> None:
  """Writes `view-000.npy` and so on, `clean.npy`, `labels.npy` `[N]`, and `views.json`.

  An image array is `[N, ...]`, in the order of the labels. Files that are there are kept, if the
  folder is of the same views.
  """
  channels = about["data"]["channels"]
  form.check(channels)
  out = pathlib.Path(folder)
  make_folder(out)
  description = {**about, **predicted.as_json({"form": dataclasses.asdict(form)})}
  predicted.claim(out / "views.json", description)
  _save(out / "labels.npy", len(views.labels), [views.labels])
  rows = views.taken(lambda _, pixels: form.of(pixels), None)
  count = len(views.labels)
  for part in predicted.parts(about["views"]):
    path = out / f"{part}.npy"
    if exists(path):
      continue
    starts = range(0, count, _ROWS)
    shape, dtype = _save(
      path, count, (rows(part, start, min(start + _ROWS, count)) for start in starts)
    )
    tell(f"written: {path}, {dtype} {[*shape]}")


def check_exported(folder: str, about: Mapping[str, Any]) -> None:
  """Raises a ConfigError unless a folder of exported views is of the described images."""
  found = read_json(pathlib.Path(folder) / "views.json", "export the views again")
  del found["form"]
  for key in differing(about, found):
    raise ConfigError(
      f"--import_views is {folder!r}, whose views are not those of the config: they differ in "
      f"{key!r}"
    )


def _save(
  path: pathlib.Path, count: int, blocks: Iterable[np.ndarray]
) -> tuple[tuple[int, ...], np.dtype]:
  """Writes an array of `count` rows, block by block; returns its shape and dtype."""
  made = temporary_path(path, uuid.uuid4().hex)
  shape: tuple[int, ...] = ()
  # Not mapped into memory: on a full disk that would kill the process.
  with explained(FileError, f"can't write {path}", OSError), temporary(made) as file:
    for block in blocks:
      if not shape:
        shape, dtype = (count, *block.shape[1:]), block.dtype
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
      file.write(block.tobytes())
    file.flush()
    os.fsync(file.fileno())
    os.replace(made, path)
  remove_leftovers(path.parent, path.name)
  return shape, dtype


def read_logits(path: str, option: str) -> np.ndarray:
  """Returns the array of a `.npy` file, mapped into memory; nothing is unpickled."""
  with explained(FileError, f"{option} is {path!r}", OSError):
    try:
      found = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
      raise ConfigError(f"{option} is {path!r}: {described(error)}") from error
  if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
    kind = found.dtype if isinstance(found, np.ndarray) else "several arrays"
    raise ConfigError(f"{option} is {path!r}, must be one array of floats, has {kind}")
  return found


@dataclasses.dataclass(frozen=True)
class Imported:
  """Logits from outside of jaxkd.

  Attributes:
    name: of the teacher, for reports.
    logits: `[K, N, C]`.
    clean: `[N, C]`, of the images without augmentation; None if there are none.
    class_names: in the order of the logits; empty: the data set's order.
  """

  name: str
  logits: np.ndarray
  clean: np.ndarray | None = None
  class_names: Sequence[str] = ()

  def parts(self) -> dict[str, np.ndarray]:
    """Returns the logits `[N, C]` of each part."""
    found = {part_of(view): logits for view, logits in enumerate(self.logits)}
    return found if self.clean is None else {**found, CLEAN: self.clean}

  @property
  def digest(self) -> str:
    """A hash of all logits."""
    found = hashlib.sha256(" ".join(self.class_names).encode())
    for part, logits in self.parts().items():
      found.update(f"{part} {logits.shape} {logits.dtype}".encode())
      for start in range(0, len(logits), _ROWS):
        found.update(np.ascontiguousarray(logits[start : start + _ROWS]).tobytes())
    return found.hexdigest()


def check(imported: Imported, views: int, labels: np.ndarray, class_names: Sequence[str]) -> None:
  """Checks logits against the labels of a training split.

  Raises:
    ConfigError: shape, values, classes or order are wrong.
  """
  shape, wanted = imported.logits.shape, (views, len(labels), len(class_names))
  if shape != wanted:
    raise ConfigError(
      f"--import_logits has the shape {[*shape]}, must be {[*wanted]}: views, training examples, "
      "classes"
    )
  if imported.clean is not None and imported.clean.shape != wanted[1:]:
    raise ConfigError(
      f"--import_clean has the shape {[*imported.clean.shape]}, must be {[*wanted[1:]]}"
    )
  names = imported.class_names or class_names
  order = predicted.class_places(names, class_names, "--import_classes")
  usual = np.bincount(labels, minlength=len(class_names)).max() / len(labels)
  needed = usual + 5 * np.sqrt(usual * (1 - usual) / len(labels))
  for part, logits in imported.parts().items():
    correct, probabilities = 0, True
    for start in range(0, len(labels), _ROWS):
      block = np.asarray(logits[start : start + _ROWS], np.float32)
      bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
      if bad.size:
        raise ConfigError(f"the logits of {part} are not finite, first in row {start + bad[0]}")
      probabilities = probabilities and are_probabilities(block)
      block = block if order is None else block[:, list(order)]
      correct += int(np.sum(block.argmax(axis=1) == labels[start : start + len(block)]))
    if probabilities:
      raise ConfigError(
        f"the logits of {part} are probabilities, rows in [0, 1] that sum to 1; import the "
        "network's logits, or np.log of these"
      )
    accuracy = correct / len(labels)
    tell(f"{part}: the logits agree with {accuracy:.2%} of the labels")
    if accuracy < needed:
      raise ConfigError(
        f"the logits of {part} agree with {accuracy:.2%} of the labels, near chance, {usual:.2%}: "
        "their rows must be in the order of labels.npy of --export_views, their columns in that of "
        "the classes, or of --import_classes"
      )


def teacher_phase(imported: Imported, seen: Mapping[str, Any]) -> Phase:
  """Returns the phase that stands for a teacher from outside, identified by its logits."""
  free = ("views", "view_seed", "seed", "class_names")
  own = {key: value for key, value in seen.items() if key not in free}
  names = list(imported.class_names) or seen["class_names"]
  return Phase(
    data={**own, "class_names": names},
    network={
      "name": imported.name,
      "dtype": "float32",
      "options": {},
      "arrays": "",
      "imported": imported.digest,
    },
    schedule={"epochs": 0.0, "learning_rate": 0.0},
    objective=methods.identity(methods.objective("cross_entropy")),
    seed=0,
  )


def write(
  imported: Imported, about: Mapping[str, Any], dataset: Dataset, teacher: Phase, out: str
) -> Predictions:
  """Writes checked logits as predictions for `teacher.predictions`."""
  names = list(imported.class_names) or list(dataset.class_names)
  labels = predicting.labels_of(dataset)
  predictions = Predictions.create(out, {**about, "class_names": names})
  order = predicted.class_places(names, dataset.class_names, out)
  # The accuracy is counted in the order of the stored classes.
  own_labels = labels if order is None else np.asarray(order)[labels]
  for part, logits in imported.parts().items():
    if not predictions.has(part):

      def rows(start: int, stop: int, logits=logits) -> tuple[np.ndarray, None]:
        return np.asarray(logits[start:stop], np.float32), None

      predictions.write_part(part, _ROWS, rows, own_labels)
  first = np.asarray(imported.logits[0], np.float32)
  means = _means(first, own_labels)
  evaluated = {"examples": data.size(dataset.evaluated), "accuracy": float("nan")}
  result = {
    "parameters": 0,
    "temperatures": list(losses.ISATS_GRID),
    "class_names": names,
    "finished": provenance.today(),
    "train": {"examples": len(labels), **means},
    dataset.split: {**evaluated, "loss": float("nan")},
  }
  predicted.finish(predictions, teacher, result)
  return predictions


def _means(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
  """Returns the means over the examples of the measures of `Evaluator.measure`."""
  found = [
    jax.tree.map(np.asarray, measures(logits[at : at + _ROWS], labels[at : at + _ROWS]))
    for at in range(0, len(labels), _ROWS)
  ]
  return {
    name: np.concatenate([each[name] for each in found], axis=-1).mean(axis=-1).tolist()
    for name in found[0]
  }
