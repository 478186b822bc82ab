"""Studies of teachers from the store; trains the teachers and students that it lacks."""

import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jaxkd import data, models
from jaxkd.analysis import plan, students
from jaxkd.analysis.plan import Source
from jaxkd.analysis.study import Study, Teacher, duration
from jaxkd.common.digests import digest
from jaxkd.runs import experiment, teachers
from jaxkd.runs.paper import EPOCHS as PAPER_EPOCHS
from jaxkd.runs.phase import Phase
from jaxkd.runs.queue import Queue
from jaxkd.training import evaluation, sharding
from jaxkd.training.jobs import Dataset
from jaxkd.training.step import Evaluator


def studies(
  config: ConfigDict,
  workdir: str | os.PathLike[str],
  choose: Callable[[ConfigDict], None] = lambda _: None,
) -> list[Study]:
  """Trains the missing teachers and students, and computes the outputs of all teachers.

  Args:
    config: a default config with `plan.add_teachers`, validated.
    workdir: the store.
    choose: gives the experiment of a teacher and a student the options that were tuned for it.

  Returns:
    A study for each seed, with the teachers by their number of parameters; the first study also has
    the stages of training and the students.
  """
  by_seed = plan.sources(config, workdir)
  for one in itertools.chain(*(source.experiments for source in by_seed[0])):
    choose(one)
  mesh = sharding.mesh()
  dataset = experiment.load_dataset(config.data, config.run, mesh)

  def train(phases: Iterable[Phase]) -> None:
    queue = Queue(pathlib.Path(workdir), phases)
    for error in queue.train(dataset, config.run, mesh).values():
      raise error
    # No process reads a result before the first process has written it.
    sharding.agreed(True)

  train(source.entry.phase for source in itertools.chain(*by_seed))
  for sources in by_seed:
    sources.sort(key=lambda source: source.entry.result()["parameters"])
  sources = by_seed[0]
  stages = plan.stages(sources[-1], workdir)
  train(stage.entry.phase for stage in stages)
  if config.analysis.students:
    train(_students(sources))

  digest = _digest(by_seed)
  split = thin(dataset.train, config.analysis.examples)
  found = [_study(sources, dataset, split, mesh)._replace(digest=digest) for sources in by_seed]
  first = found[0]
  looked = [_look(stage, dataset, split, mesh)[0] for stage in stages]
  if looked:
    stages, looked = [*stages, sources[-1]], [*looked, first.teachers[-1]]
  found[0] = first._replace(
    stages=tuple(
      teacher._replace(name=_epochs(stage)) for stage, teacher in zip(stages, looked, strict=True)
    ),
    students=tuple(
      student
      for source, teacher in zip(sources, first.teachers, strict=True)
      for one in source.experiments
      for student in students.find(one, workdir, teacher, first.labels)
    ),
    grid=tuple(
      student
      for one in sources[-1].experiments
      for student in students.find_grid(one, workdir, first.teachers[-1], first.labels)
    ),
  )
  return found


def _students(sources: Sequence[Source]) -> Iterator[Phase]:
  """Yields the phases of the students to train."""
  for source in sources:
    for one in source.experiments:
      yield from students.phases(one)
      if one.analysis.grid and source is sources[-1]:
        yield from students.grid_phases(one)


def thin(split: data.Arrays | data.Examples, limit: int) -> data.Arrays | data.Examples:
  """Returns every n-th example of a split, at most `limit`.

  The first examples would not do: a split may be sorted by class.

  Examples:
    >>> train, _ = data.load(data.find("digits"))
    >>> thin(train, 100).labels.shape
    (96,)
  """
  stride = -(-data.size(split) // limit)
  if stride == 1:
    return split
  return data.take(split, np.arange(0, data.size(split), stride))


def _digest(by_seed: Iterable[Iterable[Source]]) -> str:
  """Returns eight hexadecimal digits that identify the networks."""
  identities = [s.entry.phase.identity for s in itertools.chain(*by_seed)]
  return digest(" ".join(identities))


def _study(
  sources: Sequence[Source],
  dataset: Dataset,
  split: data.Arrays | data.Examples,
  mesh: jax.sharding.Mesh,
) -> Study:
  looked = [_look(source, dataset, split, mesh) for source in sources]
  labels = looked[0][1]
  config = sources[0].config
  return Study(
    # The config's title would not follow --config.data.name.
    title=config.data.name,
    teachers=tuple(teacher for teacher, _ in looked),
    labels=labels,
    class_names=dataset.class_names,
    about=_about(config.data.name, len(labels), sources),
    approximations=tuple(_approximations(data.size(dataset.train), len(labels), sources)),
    seed=config.teacher.seed,
    split=_split(sources),
  )


def _look(
  source: Source, dataset: Dataset, split: data.Arrays | data.Examples, mesh: jax.sharding.Mesh
) -> tuple[Teacher, np.ndarray]:
  """Returns the teacher with its outputs on the examples, and their labels."""
  loaded = teachers.load(source.entry, dataset, mesh)
  # As its own teacher it sees images normalised as in its training.
  evaluator = Evaluator(
    loaded.network.network, dataset.spec, source.config.data.batch_size, mesh, (loaded.network,)
  )

  def take(outputs: tuple[models.Outputs, ...], labels: jax.Array) -> tuple[Any, ...]:
    own = outputs[-1]
    features = None if own.features is None else own.features.astype(jnp.float32)
    return own.logits, features, labels

  logits, features, labels = evaluation.collect(
    evaluator, (loaded.variables,) * 2, split, take, dataset.workers
  )
  teacher = Teacher(
    source.title,
    logits,
    features,
    parameters=source.entry.result()["parameters"],
    accuracy=100 * source.entry.accuracy,
    family=models.list_models()[source.entry.phase.network["name"]].family,
  )
  return teacher, labels


def _about(name: str, size: int, sources: Sequence[Source]) -> str:
  """Returns the examples and the training of each network, for captions."""
  titles: dict[str, list[str]] = {}
  for source in sources:
    seed = source.entry.phase.seed
    titles.setdefault(f"{_epochs(source)}, seed {seed}", []).append(source.title)
  networks = "; ".join(f"{', '.join(t)}: {how}" for how, t in titles.items())
  return f"{size} training examples of {name}, not augmented; {networks}."


def _split(sources: Sequence[Source]) -> str:
  """Returns the name of the split that the teachers were evaluated on."""
  # A given checkpoint may have been evaluated on another split.
  splits = {source.entry.phase.split for source in sources}
  return " or ".join(sorted(splits))


def _epochs(source: Source) -> str:
  return duration(source.entry.phase.schedule["epochs"])


def _approximations(size: int, used: int, sources: Sequence[Source]) -> Iterator[str]:
  phases = [source.entry.phase for source in sources]
  for share in sorted({p.data.get("validation", 0.0) for p in phases}):
    if share > 0:
      yield f"{100 * share:.3g} % of the training split held out to evaluate on"
  for share in sorted({p.data.get("train_share", 1.0) for p in phases}):
    if share < 1:
      yield f"trained on {100 * share:.3g} % of the training split"
  if used < size:
    yield f"{used} of the {size} examples"
  if any(phase.schedule["epochs"] < PAPER_EPOCHS for phase in phases):
    yield f"the papers train {PAPER_EPOCHS} epochs"
