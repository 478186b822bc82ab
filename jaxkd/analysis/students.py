"""Students of the teachers: their phases, and their results in the store."""

from collections.abc import Iterator

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxkd import losses, metrics
from jaxkd.analysis import measure
from jaxkd.analysis.study import LABELS_OF_ROWS, MeasuredStudent, MeasuredTeacher
from jaxkd.common.files import StrPath
from jaxkd.runs import planning
from jaxkd.runs.phase import Phase
from jaxkd.runs.row_options import of_row, with_values
from jaxkd.runs.store import PhaseFolder
from jaxkd.tuning import grid as grids


def phases(config: ConfigDict, *, grid: bool) -> list[Phase]:
  """Returns the phases of an experiment's students; with `grid` also at all ATS temperatures."""
  trained = [(config, row) for row in config.rows]
  trained += _over_grid(config) if grid else []
  return [phase for one, row in trained for phase in planning.phases(one, row)]


def _over_grid(config: ConfigDict) -> list[tuple[ConfigDict, str]]:
  """Returns the experiment and its row at each point of the ATS paper's Fig. 10."""
  points = grids.points(grids.default("ats"))
  return [(with_values(config, "ats", values), "ats") for values in points]


def find(
  config: ConfigDict,
  workdir: StrPath,
  teacher: MeasuredTeacher,
  labels: np.ndarray,
  *,
  grid: bool = False,
) -> Iterator[MeasuredStudent]:
  """Yields the trained students of an experiment's teacher that the store has, under any seed.

  They are one for each kind of label, or with `grid` those under ATS at the grid's temperatures.
  """
  for one, row in _over_grid(config) if grid else [(config, row) for row in LABELS_OF_ROWS]:
    own = of_row(one, row)
    found = _finished(own, workdir, row)
    if not found:
      continue
    alone = _finished(one, workdir, "nokd")
    average, variance = _label_means(own, row, teacher.logits, labels)
    yield MeasuredStudent(
      network=one.student.name,
      teacher=teacher.name,
      method=LABELS_OF_ROWS[row],
      accuracies=tuple(100 * entry.accuracy for entry in found),
      seeds=tuple(entry.phase.seed for entry in found),
      epochs=one.student.epochs,
      alone=100 * float(np.mean([entry.accuracy for entry in alone])) if alone else None,
      derived_average=average,
      derived_variance=variance,
      tau1=own.ats.tau1 if row == "ats" else None,
      tau2=own.ats.tau2 if row == "ats" else None,
    )


def _finished(config: ConfigDict, workdir: StrPath, row: str) -> list[PhaseFolder]:
  """Returns the folders of the row's students that the store has, one for each seed."""
  entries = [PhaseFolder.of(workdir, each) for each in planning.phases(config, row)]
  return [entry for entry in entries if entry.finished]


def _label_means(
  config: ConfigDict, row: str, logits: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
  """Returns mean e(q) and v(q) of the labels that a row teaches with."""
  options = config[row]

  @jax.jit
  def derived(logits, labels):
    if options.standardize:
      logits = losses.standardize(logits)
    if row == "isats":
      tau1, tau2 = losses.isats_temperatures(logits, labels, tuple(options.grid), options.gap)
    elif row == "ats":
      tau1, tau2 = options.tau1, options.tau2
    else:
      tau1 = tau2 = options.tau
    probs = losses.asymmetric_softmax(logits, labels, tau1, tau2)
    return metrics.derived_average(probs, labels), metrics.derived_variance(probs, labels)

  average, variance = measure.over_blocks(derived, logits, labels)
  return measure.mean(average), measure.mean(variance)
