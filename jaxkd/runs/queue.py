"""The queue: trains the phases that a store lacks, teachers before their students."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterable, Sequence

import jax
import ml_collections
import numpy as np
from flax import nnx

from jaxkd import data
from jaxkd.common import provenance
from jaxkd.common.buckets import AnyPath
from jaxkd.common.cluster import stop_requested
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError
from jaxkd.common.signals import Stopped
from jaxkd.models import weights
from jaxkd.runs import planning
from jaxkd.runs.cohorts import cohorts, common_steps
from jaxkd.runs.phase import Phase, labels, needed
from jaxkd.runs.predicted import Recollection
from jaxkd.runs.store import LockedError, PhaseFolder
from jaxkd.runs.validation import suffices
from jaxkd.training import sharding
from jaxkd.training.jobs import Dataset, Job, RecalledTeacher, Student, Teacher
from jaxkd.training.loop import NonFiniteError, train

PAUSE = 5.0
"""Seconds between two looks for phases that another run has finished."""


class Queue:
  """The wanted phases that a store lacks.

  Runs that share a store share the work: a phase that another run is training is left to it, and
  waited for if need be. It is a StoreError if a teacher has a result but no network.
  """

  def __init__(self, workdir: AnyPath, students: Iterable[Phase]):
    self._workdir = workdir
    found = needed(students, self._is_finished)
    self._reused = {phase: self._folder(phase) for phase, finished in found.items() if finished}
    # The phases to train, with their numbers.
    missing = (phase for phase, finished in found.items() if not finished)
    self.missing = {phase: number for number, phase in enumerate(missing, 1)}
    teachers = dict.fromkeys(teacher for phase in self.missing for teacher in phase.teachers)
    for teacher in teachers:
      if teacher in self._reused:
        self._reused[teacher].check_network()
    self._failed: dict[Phase, NonFiniteError] = {}
    self._told = False

  def _is_finished(self, phase: Phase) -> bool:
    """Returns whether a phase has its result, once a damaged result is set aside."""
    folder = self._folder(phase)
    if jax.process_index() == 0:
      folder.repair()
    return sharding.agreed(folder.finished)

  def tell_reused(self) -> None:
    """Lists the phases that are not trained again."""
    for phase, folder in self._reused.items():
      date = folder.result().get("finished", "at an unknown date")
      tell(f"reused: {phase.folder}, {'evaluated' if phase.given else 'trained'} {date}")

  def train(
    self, dataset: Dataset, run: ml_collections.ConfigDict, mesh: jax.sharding.Mesh
  ) -> dict[Phase, NonFiniteError]:
    """Trains all phases, each as soon as its teachers are finished.

    It returns the phases that diverged; phases that need them are not trained. A signal raises
    Stopped after the trained phases are saved. Epochs below one step are a ConfigError.
    """
    for phase in self.missing:
      epochs, steps = phase.epochs, data.size(dataset.train) / phase.data["batch_size"]
      if epochs and not round(epochs * steps):
        raise ConfigError(
          f"epochs of {phase.name} is {epochs:g}, must be at least {1 / steps:.2g}, one step, or 0 "
          "to evaluate the weights of init_from as they are"
        )
    self._dataset, self._run, self._mesh = dataset, run, mesh
    self._waiting = list(self.missing)
    self._labels, self._speeds = labels(self.missing), dict[str, float]()
    if jax.process_index() == 0:
      self._images = {phase: self._images_left(phase) for phase in self.missing}
    if self.missing:
      count = "1 phase" if len(self.missing) == 1 else f"{len(self.missing)} phases"
      purpose = "evaluate" if all(phase.given for phase in self.missing) else "train"
      tell(f"{count} to {purpose} on {provenance.hardware()}")
    with stop_requested() as self._stop:
      while self._waiting:
        before = len(self._waiting)
        for cohort in self._cohorts(self._waiting):
          if sharding.agreed(all(self._folder(t).finished for t in cohort[0].teachers)):
            self._train_free(cohort)
        failed = self._failed.keys()
        self._waiting = [p for p in self._waiting if failed.isdisjoint(p.with_teachers())]
        if len(self._waiting) == before:
          time.sleep(PAUSE)
          if self._stop.is_set():
            waiting = "stopped while waiting for another process"
            raise Stopped(f"{waiting}; run the same command to resume")
      return self._failed

  def _folder(self, phase: Phase) -> PhaseFolder:
    # Equal phases may lie in the store and outside of it.
    return PhaseFolder.of(self._workdir, phase)

  def _images_left(self, phase: Phase) -> float:
    """Returns how many images a phase is still to be trained on, counted once an epoch."""
    done = max(self._folder(phase).steps) * phase.data["batch_size"]
    return max(phase.epochs * data.size(self._dataset.train) - done, 0)

  def _rest(self, cohort: Sequence[Phase], images_per_second: float) -> float | None:
    """Estimates the seconds of the phases after a cohort, None before their networks' speeds."""
    self._speeds |= dict.fromkeys((p.network["name"] for p in cohort), images_per_second)
    others = [phase for phase in self._waiting if phase not in cohort]
    if any(phase.network["name"] not in self._speeds for phase in others):
      return None
    return sum(self._images[phase] / self._speeds[phase.network["name"]] for phase in others)

  def _steps(self, phase: Phase) -> set[int]:
    """Returns 0 and the steps of the checkpoints, as the first process sees them."""
    count = self._run.keep_checkpoints
    newest = np.array(sorted(self._folder(phase).steps)[-count:])
    return {0, *sharding.of_first(np.resize(newest, count)).tolist()}

  def _cohorts(self, phases: Iterable[Phase]) -> list[list[Phase]]:
    """Returns the cohorts of phases as they are in the store now."""
    steps = {phase: self._steps(phase) for phase in phases}
    return cohorts(steps, self._run.cohort, self._run.checkpoint_every_steps)

  def _train_free(self, cohort: Sequence[Phase]) -> None:
    """Trains those phases of a cohort that no other run is training."""
    for phase in cohort if jax.process_index() == 0 else ():
      self._folder(phase).notice_lock()
    with contextlib.ExitStack() as stack:
      free = [phase for phase in cohort if self._claim(phase, stack)]
      # Until now another run may have finished some, or trained some further than the others.
      unfinished = [phase for phase in free if not sharding.agreed(self._folder(phase).finished)]
      together = next(iter(self._cohorts(unfinished)), [])
      done = [phase for phase in free if phase in together or phase not in unfinished]
      try:
        if together:
          self._train(together)
      except NonFiniteError as error:
        bad = together[error.student]
        self._failed[bad] = error
        # The others of its cohort resume in the next round.
        done = [bad]
        if len(self._waiting) > 1:
          tell(f"{error}; the other phases continue")
    self._waiting = [phase for phase in self._waiting if phase not in done]

  def _claim(self, phase: Phase, stack: contextlib.ExitStack) -> bool:
    """Makes and locks the folder of a phase; returns whether it could be locked."""
    if jax.process_index() > 0:
      return True
    folder = self._folder(phase)
    folder.create()
    try:
      stack.enter_context(folder.lock())
    except LockedError:
      # The other processes of this run would not learn of it.
      if jax.process_count() > 1:
        raise
      if not self._told:
        self._told = True
        tell(f"another process is training {folder.path}; waiting for its result")
      return False
    return True

  def _train(self, cohort: Sequence[Phase]) -> None:
    """Trains phases in one job and writes their results."""
    first = cohort[0]
    others = f", and {len(cohort) - 1} more" if len(cohort) > 1 else ""
    recollection = Recollection(
      self._workdir, self._dataset, self._run, self._mesh, suffices, self._stop
    )
    loaded = tuple(recollection.teacher(each, cohort) for each in first.teachers)
    # The network may have a normalisation of its own.
    mean, std = tuple(first.data["mean"]), tuple(first.data["std"])
    spec = dataclasses.replace(self._dataset.spec, mean=mean, std=std)
    job = Job(
      label=f"[{self.missing[first]}/{len(self.missing)} {self._labels[first]}{others}]",
      students=tuple(self._student(phase, loaded) for phase in cohort),
      teachers=loaded,
      dataset=dataclasses.replace(self._dataset, spec=spec),
      batch_size=first.data["batch_size"],
      epochs=first.epochs,
      schedule_epochs=first.schedule["epochs"],
      data_seed=first.data_seed,
      steps=common_steps([self._steps(phase) for phase in cohort]),
      run=self._run,
      mesh=self._mesh,
      rest=functools.partial(self._rest, cohort),
      augmentation=data.Augmentation.of(first.data),
      views=first.views,
      view_seed=first.data.get("view_seed", 0),
    )
    for phase, result in zip(cohort, train(job, self._stop), strict=True):
      if jax.process_index() == 0:
        made = {"finished": provenance.today(), "hardware": provenance.hardware()}
        self._folder(phase).finish(result | made)
    if self._stop.is_set():
      folder = self._folder(first).path
      raise Stopped(f"stopped after {folder}{others}; run the same command to resume")

  def _student(self, phase: Phase, loaded: Sequence[Teacher | RecalledTeacher]) -> Student:
    rngs = nnx.Rngs(phase.seed)
    model = planning.plain_network(phase, rngs)
    if phase.weights:
      tensors = weights.read(phase.weights)
      nnx.update(model, *weights.from_torch(model, tensors, exact=phase.given))
    if "composed_by" in phase.network:
      # Such methods need the teachers' networks.
      networks = [teacher for teacher in loaded if isinstance(teacher, Teacher)]
      trained = [teacher.network.module(teacher.variables) for teacher in networks]
      model = planning.composed(phase, model, trained, rngs)
    return Student(
      folder=self._folder(phase).path,
      model=model,
      objective=planning.objective_of(phase),
      schedule=phase.schedule,
      seed=phase.seed,
      create=functools.partial(planning.network, phase),
      given=bool(phase.weights),
    )
