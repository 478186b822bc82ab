"""The actions of `jaxkd.predict`: predictions of a config's teacher, views out, logits in."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from jaxkd import data
from jaxkd.common.buckets import located
from jaxkd.common.cluster import StopRequest, stop_requested
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import StrPath
from jaxkd.runs import foreign, planning, predicted, teachers
from jaxkd.runs.experiment import load_dataset
from jaxkd.runs.phase import Phase
from jaxkd.runs.queue import Queue
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import suffices
from jaxkd.training import predicting, sharding
from jaxkd.training.jobs import Dataset
from jaxkd.training.predictions import DTYPES, Predictions, Storage


class Kept(NamedTuple):
  """What is stored of a teacher; see `Storage`, here with `features` as a choice."""

  dtype: str = "float32"
  top: int = 0
  features: bool = False

  def storage(self, classes: int, width: int) -> Storage:
    """Returns the storage for a number of classes, and for features of a width.

    Raises:
      ConfigError: there are no such features or fewer classes.
    """
    if self.dtype not in DTYPES:
      raise ConfigError(f"--storage is {self.dtype!r}, must be one of {', '.join(DTYPES)}")
    if not 0 <= self.top < classes:
      raise ConfigError(f"--top is {self.top}, must be 0 (all logits) to {classes - 1}")
    if self.features and not width:
      raise ConfigError("--features is set, but the teacher gives logits alone")
    return Storage(classes, self.dtype, self.top, width if self.features else 0)


class _Setting(NamedTuple):
  dataset: Dataset
  mesh: jax.sharding.Mesh
  seen: Any  # the data of a student, with its views
  batch_size: int
  stop: StopRequest

  def views(self) -> predicting.Views:
    augmentation, seed = data.Augmentation.of(self.seen), self.seen["view_seed"]
    return predicting.Views(self.dataset, self.batch_size, seed, augmentation, self.mesh, self.stop)


@contextlib.contextmanager
def _setting(config: ConfigDict) -> Iterator[_Setting]:
  if not config.data.views:
    raise ConfigError("config.data.views is 0, must be > 0: the number of views to predict")
  seen = planning.seen_by_students(config)
  mesh = sharding.mesh()
  dataset = load_dataset(config.data, config.run, mesh)
  with stop_requested() as stop:
    yield _Setting(dataset, mesh, seen, config.data.batch_size, stop)


def own(config: ConfigDict, workdir: StrPath, out: str, kept: Kept) -> Predictions:
  """Writes predictions of the config's teacher, by default into the store; trains it if need be."""
  phase = planning.teacher(config)
  shapes = planning.outputs(phase)
  width = 0 if shapes.features is None else shapes.features.shape[-1]
  storage = kept.storage(shapes.logits.shape[-1], width)
  located_at = located(workdir)
  queue = Queue(located_at, [phase])
  queue.tell_reused()
  with _setting(config) as setting:
    for error in queue.train(setting.dataset, config.run, setting.mesh).values():
      raise error
    about = predicted.described(phase, setting.seen, setting.dataset, storage)
    path = located(out) if out else predicted.folder_of(located_at, about)
    folder = PhaseFolder.of(located_at, phase)
    recollection = predicted.Recollection(
      located_at, setting.dataset, config.run, setting.mesh, suffices, setting.stop
    )
    network = teachers.load(folder, setting.dataset, setting.mesh)
    parts = predicted.parts(about["views"])
    found = recollection.write(path, about, network, setting.batch_size, parts)
    found.require(parts)
  predicted.finish(found, phase, folder.result())
  _tell(found)
  return found


def exported(config: ConfigDict, out: str, form: foreign.ViewForm) -> None:
  """Writes the views as arrays for a teacher of any framework."""
  _require_one_process("--export_views")
  with _setting(config) as setting:
    about = predicted.images_described(setting.seen, setting.dataset)
    foreign.export_views(setting.views(), about, out, form)


def imported(
  config: ConfigDict, logits: foreign.Imported, out: str, kept: Kept, views: str = ""
) -> Predictions:
  """Writes logits from outside as predictions; `views` may name the folder of exported views."""
  if not out:
    raise ConfigError("--out is missing: the folder of predictions to write")
  _require_one_process("--import_logits")
  with _setting(config) as setting:
    dataset = setting.dataset
    storage = kept.storage(dataset.spec.num_classes, 0)
    labels = predicting.labels_of(dataset)
    if views:
      foreign.check_exported(views, predicted.images_described(setting.seen, dataset))
    foreign.check(logits, setting.seen["views"], labels, dataset.class_names)
    teacher: Phase = foreign.teacher_phase(logits, setting.seen)
    about = predicted.described(teacher, setting.seen, dataset, storage)
    found = foreign.write(logits, about, dataset, teacher, out)
  _tell(found)
  return found


def _require_one_process(flag: str) -> None:
  if jax.process_count() > 1:
    raise ConfigError(f"{flag} runs in one process, not in {jax.process_count()}")


def _tell(predictions: Predictions) -> None:
  """Says where predictions are, how to learn from them, and how far stored labels are off."""
  if jax.process_index() > 0:
    return
  errors = [predictions.facts(part)["errors"] for part in predictions.finished]
  for name in errors[0]:
    mean = max(each[name]["mean"] for each in errors)
    largest = max(each[name]["largest"] for each in errors)
    tell(
      f"stored labels at {name} differ from the teacher's by {mean:.2g} in total variation, "
      f"{largest:.2g} at most"
    )
  views = f"--config.data.views={predictions.views}"
  tell(f"learn from them with {views} --config.teacher.predictions={predictions.path}")
