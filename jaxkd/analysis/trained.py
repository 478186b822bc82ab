"""A study of teachers from the store; trains those that it lacks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from jaxkd import config as jaxkd_config
from jaxkd import data, experiment, methods, sharding, train
from jaxkd.analysis import students, thinning
from jaxkd.analysis.study import Settings, Study, Teacher
from jaxkd.config import ConfigError
from jaxkd.step import Evaluator, Variables
from jaxkd.store import Entry

# How long the papers train; less is called an approximation.
_PAPER_EPOCHS = 240


def add_teachers(
  config: ml_collections.ConfigDict,
  teachers: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> None:
  """Adds `analysis` to a config: what is analysed, all else as its teacher's.

  `analysis.examples` is how many examples of the training split are looked at,
  at most.

  Args:
    config: the experiment; changed.
    teachers: by a title, the network's name and options.
  """
  like = config.teacher.to_dict()
  with config.unlocked():
    config.analysis = {
      "examples": 50_000,
      "teachers": {
        title: {**like, "name": name, "options": dict(options)}
        for title, (name, options) in teachers.items()
      },
    }


def settings(config: ml_collections.ConfigDict) -> Settings:
  """Returns what the config says on how to measure."""
  return Settings(
    tau=config.kd.tau, grid=tuple(config.isats.grid), gap=config.isats.gap
  )


class _Source(NamedTuple):
  """A teacher: its title, its experiment, its place."""

  title: str
  config: ml_collections.ConfigDict
  entry: Entry


def validate(config: ml_collections.ConfigDict) -> None:
  """Checks all options, before any work.

  Raises:
    ConfigError: naming what is wrong.
  """
  jaxkd_config.validate(config)
  if len(config.get("analysis", {}).get("teachers", {})) < 2:
    raise ConfigError(
      "config.analysis.teachers must have two networks or more; see "
      "configs/analysis_digits.py"
    )
  if config.analysis.examples < 2:
    raise ConfigError(
      f"config.analysis.examples is {config.analysis.examples}, must be at "
      "least 2"
    )
  for title, one in _experiments(config):
    # Of any row with a teacher.
    one.rows = ("kd",)
    try:
      jaxkd_config.validate(one)
    except ConfigError as error:
      raise ConfigError(f"config.analysis.teachers.{title}: {error}") from error


def study(
  config: ml_collections.ConfigDict, workdir: str | os.PathLike[str]
) -> Study:
  """Trains what is missing of the config's teachers, and looks at all.

  Args:
    config: of `jaxkd.config` with `add_teachers`, validated.
    workdir: the store.

  Returns:
    The study, with the teachers by their number of parameters.
  """
  mesh = sharding.mesh()
  dataset = experiment.load_dataset(config, mesh)
  sources = [
    _Source(title, one, _entry(one, workdir))
    for title, one in _experiments(config)
  ]
  missing = [s.entry for s in sources if not s.entry.finished]
  experiment.train_all(config, missing, {}, dataset, mesh)
  sources.sort(key=lambda source: source.entry.result()["parameters"])

  split = thinning.thin(dataset.train, config.analysis.examples)
  looked = [_look(source, dataset.spec, split, mesh) for source in sources]
  labels = looked[0][1]
  teachers = tuple(teacher for teacher, _ in looked)
  return Study(
    # The folder of the report already says what it is.
    title=config.title.removeprefix("analysis_"),
    teachers=teachers,
    labels=labels,
    class_names=data.class_names(dataset.spec, config.data.data_dir),
    about=_about(config.data.name, len(labels), sources),
    approximations=tuple(
      _approximations(data.size(dataset.train), len(labels), sources)
    ),
    students=tuple(
      student
      for source, teacher in zip(sources, teachers, strict=True)
      for student in students.find(source.config, workdir, teacher, labels)
    ),
    grid=tuple(
      students.find_grid(sources[-1].config, workdir, teachers[-1], labels)
    ),
  )


def _experiments(
  config: ml_collections.ConfigDict,
) -> Iterator[tuple[str, ml_collections.ConfigDict]]:
  """Yields by title the experiment in which each network is the teacher."""
  for title, teacher in config.analysis.teachers.items():
    one = config.copy_and_resolve_references()
    with one.unlocked():
      one.teacher = teacher
    yield title, one


def _entry(
  config: ml_collections.ConfigDict, workdir: str | os.PathLike[str]
) -> Entry:
  if config.teacher.checkpoint:
    return Entry.open(config.teacher.checkpoint)
  return Entry.of(workdir, methods.teacher(config))


def _look(
  source: _Source,
  spec: data.Spec,
  split: data.Arrays | data.Examples,
  mesh: jax.sharding.Mesh,
) -> tuple[Teacher, np.ndarray]:
  """Returns the teacher with its view of the examples, and their labels."""
  network, variables = train.load_network(source.entry, spec, mesh)
  batch_size = source.config.data.batch_size
  logits, features, labels = _collect(
    Evaluator(network, spec, batch_size, mesh), variables, split
  )
  result = source.entry.result()
  teacher = Teacher(
    source.title,
    logits,
    features,
    parameters=result["parameters"],
    test_accuracy=100 * result["test"]["accuracy"],
  )
  return teacher, labels


def _collect(
  evaluator: Evaluator,
  variables: Variables,
  split: data.Arrays | data.Examples,
) -> list[np.ndarray]:
  """Returns logits `[N, C]`, features `[N, D]` and labels `[N]`."""

  def outputs(variables, source, index):
    (own,), labels, mask = evaluator.outputs((variables,), source, index)
    return own.logits, own.features.astype(jnp.float32), labels, mask

  mesh = evaluator.mesh
  run = jax.jit(outputs, out_shardings=sharding.replicated(mesh))
  batches = [
    jax.tree.map(np.asarray, run(variables, source, index))
    for source, index in data.eval_batches(
      split, evaluator.batch_size, sharding.split_batch(mesh)
    )
  ]
  *found, mask = map(np.concatenate, zip(*batches, strict=True))
  return [values[mask] for values in found]


def _about(name: str, size: int, sources: Sequence[_Source]) -> str:
  trained = {
    title: f"{entry.phase.optim['epochs']:g} epochs, seed {entry.phase.seed}"
    for title, _, entry in sources
  }
  if len(set(trained.values())) == 1:
    networks = f"{', '.join(trained)}: {next(iter(trained.values()))}."
  else:
    networks = "; ".join(f"{t}: {how}" for t, how in trained.items()) + "."
  return f"{size} training examples of {name}, not augmented; {networks}"


def _approximations(
  size: int, used: int, sources: Sequence[_Source]
) -> Iterator[str]:
  if used < size:
    yield f"{used} of the {size} examples"
  if any(s.entry.phase.optim["epochs"] < _PAPER_EPOCHS for s in sources):
    yield f"the papers train {_PAPER_EPOCHS} epochs"
