"""The hours that a column of the paper's Table 2 takes, from measured steps."""

import collections
import dataclasses
import itertools
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
VIEWS = 8
"""Views of each image, where teachers' predictions are computed once: as in `data.views=8`."""

# A group of phases that train together: its step, and how often that is run.
_Steps = Mapping[Case, float]


def column(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields the hours of CIFAR-100's first column: 11 rows, 3 seeds, 240 epochs, teachers included.

  Every distillation is timed as KD by its first teacher, in each dtype. Pairs, batch size and data
  set are those of the column. The cost of a teacher's predictions is what it adds to a step, times
  the steps of `VIEWS` epochs. Evaluations and checkpoints are not counted.
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
  # A case has equal networks. A teacher's assistant is timed apart from the students beside it.
  groups = [
    tuple(same)
    for group in cohorts({phase: {0} for phase in phases}, COHORT, 0)
    for _, same in itertools.groupby(sorted(group, key=_name), key=_name)
  ]
  alone = _steps([[phase] for phase in phases], workload)
  together = _steps(groups, workload)
  recalled = {
    case: dataclasses.replace(case, predictions=True) for case in together if case.teacher
  }
  cases = dict.fromkeys([*alone, *together, *recalled.values()])
  timed = {case: _seconds(case, workload) for case in cases}

  def seconds(counts: _Steps, name: str) -> float:
    return sum(count * timed[case][name] for case, count in counts.items())

  one_by_one = seconds(alone, "step")
  yield "jaxkd, one after another", one_by_one, 1.0
  for name in (f"PyTorch {form}" for form in workload.pytorch):
    theirs = seconds(alone, name)
    yield f"{name}, one after another", theirs, one_by_one / theirs
  shared = seconds(together, "step")
  yield f"jaxkd, cohorts of up to {COHORT}", shared, one_by_one / shared
  # Each teacher predicts once for all groups. What it adds is clearest beside few students.
  taught = sorted((group for group in groups if group[0].teachers), key=len, reverse=True)
  smallest = {group[0].teachers[0]: _case(group, workload) for group in taught}
  once = sum(
    VIEWS * _steps_per_epoch(case) * (timed[case]["step"] - timed[recalled[case]]["step"])
    for case in smallest.values()
  )
  looked_up = once + seconds(
    {recalled.get(case, case): count for case, count in together.items()}, "step"
  )
  yield (
    f"jaxkd, cohorts that learn from predictions of {VIEWS} views",
    looked_up,
    one_by_one / looked_up,
  )


def _steps(groups: Sequence[Sequence[Phase]], workload: Workload) -> _Steps:
  """Returns the cases of groups of phases, with the number of steps of each."""
  counts: collections.Counter[Case] = collections.Counter()
  for group in groups:
    case = _case(group, workload)
    counts[case] += round(group[0].epochs * _steps_per_epoch(case))
  return counts


def _name(phase: Phase) -> str:
  return phase.network["name"]


def _case(group: Sequence[Phase], workload: Workload) -> Case:
  """Returns the case of a group's step."""
  first = group[0]
  return Case(
    first.network["name"],
    first.teachers[0].network["name"] if first.teachers else None,
    students=len(group),
    dtype=workload.dtypes[0],
    batch_size=first.data["batch_size"],
    dataset=first.data["name"],
    deterministic=workload.deterministic,
    batch_norm_groups=workload.batch_norm_groups,
  )


def _steps_per_epoch(case: Case) -> float:
  sizes = SPECS[case.dataset].sizes
  assert sizes is not None  # of CIFAR-100
  return sizes[0] / case.batch_size


def _seconds(case: Case, workload: Workload) -> dict[str, float]:
  """Returns the median seconds of one step, of jaxkd and, of a single student, of PyTorch."""
  forms = workload.pytorch if case.students == 1 and not case.predictions else ()
  functions = steps.functions(case, dataclasses.replace(workload, pytorch=forms))
  timings = in_turns(functions, workload.repeats)
  found = {name: timing.median / workload.steps for name, timing in timings.items()}
  how = ", from predictions" if case.predictions else ""
  tell(f"{case.pair}, {case.students} in a step{how}: {1e3 * found['step']:.1f} ms")
  return found
