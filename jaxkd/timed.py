"""Flags of commands that train: a limit of time, and what is done and left."""

import contextlib
import math
from collections.abc import Sequence

import jax
from absl import flags

from jaxkd.common import cluster
from jaxkd.common.console import tell
from jaxkd.common.files import exists
from jaxkd.common.signals import Stopped
from jaxkd.reports import tables
from jaxkd.runs import experiment, remaining
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.phase import Phase
from jaxkd.training.loop import NonFiniteError

STATUS = flags.DEFINE_boolean("status", False, "print what is done and left; train nothing")
_MINUTES = flags.DEFINE_float(
  "minutes",
  None,
  "stop after these minutes, in training not before a first step: save, print what is done and "
  "left, and end with status 75; the same command resumes; default: no limit",
)
flags.register_validator(
  "minutes", lambda minutes: minutes is None or 0 < minutes < math.inf, "must be a number > 0"
)


def limited() -> contextlib.AbstractContextManager[None]:
  """Returns the context of a command's training, in which the time counts from now on."""
  minutes = _MINUTES.value
  return cluster.time_limit(math.inf if minutes is None else 60 * minutes)


def train(experiments: Sequence[Experiment]) -> dict[Phase, NonFiniteError]:
  """Trains the missing phases; prints what is done and left, also if the run is stopped."""
  try:
    failed = experiment.run(experiments)
  except Stopped:
    print_status(experiments)
    raise
  print_status(experiments)
  return failed


def print_status(experiments: Sequence[Experiment]) -> None:
  """Prints the phases of experiments that share a store, from the first process."""
  if jax.process_index() > 0:
    return
  if not exists(experiments[0].workdir):
    tell(f"there is no store {experiments[0].workdir} yet")
  students = [phase for one in experiments for phase in one.students]
  found = remaining.of(experiments[0].workdir, students)
  if not all(each.finished for each in found):
    print(f"{tables.as_markdown(remaining.lines(found))}\n")
  print(f"{remaining.summary(found)}\n", flush=True)
