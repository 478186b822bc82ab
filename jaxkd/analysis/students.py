"""What students in the store made of the teachers of a study."""

import os
from collections.abc import Iterator

import jax
import ml_collections
import numpy as np

from jaxkd import losses, methods
from jaxkd.analysis import measure, metrics
from jaxkd.analysis.study import Student, Teacher
from jaxkd.store import Entry

# The grid of the ATS paper's Fig. 10.
_TAU1 = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_TAU2 = (1.0, 2.0, 3.0, 4.0, 5.0)

_METHODS = {"kd": "TS", "ats": "ATS", "isats": "ISATS"}


def find(
  config: ml_collections.ConfigDict,
  workdir: str | os.PathLike[str],
  teacher: Teacher,
  labels: np.ndarray,
) -> Iterator[Student]:
  """Yields the students of one teacher that the store has.

  Args:
    config: the experiment in which it is the teacher.
    workdir: the store.
    teacher: the teacher.
    labels: of its examples, `[N]`.
  """
  alone = _accuracies(config, workdir, "nokd")
  for row, method in _METHODS.items():
    own = methods.of_row(config, row)
    if accuracies := _accuracies(own, workdir, row):
      average, variance = _label_means(own, row, teacher.logits, labels)
      yield Student(
        network=config.student.name,
        teacher=teacher.name,
        method=method,
        accuracies=accuracies,
        alone=float(np.mean(alone)) if alone else None,
        derived_average=average,
        derived_variance=variance,
        tau1=own.ats.tau1 if row == "ats" else None,
        tau2=own.ats.tau2 if row == "ats" else None,
      )


def find_grid(
  config: ml_collections.ConfigDict,
  workdir: str | os.PathLike[str],
  teacher: Teacher,
  labels: np.ndarray,
) -> Iterator[Student]:
  """Yields its students under ATS at any of the grid's temperatures."""
  one = config.copy_and_resolve_references()
  one.tuned = {}
  for one.ats.tau1 in _TAU1:
    for one.ats.tau2 in _TAU2:
      for student in find(one, workdir, teacher, labels):
        if student.method == _METHODS["ats"]:
          yield student


def _accuracies(
  config: ml_collections.ConfigDict,
  workdir: str | os.PathLike[str],
  row: str,
) -> tuple[float, ...]:
  """Returns the test accuracy, in percent, of the seeds in the store."""
  entries = [Entry.of(workdir, each) for each in methods.phases(config, row)]
  return tuple(
    100 * entry.result()["test"]["accuracy"]
    for entry in entries
    if entry.finished
  )


def _label_means(
  config: ml_collections.ConfigDict,
  row: str,
  logits: np.ndarray,
  labels: np.ndarray,
) -> tuple[float, float]:
  """Returns mean e(q) and v(q) of the labels that a row teaches with."""
  options = config[row]

  @jax.jit
  def derived(logits, labels):
    if options.standardize:
      logits = losses.standardize(logits)
    if row == "isats":
      grid = tuple(options.grid)
      tau1, tau2 = losses.isats_temperatures(logits, labels, grid, options.gap)
    elif row == "ats":
      tau1, tau2 = options.tau1, options.tau2
    else:
      tau1 = tau2 = options.tau
    probs = losses.asymmetric_softmax(logits, labels, tau1, tau2)
    return (
      metrics.derived_average(probs, labels),
      metrics.derived_variance(probs, labels),
    )

  average, variance = measure.over_blocks(derived, logits, labels)
  return measure.mean(average), measure.mean(variance)
