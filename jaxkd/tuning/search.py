"""Trains a row at every point of a grid, and finds the best point."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from jaxkd.common.errors import ConfigError
from jaxkd.common.files import StrPath
from jaxkd.reports import tables
from jaxkd.runs import experiment
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.phase import Phase
from jaxkd.runs.planning import with_teachers
from jaxkd.runs.row_options import Values, with_values
from jaxkd.runs.validation import validate
from jaxkd.tuning.grid import Grid, points


class Point(NamedTuple):
  """The results of a row with one combination of values."""

  values: Values
  students: tuple[Phase, ...]  # one for each seed
  accuracies: tuple[float, ...] | None  # on validation; None if a student or a teacher diverged

  @property
  def mean(self) -> float:
    """Mean accuracy over the seeds; NaN if there is none."""
    if self.accuracies is None:
      return math.nan
    # Rounding of float32 accuracies must not decide a tie.
    return round(statistics.fmean(self.accuracies), 6)

  @property
  def deviation(self) -> float:
    """Standard deviation over the seeds; NaN if there are fewer than two."""
    return tables.deviation(self.accuracies or ())


def search(config: ConfigDict, row: str, grid: Grid, workdir: StrPath) -> list[Point] | None:
  """Trains the missing points of the grid, under every seed; None in processes but the first.

  A point that diverges does not stop the others, unless no point is left. When
  the search is repeated, that point resumes from its last good checkpoint, to fail again.
  """
  if not config.data.validation:
    raise ConfigError("config.data.validation is 0, must be > 0 to tune")
  experiments = []
  for values in points(grid):
    one = with_values(config, row, values)
    one.rows = (row,)
    validate(one)
    experiments.append(Experiment.of(one, workdir))
  failed = experiment.run(experiments)
  # Whether no student of a point, and no teacher of theirs, diverged.
  finite = [failed.keys().isdisjoint(with_teachers(one.students)) for one in experiments]
  if not any(finite):
    raise next(iter(failed.values()))
  if jax.process_index() != 0:
    return None
  return [
    Point(
      values,
      tuple(one.students),
      tuple(one.folder(phase).accuracy for phase in one.students) if ended else None,
    )
    for values, one, ended in zip(points(grid), experiments, finite, strict=True)
  ]


def best(found: Sequence[Point]) -> Point:
  """Returns the point with the highest mean, the first of several."""
  return max((p for p in found if p.accuracies is not None), key=lambda point: point.mean)
