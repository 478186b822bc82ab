"""Turns a config into phases and trains those that the store lacks."""

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence

import jax
import ml_collections
import numpy as np

from jaxkd import data, methods, report, sharding
from jaxkd.cohorts import cohorts, common
from jaxkd.config import ConfigError
from jaxkd.ensemble import Ensemble
from jaxkd.store import Entry, LockedError, Phase, StoreError, file_hash
from jaxkd.train import Dataset, NonFiniteError, train


def run(
  config: ml_collections.ConfigDict, workdir: str | os.PathLike[str]
) -> pathlib.Path | None:
  """Trains what is missing of the config's rows, and writes their report.

  Args:
    config: of `jaxkd.config`, validated.
    workdir: the store.

  Returns:
    The report's folder; None in processes other than the first.
  """
  plan = {row: methods.phases(config, row) for row in config.rows}
  students = [phase for phases in plan.values() for phase in phases]
  entries, missing = places(config, students, workdir)
  ensembles = {
    row: Ensemble(workdir, [entries[phase] for phase in phases])
    for row, phases in plan.items()
    if row.endswith(methods.ENSEMBLE)
  }
  unknown = [
    ensemble
    for ensemble in ensembles.values()
    if not sharding.agreed(ensemble.path.exists())
  ]
  if missing or unknown:
    mesh = sharding.mesh()
    dataset = load_dataset(config, mesh)
    train_all(config, list(missing.values()), entries, dataset, mesh)
    for ensemble in unknown:
      ensemble.evaluate(dataset, mesh)
  if jax.process_index() == 0:
    return report.write(config, workdir, plan, entries, ensembles)
  return None


def places(
  config: ml_collections.ConfigDict,
  students: Sequence[Phase],
  workdir: str | os.PathLike[str],
) -> tuple[dict[Phase, Entry], dict[Phase, Entry]]:
  """Finds the places of phases and their teachers.

  Args:
    config: the experiment.
    students: the phases.
    workdir: the store.

  Returns:
    The places of all, and of those to train, teachers before their students.

  Raises:
    StoreError: a teacher has a result but no network.
  """
  entries = {
    phase: Entry.of(workdir, phase)
    for student in students
    for phase in student.with_teachers()
  }
  if config.teacher.checkpoint:
    # It may lie outside of the store.
    external = Entry.open(config.teacher.checkpoint)
    entries[external.phase] = external
  missing: dict[Phase, Entry] = {}
  for student in students:
    _collect_missing(student, entries, missing)
  return entries, missing


def _collect_missing(
  phase: Phase, entries: dict[Phase, Entry], missing: dict[Phase, Entry]
) -> None:
  """Adds the phases to train, teachers before their students."""
  if sharding.agreed(entries[phase].finished):
    return
  for teacher in phase.teachers:
    _collect_missing(teacher, entries, missing)
    if teacher not in missing:
      entries[teacher].check_network()
  missing[phase] = entries[phase]


def load_dataset(
  config: ml_collections.ConfigDict, mesh: jax.sharding.Mesh
) -> Dataset:
  """Reads what the config trains and evaluates on.

  Raises:
    ConfigError: the batch is larger than the training split.
    DataError: the data can't be read.
  """
  options, put = config.data, sharding.replicate(mesh)
  spec = data.find(options.name, options.data_dir)
  train, test = data.read(
    spec, options.data_dir, config.run.loader, config.run.resident_gib
  )
  try:
    if options.validation:
      train, test = data.holdout(train, options.validation)
    if options.train_share < 1:
      _, train = data.holdout(train, options.train_share)
  except data.DataError as error:
    raise ConfigError(
      f"config.data.validation is {options.validation}, train_share "
      f"{options.train_share}: {error}"
    ) from error
  if options.batch_size > data.size(train):
    raise ConfigError(
      f"config.data.batch_size is {options.batch_size}, must be at most "
      f"{data.size(train)}, the size of {spec.name}'s training split"
    )
  if isinstance(train, data.Arrays) and isinstance(test, data.Arrays):
    train, test = put(train), put(test)
  return Dataset(spec, train, test)


def train_all(
  config: ml_collections.ConfigDict,
  missing: list[Entry],
  entries: Mapping[Phase, Entry],
  dataset: Dataset,
  mesh: jax.sharding.Mesh,
) -> None:
  """Trains phases, each as soon as its teachers are finished.

  What another run is training is left to it, and waited for if need be: runs
  that share a store share the work.

  Args:
    config: the experiment.
    missing: the places of the phases, teachers before their students.
    entries: the places of their teachers.
    dataset: the data set of all.
    mesh: all devices.

  Raises:
    CheckpointError, StoreError, Stopped: see `train`.
    NonFiniteError: as there, of the first such phase, once all others that
      don't need it are trained.
  """
  failed = train_finite(config, missing, entries, dataset, mesh)
  for error in failed.values():
    raise error


def train_finite(
  config: ml_collections.ConfigDict,
  missing: list[Entry],
  entries: Mapping[Phase, Entry],
  dataset: Dataset,
  mesh: jax.sharding.Mesh,
) -> dict[Phase, NonFiniteError]:
  """Trains phases as `train_all` does; returns what stopped some of them."""
  failed: dict[Phase, NonFiniteError] = {}
  numbers = {entry: number for number, entry in enumerate(missing, 1)}
  told = False
  while numbers:
    before = len(numbers)
    steps = {entry: _steps(entry, config.run) for entry in numbers}
    for cohort in cohorts(
      steps, config.run.cohort, config.run.checkpoint_every_steps
    ):
      teachers = [entries[phase] for phase in cohort[0].phase.teachers]
      if not sharding.agreed(all(teacher.finished for teacher in teachers)):
        continue
      with contextlib.ExitStack() as stack:
        free = [entry for entry in cohort if _claim(entry, stack)]
        for entry in cohort:
          if entry not in free and not told:
            told = True
            _say(
              f"another process is training {entry.path}; its result is waited "
              "for"
            )
        # Another run may have finished some meanwhile.
        todo = [entry for entry in free if not sharding.agreed(entry.finished)]
        number = f"{numbers[cohort[0]]}/{len(missing)}"
        try:
          _train(todo, teachers, dataset, config, mesh, number)
        except NonFiniteError as error:
          failed[error.entry.phase] = error
          # The others of its cohort go on in the next round.
          free = [error.entry]
          if len(numbers) > 1:
            _say(f"{error}; the other phases go on")
      for entry in free:
        del numbers[entry]
    for entry in list(numbers):
      if not failed.keys().isdisjoint(entry.phase.with_teachers()):
        del numbers[entry]
    if len(numbers) == before:
      time.sleep(5)
  return failed


def _train(
  entries: Sequence[Entry],
  teachers: Sequence[Entry],
  dataset: Dataset,
  config: ml_collections.ConfigDict,
  mesh: jax.sharding.Mesh,
  number: str,
) -> None:
  if entries:
    weights = [_weights(config, entry.phase) for entry in entries]
    step = common([_steps(entry, config.run) for entry in entries])
    train(entries, teachers, dataset, weights, step, config.run, mesh, number)


def _steps(entry: Entry, run: ml_collections.ConfigDict) -> set[int]:
  """Returns 0 and the steps of the checkpoints, as the first process has it."""
  count = run.keep_checkpoints
  newest = np.array(sorted(entry.steps)[-count:])
  return {0, *sharding.of_first(np.resize(newest, count)).tolist()}


def _say(text: str) -> None:
  if jax.process_index() == 0:
    print(text, file=sys.stderr)


def _claim(entry: Entry, stack: contextlib.ExitStack) -> bool:
  """Makes and locks the folder of a phase; says whether it could be locked.

  Raises:
    LockedError: it could not, and there are other processes of this run, which
      would not know.
  """
  if jax.process_index() > 0:
    return True
  entry.create()
  try:
    stack.enter_context(entry.lock())
  except LockedError:
    if jax.process_count() > 1:
      raise
    return False
  return True


def _weights(config: ml_collections.ConfigDict, phase: Phase) -> str:
  """Returns the file of weights that the phase starts from; empty if none.

  Raises:
    StoreError: the config doesn't name it.
  """
  wanted = phase.network.get("init_from")
  if wanted is None:
    return ""
  networks = [config.teacher, config.small_teacher, config.student]
  networks += config.get("analysis", {}).get("teachers", {}).values()
  files = {
    file_hash(network.init_from): network.init_from
    for network in networks
    if network.init_from
  }
  if wanted not in files:
    raise StoreError(
      f"{phase.folder} starts from weights that no init_from of the config "
      "names"
    )
  return files[wanted]
