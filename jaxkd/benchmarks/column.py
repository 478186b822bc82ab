"""The hours that a column of the paper's Table 2 takes, from measured steps."""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jaxkd.benchmarks import steps
from jaxkd.benchmarks.case import Case
from jaxkd.benchmarks.timing import in_turns
from jaxkd.benchmarks.workload import Workload
from jaxkd.common.console import tell
from jaxkd.data import SPECS
from jaxkd.runs import paper, planning, recipes
from jaxkd.runs.cohorts import cohorts
from jaxkd.runs.phase import Phase

_SEEDS = (0, 1, 2)
COHORT = 12
"""Students in one step, where they share teachers and order of the examples."""

# A group of phases that train together: its step, and how often that is run.
_Steps = Mapping[Case, float]


def column(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields the hours of CIFAR-100's first column: 11 rows, 3 seeds, 240 epochs, teachers included.

  Every distillation is timed as KD by its first teacher, in each dtype. Pairs, batch size and data
  set are those of the column. Evaluations and checkpoints are not counted.
  """
  config = recipes.recipe("cifar100", title="column", rows=paper.TABLES["2"])
  config.seeds, config.data.seed = _SEEDS, 0
  students = [phase for row in config.rows for phase in planning.phases(config, row)]
  phases = planning.with_teachers(students)
  for dtype in workload.dtypes:
    one_type = dataclasses.replace(workload, dtypes=(dtype,))
    for way, seconds, times in _ways(phases, one_type):
      yield {
        "way": way,
        "dtype": dtype,
        "phases": len(phases),
        "hours": seconds / 3600,
        "times as fast as jaxkd one after another": times,
      }


def _ways(phases: Sequence[Phase], workload: Workload) -> Iterator[tuple[str, float, float]]:
  """Yields the ways to train phases in the first dtype: name, seconds, and how many times as fast.

  The comparison is with jaxkd's phases one after another.
  """
  alone = _steps([[phase] for phase in phases], workload)
  together = _steps(cohorts({phase: {0} for phase in phases}, COHORT, 0), workload)
  timed = {case: _seconds(case, workload) for case in dict.fromkeys([*alone, *together])}

  def seconds(counts: _Steps, name: str) -> float:
    return sum(count * timed[case][name] for case, count in counts.items())

  one_by_one = seconds(alone, "step")
  yield "jaxkd, one after another", one_by_one, 1.0
  for name in (f"PyTorch {form}" for form in workload.pytorch):
    theirs = seconds(alone, name)
    yield f"{name}, one after another", theirs, one_by_one / theirs
  shared = seconds(together, "step")
  yield f"jaxkd, cohorts of up to {COHORT}", shared, one_by_one / shared


def _steps(groups: Sequence[Sequence[Phase]], workload: Workload) -> _Steps:
  """Returns the cases of groups of phases, with the number of steps of each."""
  counts: collections.Counter[Case] = collections.Counter()
  for group in groups:
    first = group[0]
    sizes = SPECS[first.data["name"]].sizes
    assert sizes is not None  # of CIFAR-100
    case = Case(
      first.network["name"],
      first.teachers[0].network["name"] if first.teachers else None,
      students=len(group),
      dtype=workload.dtypes[0],
      batch_size=first.data["batch_size"],
      dataset=first.data["name"],
      deterministic=workload.deterministic,
      batch_norm_groups=workload.batch_norm_groups,
    )
    counts[case] += round(first.epochs * sizes[0] / case.batch_size)
  return counts


def _seconds(case: Case, workload: Workload) -> dict[str, float]:
  """Returns the median seconds of one step, of jaxkd and, of a single student, of PyTorch."""
  forms = workload.pytorch if case.students == 1 else ()
  functions = steps.functions(case, dataclasses.replace(workload, pytorch=forms))
  timings = in_turns(functions, workload.repeats)
  found = {name: timing.median / workload.steps for name, timing in timings.items()}
  tell(f"{case.pair}, {case.students} in a step: {1e3 * found['step']:.1f} ms")
  return found
