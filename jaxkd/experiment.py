"""Turns a config into phases and trains those that the store lacks."""

import os
import pathlib

import jax
import ml_collections

from jaxkd import data, methods, report, sharding
from jaxkd.config import ConfigError
from jaxkd.store import Entry, Phase
from jaxkd.train import Dataset, train


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
  plan = {
    (row, seed): methods.ROWS[row](config, seed)
    for row in config.rows
    for seed in config.seeds
  }
  entries = {
    phase: Entry.of(workdir, phase)
    for last in plan.values()
    for phase in last.with_teachers()
  }
  if config.teacher.checkpoint:
    # It may lie outside of the store.
    external = Entry.open(config.teacher.checkpoint)
    entries[external.phase] = external

  missing: dict[Phase, Entry] = {}
  for last in plan.values():
    _collect_missing(last, entries, missing)
  if missing:
    mesh = sharding.mesh()
    dataset = load_dataset(config, mesh)
  for number, entry in enumerate(missing.values(), 1):
    _train(
      entry,
      tuple(entries[teacher] for teacher in entry.phase.teachers),
      dataset,
      config.run,
      mesh,
      label=f"[{number}/{len(missing)} {entry.phase.name}]",
    )
  if jax.process_index() == 0:
    return report.write(config, workdir, plan, entries)
  return None


def _collect_missing(
  phase: Phase, entries: dict[Phase, Entry], missing: dict[Phase, Entry]
) -> None:
  """Adds the phases to train, teachers before their students."""
  if not entries[phase].finished:
    for teacher in phase.teachers:
      _collect_missing(teacher, entries, missing)
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
  if options.batch_size > data.size(train):
    raise ConfigError(
      f"config.data.batch_size is {options.batch_size}, must be at most "
      f"{data.size(train)}, the size of {spec.name}'s training split"
    )
  if isinstance(train, data.Arrays) and isinstance(test, data.Arrays):
    train, test = put(train), put(test)
  return Dataset(spec, train, test)


def _train(entry, teachers, dataset, run, mesh, label) -> None:
  if jax.process_index() == 0:
    entry.create()
    with entry.lock():
      train(entry, teachers, dataset, run, mesh, label)
  else:
    train(entry, teachers, dataset, run, mesh, label)
