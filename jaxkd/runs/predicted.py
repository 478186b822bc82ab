"""Predictions that teach: those of a given folder, and those that a store keeps of its teachers.

A store's predictions lie in `<store>/predictions-<hash>`, by the hash of all that determines them:
the teacher, the images, their views and the storage. Students of other methods, seeds and options
find them there.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import ml_collections
import numpy as np

from jaxkd import data
from jaxkd.common.buckets import AnyPath, in_bucket, located
from jaxkd.common.cluster import StopRequest
from jaxkd.common.console import tell
from jaxkd.common.digests import crc32
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import StrPath, exists, make_folder, read_json, usage, write_json
from jaxkd.common.locks import HeldError, held
from jaxkd.common.signals import Stopped
from jaxkd.data.base import tell_once
from jaxkd.models import Outputs
from jaxkd.runs import planning, teachers
from jaxkd.runs.phase import SCHEMA, Phase
from jaxkd.runs.store import LockedError, PhaseFolder
from jaxkd.training import predicting, sharding
from jaxkd.training.jobs import Dataset, RecalledTeacher, Teacher, needed_views
from jaxkd.training.predictions import ABOUT_FILE, CLEAN, Predictions, Storage, differing, part_of
from jaxkd.training.recall import Recalled

PREFIX = "predictions-"
"""Begins the names of a store's folders of predictions."""
FORMAT = 1
"""Raised when the same description stands for other predictions."""

_PAUSE = 5.0
"""Seconds between two looks whether another process has finished its predictions."""
# Differences between data of students that change no image, or are described on their own.
_FREE = ("batch_size", "seed", "mean", "std", "class_names", "views", "view_seed")


def described(
  teacher: Phase, seen: Mapping[str, Any], dataset: Dataset, storage: Storage
) -> dict[str, Any]:
  """Returns the description of predictions on a data set, for JSON; `seen` is a student's data."""
  own = {"teacher": teacher.to_dict(), "storage": dataclasses.asdict(storage)}
  return images_described(seen, dataset) | as_json(own)


def images_described(seen: Mapping[str, Any], dataset: Dataset) -> dict[str, Any]:
  """Returns the description of a student's views of a data set, for JSON."""
  labels = predicting.labels_of(dataset)
  return as_json(
    {
      "version": [FORMAT, SCHEMA],
      "data": _images(seen),
      "views": seen["views"],
      "view_seed": seen["view_seed"],
      "examples": len(labels),
      "labels": crc32(labels.astype(np.int32)),
      "class_names": dataset.class_names,
    }
  )


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
  """Returns values as they are read again: tuples become lists."""
  return json.loads(json.dumps(values))


def _images(seen: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what determines the images of a student's views."""
  # Erased boxes have the mean's colour.
  free = set(_FREE) - ({"mean"} if "erasing" in seen else set())
  free |= {"name"} if seen["content"] else set()
  return {key: value for key, value in seen.items() if key not in free}


def folder_of(workdir: AnyPath, about: Mapping[str, Any]) -> AnyPath:
  """Returns the folder of predictions in a store."""
  text = json.dumps(about, sort_keys=True)
  return workdir / f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def parts(views: int) -> list[str]:
  """Returns the names of all parts of predictions, the clean one last."""
  return [*map(part_of, range(views)), CLEAN]


def lossy(teacher: Phase, storage: Storage) -> Phase:
  """Returns the phase that stands for stored predictions; exact ones stand for the network."""
  if storage.exact:
    return teacher
  kept = {"dtype": storage.dtype, "top": storage.top}
  return dataclasses.replace(teacher, network={**teacher.network, "stored": kept})


def claim(file: AnyPath, about: Mapping[str, Any]) -> None:
  """Writes a description, or makes sure that the one that is there is the same."""
  if not exists(file):
    write_json(file, about)
  found = read_json(file, "remove the folder and write it again")
  for key in differing(about, found):
    raise ConfigError(f"{file} is of something else: it differs in {key!r}; name a new folder")


def finish(predictions: Predictions, teacher: Phase, result: Mapping[str, Any]) -> None:
  """Makes a folder of written parts one that `teacher.predictions` may name."""
  if jax.process_index() == 0:
    write_json(predictions.path / "config.json", lossy(teacher, predictions.storage).to_dict())
    write_json(predictions.path / "result.json", {**result, "steps": 0})


def check_data(predictions: Predictions, seen: Mapping[str, Any]) -> None:
  """Raises a ConfigError unless predictions are of the images that a student sees."""
  about = predictions.about
  if about.get("version") != [FORMAT, SCHEMA]:
    raise ConfigError(
      f"the predictions {predictions.path} are of another version of jaxkd, whose views may be "
      "others; write them again"
    )
  for option in ("views", "view_seed"):
    if seen.get(option, 0) != about[option]:
      name = "data.views" if option == "views" else "data.seed"
      raise ConfigError(
        f"config.{name} is {seen.get(option, 0)}, must be {about[option]}, as in the predictions "
        f"{predictions.path}"
      )
  ours, theirs = _images(seen), about["data"]
  for key in differing(ours, theirs):
    raise ConfigError(
      f"the predictions {predictions.path} are of other images: {key} was {theirs.get(key)!r}, "
      f"here it is {ours.get(key)!r}"
    )


def stored_outputs(storage: Storage) -> Outputs:
  """Returns the shapes of a recalled teacher's outputs for one image."""
  arrays = {
    name: jax.ShapeDtypeStruct((1, *shape), dtype)
    for name, (shape, dtype) in storage.arrays.items()
  }
  return jax.eval_shape(storage.unpack, arrays)


def outputs(phases: Sequence[Phase], stored: Mapping[Phase, Storage]) -> tuple[Outputs, ...]:
  """Returns the shapes of teachers' outputs for one image, some of them stored."""
  return tuple(
    stored_outputs(stored[each]) if each in stored else planning.outputs(each) for each in phases
  )


class Recollection:
  """Loads the teachers of one store, as networks or as predictions.

  Args:
    workdir: the store.
    dataset: that of all students.
    run: `config.run`.
    mesh: the devices.
    suffices: says whether a student can learn from stored outputs of its teachers.
    stop: ends the writing of predictions.
  """

  def __init__(
    self,
    workdir: AnyPath,
    dataset: Dataset,
    run: ml_collections.ConfigDict,
    mesh: jax.sharding.Mesh,
    suffices: Callable[[Phase, Mapping[Phase, Storage]], bool],
    stop: StopRequest,
  ):
    self._workdir, self._dataset, self._run = workdir, dataset, run
    self._mesh, self._suffices, self._stop = mesh, suffices, stop

  def teacher(self, phase: Phase, students: Sequence[Phase]) -> Teacher | RecalledTeacher:
    """Returns a finished phase as the teacher of students, which share all that they see."""
    first = students[0]
    examples, batch_size = data.size(self._dataset.train), first.data["batch_size"]
    count = needed_views(first.views, first.epochs, examples, batch_size)
    folder = PhaseFolder.of(self._workdir, phase)
    if exists(folder.path / ABOUT_FILE):
      return self._recalled(Predictions(folder.path), count, students)
    storage = Storage(classes=self._dataset.spec.num_classes)
    views = first.views and self._run.predictions_gib
    if not views or not all(self._suffices(each, {phase: storage}) for each in students):
      return teachers.load(folder, self._dataset, self._mesh)
    about = described(phase, first.data, self._dataset, storage)
    needed = parts(count)
    if not any(planning.objective_of(each).prepare for each in students):
      needed.remove(CLEAN)
    path = folder_of(self._workdir, about)
    missing = self._missing(path, about, needed)
    if not missing:
      _touch(path)
      tell(f"predictions of {phase.folder} are reused: {path}")
    elif self._is_too_large(storage.example_bytes * about["examples"] * len(missing)):
      return teachers.load(folder, self._dataset, self._mesh)
    else:
      amount = f"{len(missing)} of {len(needed)}"
      tell(f"predictions of {phase.folder} are written once, {amount}: {path}")
      network = teachers.load(folder, self._dataset, self._mesh)
      self.write(path, about, network, batch_size, needed)
    return self._recalled(Predictions(path), count, students)

  def write(
    self,
    path: AnyPath,
    about: Mapping[str, Any],
    network: Teacher,
    batch_size: int,
    parts: Sequence[str],
  ) -> Predictions:
    """Writes the parts of a folder that are missing, alone."""
    if jax.process_index() == 0:
      make_folder(path)
    with self._alone(path):
      if jax.process_index() == 0:
        Predictions.create(path, about)
      sharding.agreed(True)
      predictions = Predictions(path)
      augmentation = data.Augmentation.of(about["data"])
      views = predicting.Views(
        self._dataset, batch_size, about["view_seed"], augmentation, self._mesh, self._stop
      )
      predicting.write(predictions, network, views, batch_size, parts)
    return predictions

  def _missing(self, path: AnyPath, about: Mapping[str, Any], parts: Sequence[str]) -> list[str]:
    """Returns the parts that a folder lacks, as the first process sees it."""
    if not sharding.agreed(exists(path / ABOUT_FILE)):
      return list(parts)
    found = Predictions.create(path, about)
    return [part for part in parts if not sharding.agreed(found.has(part))]

  def _is_too_large(self, size: int) -> bool:
    """Returns whether a store has no room for more bytes of predictions; says so once."""
    limit = self._run.predictions_gib
    kept = sum(usage(each).bytes for each in folders(self._workdir))
    large = sharding.agreed(kept + size > limit * 2**30)
    if large:
      tell_once(
        f"{size / 2**30:.3g} GiB more of predictions would exceed config.run.predictions_gib, "
        f"{limit:g}: the teacher runs in every step; `jaxkd rm --unused` makes room"
      )
    return large

  @contextlib.contextmanager
  def _alone(self, path: AnyPath) -> Iterator[None]:
    """Keeps other processes from writing a folder; waits for one that does."""
    if jax.process_index() > 0:
      yield
      return
    told = False
    with contextlib.ExitStack() as stack:
      while True:
        try:
          stack.enter_context(locked(path))
          break
        except LockedError as error:
          if jax.process_count() > 1:
            raise
          if not told:
            told = True
            tell(f"{error}; waiting for it")
          if self._stop.is_set():
            raise Stopped("stopped while waiting; run the same command to resume") from error
          time.sleep(_PAUSE)
      yield

  def _recalled(
    self, predictions: Predictions, views: int, students: Sequence[Phase]
  ) -> RecalledTeacher:
    """Returns predictions as a teacher; a ConfigError if they are of other images or classes."""
    dataset, about = self._dataset, predictions.about
    check_data(predictions, students[0].data)
    labels = predicting.labels_of(dataset)
    if (len(labels), crc32(labels.astype(np.int32))) != (about["examples"], about["labels"]):
      raise ConfigError(
        f"the predictions {predictions.path} are of {about['examples']} other examples, must be of "
        f"the {len(labels)} training examples of {dataset.spec.name}"
      )
    predictions.require(map(part_of, range(views)))
    classes = class_places(about["class_names"], dataset.class_names, predictions.path)
    size = predictions.storage.example_bytes * predictions.examples * views
    streamed = size > self._run.resident_gib * 2**30
    return RecalledTeacher(Recalled(predictions.storage, classes, streamed), predictions)


def class_places(
  theirs: Sequence[str], ours: Sequence[str], path: StrPath
) -> tuple[int, ...] | None:
  """Returns the place of each class in a teacher's logits; None if the order is the same."""
  if list(theirs) == list(ours):
    return None
  if sorted(theirs) != sorted(ours) or len(set(theirs)) < len(theirs):
    missing = sorted({*ours} - {*theirs})
    raise ConfigError(
      f"{path} has other classes than the data; it has no "
      f"{', '.join(map(repr, missing[:5])) or 'unique names'}"
    )
  return tuple(theirs.index(name) for name in ours)


@contextlib.contextmanager
def locked(path: AnyPath) -> Iterator[None]:
  """Keeps other processes from writing predictions; a LockedError if one of them writes."""
  try:
    with held(path / "lock"):
      yield
  except HeldError as error:
    raise LockedError(f"another process is writing {path}") from error


def folders(workdir: StrPath) -> list[AnyPath]:
  """Returns the folders of predictions of a store."""
  workdir = located(workdir)
  if not exists(workdir):
    return []
  return sorted(path for path in workdir.iterdir() if path.name.startswith(PREFIX))


def _touch(path: AnyPath) -> None:
  """Marks a folder as used today, for `jaxkd rm --unused`."""
  if not in_bucket(path):
    with contextlib.suppress(OSError):
      os.utime(pathlib.Path(path) / ABOUT_FILE)
