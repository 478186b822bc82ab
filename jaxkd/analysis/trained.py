"""Studies of teachers from the store; trains the teachers and students that it lacks."""

import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxkd import data, models
from jaxkd.analysis import plan, students
from jaxkd.analysis.plan import Source
from jaxkd.analysis.study import MeasuredStudent, MeasuredTeacher, Study
from jaxkd.common.buckets import located
from jaxkd.common.digests import digest
from jaxkd.common.files import StrPath
from jaxkd.data.base import Split
from jaxkd.runs import experiment, teachers
from jaxkd.runs.paper import EPOCHS as PAPER_EPOCHS
from jaxkd.runs.phase import Phase, duration
from jaxkd.runs.queue import Queue
from jaxkd.training import evaluation, sharding
from jaxkd.training.jobs import Dataset
from jaxkd.training.step import Evaluator


def studies(
  config: ConfigDict, workdir: StrPath, choose: Callable[[ConfigDict], None] = lambda _: None
) -> list[Study]:
  """Trains the missing networks; returns a study for each seed, the teachers from small to large.

  The first study also has the stages of training and the students. `choose` gives the experiment of
  a teacher and a student the options that were tuned for it.
  """
  by_seed = plan.sources(config, workdir)
  for one in itertools.chain(*(source.experiments for source in by_seed[0])):
    choose(one)
  mesh = sharding.mesh()
  dataset = experiment.load_dataset(config.data, config.run, mesh)

  used: list[Phase] = []

  def train(phases: Iterable[Phase]) -> None:
    own = list(phases)
    used.extend(own)
    for error in Queue(located(workdir), own).train(dataset, config.run, mesh).values():
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
    train(
      phase
      for source in sources
      for one in source.experiments
      for phase in students.phases(one, grid=one.analysis.grid and source is sources[-1])
    )

  identities = digest(" ".join(s.entry.phase.identity for s in itertools.chain(*by_seed)))
  split = thin(dataset.train, config.analysis.examples)
  found = [_study(sources, dataset, split, mesh)._replace(digest=identities) for sources in by_seed]
  first = found[0]
  looked = [(stage, _look(stage, dataset, split, mesh)[0]) for stage in stages]
  if looked:
    looked.append((sources[-1], first.teachers[-1]))
  taught, of_grid = list[MeasuredStudent](), list[MeasuredStudent]()
  for source, teacher in zip(sources, first.teachers, strict=True):
    for one in source.experiments:
      taught += students.find(one, workdir, teacher, first.labels)
      if source is sources[-1]:
        of_grid += students.find(one, workdir, teacher, first.labels, grid=True)
  found[0] = first._replace(
    stages=tuple(teacher._replace(name=_epochs(stage)) for stage, teacher in looked),
    students=tuple(taught),
    grid=tuple(of_grid),
    phases=tuple(used),
  )
  return found


def thin(split: Split, limit: int) -> Split:
  """Returns every n-th example, at most `limit`; a split may be sorted by class."""
  stride = -(-data.size(split) // limit)
  return split if stride == 1 else data.take(split, np.arange(0, data.size(split), stride))


def _study(sources: Sequence[Source], dataset: Dataset, split: Split, mesh: Mesh) -> Study:
  teachers, (labels, *_) = zip(*(_look(one, dataset, split, mesh) for one in sources), strict=True)
  config = sources[0].config
  return Study(
    # The config's title would not follow --config.data.name.
    title=config.data.name,
    teachers=teachers,
    labels=labels,
    class_names=dataset.class_names,
    about=_about(config.data.name, len(labels), sources),
    approximations=tuple(_approximations(data.size(dataset.train), len(labels), sources)),
    seed=config.teacher.seed,
    split=_split(sources),
  )


def _look(
  source: Source, dataset: Dataset, split: Split, mesh: Mesh
) -> tuple[MeasuredTeacher, np.ndarray]:
  """Returns the teacher with its outputs on the examples, and their labels."""
  loaded = teachers.load(source.entry, dataset, mesh)
  # The network is its own teacher here: teachers get images normalised as in their training.
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
  teacher = MeasuredTeacher(
    source.title,
    logits,
    features,
    parameters=source.entry.result()["parameters"],
    accuracy=100 * source.entry.accuracy,
    family=models.list_models()[source.entry.phase.network["name"]].family,
  )
  return teacher, labels


def _about(name: str, size: int, sources: Sequence[Source]) -> str:
  """Describes the examples and the training of each network, for captions."""
  titles: dict[str, list[str]] = {}
  for source in sources:
    phase = source.entry.phase
    how = f"{_epochs(source)}, seed {phase.seed}"
    if phase.given:
      how = f"{_epochs(source)}, {pathlib.PurePath(phase.weights).name}"
    titles.setdefault(how, []).append(source.title)
  networks = "; ".join(f"{', '.join(t)}: {how}" for how, t in titles.items())
  return f"{size} training examples of {name}, not augmented; {networks}."


def _split(sources: Sequence[Source]) -> str:
  """Returns the name of the split that the teachers were evaluated on."""
  # A given checkpoint may have been evaluated on another split.
  return " or ".join(sorted({source.entry.phase.split for source in sources}))


def _epochs(source: Source) -> str:
  return duration(source.entry.phase.epochs)


def _approximations(size: int, used: int, sources: Sequence[Source]) -> Iterator[str]:
  phases = [source.entry.phase for source in sources]
  for share in sorted({p.data.get("validation", 0.0) for p in phases} - {0.0}):
    yield f"{100 * share:.3g} % of the training split held out to evaluate on"
  for share in sorted({p.data.get("train_share", 1.0) for p in phases} - {1.0}):
    yield f"trained on {100 * share:.3g} % of the training split"
  if used < size:
    yield f"{used} of the {size} examples"
  if any(0 < phase.epochs < PAPER_EPOCHS for phase in phases):
    yield f"the papers train {PAPER_EPOCHS} epochs"
