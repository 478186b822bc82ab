"""Trains a row at every point of a grid, and looks for the best."""

import itertools
import math
import os
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import jax
import ml_collections

from jaxkd.common.errors import ConfigError
from jaxkd.runs import experiment, rows
from jaxkd.runs.config import validate
from jaxkd.runs.store import Phase, PhaseFolder
from jaxkd.training import sharding
from jaxkd.training.loop import NonFiniteError
from jaxkd.tuning.grid import Grid, points
from jaxkd.tuning.tuned import Values, with_values


class Point(NamedTuple):
  """What the row made of one combination of values.

  Attributes:
    values: by option.
    students: the phases, one for each seed.
    accuracies: theirs on the validation split; None if one didn't end with
      finite numbers.
  """

  values: Values
  students: tuple[Phase, ...]
  accuracies: tuple[float, ...] | None

  @property
  def mean(self) -> float:
    """Mean accuracy over the seeds; NaN if there is none."""
    if self.accuracies is None:
      return math.nan
    # They are of float32, whose rounding must not decide a tie.
    return round(statistics.fmean(self.accuracies), 6)

  @property
  def deviation(self) -> float:
    """Standard deviation over the seeds; NaN if there are fewer than two."""
    if self.accuracies is None or len(self.accuracies) < 2:
      return math.nan
    return statistics.stdev(self.accuracies)


def search(
  config: ml_collections.ConfigDict,
  row: str,
  grid: Grid,
  workdir: str | os.PathLike[str],
) -> list[Point] | None:
  """Trains what is missing of the grid's points, under every seed.

  A point whose loss does not stay finite does not stop the others. When the
  search is repeated it goes on from its last good checkpoint, to fail again.

  Args:
    config: the experiment; `data.validation` is the share that is evaluated.
    row: a key of `rows.ROWS`.
    grid: what to try.
    workdir: the store.

  Returns:
    The points, in the grid's order; None in processes other than the first.

  Raises:
    ConfigError: one of the points is not valid; nothing has been trained.
    NonFiniteError: no point could be trained.
    CheckpointError, DataError, StoreError, Stopped: see `experiment.train_all`.
  """
  if not config.data.validation:
    raise ConfigError("config.data.validation is 0, must be > 0 to tune")
  experiments = [with_values(config, row, values) for values in points(grid)]
  for one in experiments:
    validate(one)
  students = [rows.phases(one, row) for one in experiments]
  entries, missing = experiment.places(config, list(itertools.chain(*students)), workdir)
  failed: dict[Phase, NonFiniteError] = {}
  if missing:
    mesh = sharding.mesh()
    dataset = experiment.load_dataset(config, mesh)
    failed = experiment.train_finite([config], list(missing.values()), entries, dataset, mesh)
  ended = [all(_can_train(phase, failed) for phase in phases) for phases in students]
  if not any(ended):
    raise next(iter(failed.values()))
  if jax.process_index() != 0:
    return None
  return [
    Point(values, phases, _accuracies(phases, entries) if finite else None)
    for values, phases, finite in zip(points(grid), students, ended, strict=True)
  ]


def _accuracies(phases: Iterable[Phase], entries: Mapping[Phase, PhaseFolder]) -> tuple[float, ...]:
  # What is evaluated instead of the test split has its place in the result.
  return tuple(entries[phase].result()["test"]["accuracy"] for phase in phases)


def best(found: Sequence[Point]) -> Point:
  """Returns the point with the highest mean, the first of several.

  Examples:
    >>> found = [
    ...   Point({"kd.tau": tau}, (), accuracies)
    ...   for tau, accuracies in ((1, None), (2, (0.8, 0.9)), (4, (0.9, 0.8)))
    ... ]
    >>> best(found).values
    {'kd.tau': 2}
  """
  return max(
    (point for point in found if point.accuracies is not None),
    key=lambda point: point.mean,
  )


def _can_train(phase: Phase, failed: Collection[Phase]) -> bool:
  return set(failed).isdisjoint(phase.with_teachers())
