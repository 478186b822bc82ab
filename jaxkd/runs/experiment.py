"""Turns a config into phases and trains those that the store lacks."""

import contextlib
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Mapping, Sequence

import jax
import ml_collections
import numpy as np

from jaxkd import data
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import file_hash
from jaxkd.reports import experiment
from jaxkd.runs import rows
from jaxkd.runs.cohorts import cohorts, common
from jaxkd.runs.ensemble import Ensemble
from jaxkd.runs.store import LockedError, Phase, PhaseFolder, StoreError
from jaxkd.training import sharding
from jaxkd.training.loop import Dataset, NonFiniteError, train


def run(config: ml_collections.ConfigDict, workdir: str | os.PathLike[str]) -> pathlib.Path | None:
  """Trains what is missing of the config's rows, and writes their report.

  Args:
    config: of `jaxkd.config`, validated.
    workdir: the store.

  Returns:
    The report's folder; None in processes other than the first.

  Raises:
    CheckpointError, StoreError, Stopped: see `train`.
    NonFiniteError: as there, of the first such phase, once all others that
      don't need it are trained and the report of the others is written.
  """
  (folder,), failed = run_all([config], workdir)
  for error in failed.values():
    rest = f"; the report without it: {folder}" if folder else ""
    raise NonFiniteError(f"{error}{rest}", error.entry) from error
  return folder


def run_all(
  configs: Sequence[ml_collections.ConfigDict],
  workdir: str | os.PathLike[str],
) -> tuple[list[pathlib.Path | None], dict[Phase, NonFiniteError]]:
  """Trains what is missing of several experiments, all phases as one list.

  Args:
    configs: validated; they differ in networks and rows, not in `data` and
      `run`.
    workdir: the store.

  Returns:
    For each the folder of its report, None in processes other than the first
    and where no row could be finished; and what stopped some phases.

  Raises:
    CheckpointError, StoreError, Stopped: see `train`.
  """
  plans = [{row: rows.phases(config, row) for row in config.rows} for config in configs]
  entries, missing = all_places(
    [
      (config, list(itertools.chain(*plan.values())))
      for config, plan in zip(configs, plans, strict=True)
    ],
    workdir,
  )
  ensembles = [
    _ensembles(config, plan, entries, workdir) for config, plan in zip(configs, plans, strict=True)
  ]
  unknown = [
    ensemble
    for rows in ensembles
    for ensemble in itertools.chain(*rows.values())
    if not sharding.agreed(ensemble.path.exists())
  ]
  failed: dict[Phase, NonFiniteError] = {}
  if missing or unknown:
    mesh = sharding.mesh()
    dataset = load_dataset(configs[0], mesh)
    failed = train_finite(configs, list(missing.values()), entries, dataset, mesh)
    for ensemble in unknown:
      if sharding.agreed(ensemble.complete):
        ensemble.evaluate(dataset, mesh)
  if jax.process_index() != 0:
    return [None] * len(configs), failed
  folders = [
    experiment.write(config, workdir, plan, entries, rows)
    for config, plan, rows in zip(configs, plans, ensembles, strict=True)
  ]
  return folders, failed


def _ensembles(
  config: ml_collections.ConfigDict,
  plan: Mapping[str, Sequence[Phase]],
  entries: Mapping[Phase, PhaseFolder],
  workdir: str | os.PathLike[str],
) -> dict[str, list[Ensemble]]:
  """Returns the ensembles of the rows that have some, each of its own seeds."""
  size = config.ensemble
  return {
    row: [Ensemble(workdir, phases[i : i + size], entries) for i in range(0, len(phases), size)]
    for row, phases in plan.items()
    if row.endswith(rows.ENSEMBLE)
  }


def places(
  config: ml_collections.ConfigDict,
  students: Sequence[Phase],
  workdir: str | os.PathLike[str],
) -> tuple[dict[Phase, PhaseFolder], dict[Phase, PhaseFolder]]:
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
    phase: PhaseFolder.of(workdir, phase)
    for student in students
    for phase in student.with_teachers()
  }
  if config.teacher.checkpoint:
    # It may lie outside of the store.
    external = PhaseFolder.open(config.teacher.checkpoint)
    entries[external.phase] = external
  missing: dict[Phase, PhaseFolder] = {}
  for student in students:
    _collect_missing(student, entries, missing)
  return entries, missing


def all_places(
  wanted: Sequence[tuple[ml_collections.ConfigDict, Sequence[Phase]]],
  workdir: str | os.PathLike[str],
) -> tuple[dict[Phase, PhaseFolder], dict[Phase, PhaseFolder]]:
  """Finds what `places` does, for the phases of several experiments."""
  entries: dict[Phase, PhaseFolder] = {}
  missing: dict[Phase, PhaseFolder] = {}
  for config, students in wanted:
    found, lacking = places(config, students, workdir)
    entries |= found
    missing |= lacking
  return entries, missing


def _collect_missing(
  phase: Phase, entries: dict[Phase, PhaseFolder], missing: dict[Phase, PhaseFolder]
) -> None:
  """Adds the phases to train, teachers before their students."""
  if sharding.agreed(entries[phase].finished):
    return
  for teacher in phase.teachers:
    _collect_missing(teacher, entries, missing)
    if teacher not in missing:
      entries[teacher].check_network()
  missing[phase] = entries[phase]


def load_dataset(config: ml_collections.ConfigDict, mesh: jax.sharding.Mesh) -> Dataset:
  """Reads what the config trains and evaluates on.

  Raises:
    ConfigError: the batch is larger than the training split.
    DataError: the data can't be read.
  """
  options, put = config.data, sharding.replicate(mesh)
  spec = data.find(options.name, options.data_dir)
  train, test = data.read(spec, options.data_dir, config.run.loader, config.run.resident_gib)
  try:
    if options.validation:
      train, test = data.holdout(train, options.validation)
    if options.train_share < 1:
      _, train = data.holdout(train, options.train_share)
  except data.DataError as error:
    raise ConfigError(
      f"config.data.validation is {options.validation}, train_share {options.train_share}: {error}"
    ) from error
  if options.batch_size > data.size(train):
    raise ConfigError(
      f"config.data.batch_size is {options.batch_size}, must be at most "
      f"{data.size(train)}, the size of {spec.name}'s training split"
    )
  if isinstance(train, data.Arrays) and isinstance(test, data.Arrays):
    train, test = put(train), put(test)
  return Dataset(spec, train, test, config.run.workers or None)


def train_all(
  config: ml_collections.ConfigDict,
  missing: list[PhaseFolder],
  entries: Mapping[Phase, PhaseFolder],
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
  failed = train_finite([config], missing, entries, dataset, mesh)
  for error in failed.values():
    raise error


def train_finite(
  configs: Sequence[ml_collections.ConfigDict],
  missing: list[PhaseFolder],
  entries: Mapping[Phase, PhaseFolder],
  dataset: Dataset,
  mesh: jax.sharding.Mesh,
) -> dict[Phase, NonFiniteError]:
  """Trains the phases of several experiments as `train_all` does one's.

  Returns:
    What stopped some of them.
  """
  run = configs[0].run
  failed: dict[Phase, NonFiniteError] = {}
  numbers = {entry: number for number, entry in enumerate(missing, 1)}
  told = False
  while numbers:
    before = len(numbers)
    steps = {entry: _steps(entry, run) for entry in numbers}
    for cohort in cohorts(steps, run.cohort, run.checkpoint_every_steps):
      teachers = [entries[phase] for phase in cohort[0].phase.teachers]
      if not sharding.agreed(all(teacher.finished for teacher in teachers)):
        continue
      with contextlib.ExitStack() as stack:
        free = [entry for entry in cohort if _claim(entry, stack)]
        for entry in cohort:
          if entry not in free and not told:
            told = True
            _say(f"another process is training {entry.path}; its result is waited for")
        # Another run may have finished some meanwhile.
        todo = [entry for entry in free if not sharding.agreed(entry.finished)]
        number = f"{numbers[cohort[0]]}/{len(missing)}"
        try:
          _train(todo, teachers, dataset, configs, mesh, number)
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
  entries: Sequence[PhaseFolder],
  teachers: Sequence[PhaseFolder],
  dataset: Dataset,
  configs: Sequence[ml_collections.ConfigDict],
  mesh: jax.sharding.Mesh,
  number: str,
) -> None:
  if entries:
    run = configs[0].run
    weights = [_weights(configs, entry.phase) for entry in entries]
    step = common([_steps(entry, run) for entry in entries])
    train(entries, teachers, dataset, weights, step, run, mesh, number)


def _steps(entry: PhaseFolder, run: ml_collections.ConfigDict) -> set[int]:
  """Returns 0 and the steps of the checkpoints, as the first process has it."""
  count = run.keep_checkpoints
  newest = np.array(sorted(entry.steps)[-count:])
  return {0, *sharding.of_first(np.resize(newest, count)).tolist()}


def _say(text: str) -> None:
  if jax.process_index() == 0:
    print(text, file=sys.stderr)


def _claim(entry: PhaseFolder, stack: contextlib.ExitStack) -> bool:
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


def _weights(configs: Sequence[ml_collections.ConfigDict], phase: Phase) -> str:
  """Returns the file of weights that the phase starts from; empty if none.

  Raises:
    StoreError: no config names it.
  """
  wanted = phase.network.get("init_from")
  if wanted is None:
    return ""
  networks = itertools.chain.from_iterable(
    (
      *(network for _, network in rows.from_weights(config)),
      *config.get("analysis", {}).get("teachers", {}).values(),
    )
    for config in configs
  )
  files = {
    file_hash(network.init_from): network.init_from
    for network in networks
    if network.get("init_from")
  }
  if wanted not in files:
    raise StoreError(f"{phase.folder} starts from weights that no init_from of the config names")
  return files[wanted]
