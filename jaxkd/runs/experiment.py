"""Experiments: trains the phases of their rows that the store lacks."""

import dataclasses
import itertools
import operator
from collections.abc import Mapping, Sequence

import jax
from ml_collections import ConfigDict

from jaxkd import data
from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.errors import ConfigError, explained
from jaxkd.common.files import StrPath
from jaxkd.runs import planning
from jaxkd.runs.ensemble import Ensemble
from jaxkd.runs.phase import Phase
from jaxkd.runs.queue import Queue
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding
from jaxkd.training.jobs import Dataset
from jaxkd.training.loop import NonFiniteError


@dataclasses.dataclass(frozen=True)
class Experiment:
  """The phases of a validated config in a store."""

  config: ConfigDict
  workdir: AnyPath
  # The students of each row, one for each seed.
  rows: Mapping[str, tuple[Phase, ...]]
  ensembles: Mapping[str, Sequence[Ensemble]]

  @classmethod
  def of(cls, config: ConfigDict, workdir: StrPath) -> "Experiment":
    """Returns the experiment of a config; nothing is trained."""
    workdir = located(workdir)
    rows = {row: planning.phases(config, row) for row in config.rows}
    size = config.ensemble
    ensembles = {
      row: [Ensemble(workdir, phases[i : i + size]) for i in range(0, len(phases), size)]
      for row, phases in rows.items()
      if row.endswith(planning.ENSEMBLE)
    }
    return cls(config, workdir, rows, ensembles)

  @property
  def students(self) -> list[Phase]:
    """The students' phases of all rows."""
    return list(dict.fromkeys(itertools.chain(*self.rows.values())))

  def folder(self, phase: Phase) -> PhaseFolder:
    """Returns the folder of a phase."""
    return PhaseFolder.of(self.workdir, phase)


def run(experiments: Sequence[Experiment]) -> dict[Phase, NonFiniteError]:
  """Trains the missing phases of several experiments as one queue.

  The experiments share a store and the options `data` and `run`. Returns the diverged phases.
  """
  for name in ("workdir", "config.data", "config.run"):
    own = list(map(operator.attrgetter(name), experiments))
    if any(value != own[0] for value in own):
      raise ConfigError(f"experiments of one queue must have the same {name}")
  config = experiments[0].config
  students = itertools.chain.from_iterable(one.students for one in experiments)
  queue = Queue(experiments[0].workdir, students)
  queue.tell_reused()
  ensembles = [
    ensemble
    for one in experiments
    for ensemble in itertools.chain(*one.ensembles.values())
    if not sharding.agreed(ensemble.evaluated)
  ]
  if not queue.missing and not ensembles:
    return {}
  mesh = sharding.mesh()
  dataset = load_dataset(config.data, config.run, mesh)
  failed = queue.train(dataset, config.run, mesh)
  for ensemble in ensembles:
    if sharding.agreed(ensemble.complete):
      ensemble.evaluate(dataset, mesh)
  return failed


def load_dataset(options: ConfigDict, run_options: ConfigDict, mesh: jax.sharding.Mesh) -> Dataset:
  """Reads the training and the evaluated split, from `config.data` and `config.run`."""
  spec = data.find(options.name, options.data_dir)
  train, evaluated = data.read(spec, options.data_dir, run_options.loader, run_options.resident_gib)
  shares = f"config.data.validation is {options.validation}, train_share {options.train_share}"
  with explained(ConfigError, shares, data.DataError):
    if options.validation:
      train, evaluated = data.holdout(train, options.validation)
    if options.train_share < 1:
      _, train = data.holdout(train, options.train_share)
  if options.batch_size > data.size(train):
    raise ConfigError(
      f"config.data.batch_size is {options.batch_size}, must be at most {data.size(train)}, the "
      f"size of {spec.name}'s training split"
    )
  if isinstance(train, data.Arrays) and isinstance(evaluated, data.Arrays):
    put = sharding.replicate(mesh)
    train, evaluated = put(data.as_rows(train)), put(data.as_rows(evaluated))
  return Dataset(
    spec=spec,
    train=train,
    evaluated=evaluated,
    split="validation" if options.validation else "test",
    class_names=data.class_names(spec, options.data_dir),
    workers=run_options.workers or None,
  )
