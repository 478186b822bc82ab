"""Times training steps: of one student, of its parts, of cohorts, and PyTorch's."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax

from jaxkd.benchmarks import programs
from jaxkd.benchmarks.case import Case
from jaxkd.benchmarks.timing import Timing, in_turns
from jaxkd.benchmarks.workload import Workload

COHORTS = (1, 4, 16)
"""Numbers of students that train in one step."""

Line = dict[str, Any]


def step(workload: Workload) -> Iterator[Line]:
  """Yields a step of KD for each pair: whole, from predictions, on labels alone, PyTorch's.

  Labels alone is the step of a student whose teacher costs nothing, and the only step of a network
  without a teacher. The difference between the whole step and the networks' passes is augmentation,
  loss, metrics and optimiser.
  """
  for case in workload.cases():
    timed = functions(case, workload)
    if case.teacher:
      timed["from predictions"] = ours(dataclasses.replace(case, predictions=True), workload)
      timed["labels alone"] = ours(dataclasses.replace(case, teacher=None), workload)
    timed["networks"] = programs.passes(case, workload.steps)
    yield _line(case, in_turns(timed, workload.repeats), workload)


def cohort(workload: Workload) -> Iterator[Line]:
  """Yields steps of several students, which share one forward pass of their teacher.

  The speed-up is over steps of one student with the teacher in the step.
  """
  for case in workload.cases():
    alone = None
    for count in COHORTS:
      students = dataclasses.replace(case, students=count)
      timed = {"step": ours(students, workload)}
      if case.teacher:
        recalled = dataclasses.replace(students, predictions=True)
        timed["from predictions"] = ours(recalled, workload)
      timings = in_turns(timed, workload.repeats)
      alone = alone or timings["step"]
      line = _line(case, timings, workload)
      yield line | {"students": count, "speed-up": count * alone.median / timings["step"].median}


def functions(case: Case, workload: Workload) -> dict[str, Callable[[], None]]:
  """Returns functions that run the steps of a call: 'step', and 'PyTorch <form>' for each form."""
  found = {"step": ours(case, workload)}
  if workload.pytorch:
    from jaxkd.benchmarks import pytorch  # an extra

    for form in workload.pytorch:
      found[f"PyTorch {form}"] = pytorch.runner(case, workload.steps, **pytorch.FORMS[form])
  return found


def ours(
  case: Case, workload: Workload, mesh: jax.sharding.Mesh | None = None
) -> Callable[[], None]:
  """Returns a function that runs the steps of a call, on a mesh or on all devices."""
  program = programs.on_this_machine(case, mesh)
  return programs.runner(program, program.lowered.compile(), workload.steps)


def _line(case: Case, timings: dict[str, Timing], workload: Workload) -> Line:
  """Returns a line of a table, in milliseconds a step, with ratios to PyTorch's fastest form."""
  scale = 1e3 / workload.steps
  line: Line = {"pair": case.pair, "dtype": case.dtype, "batch": case.batch_size}
  for name, timing in timings.items():
    line[f"{name} (ms)"] = timing.median * scale
    line[f"± {name} (ms)"] = timing.spread * scale
  if "networks" in timings:
    line["beside networks (%)"] = 100 * (1 - timings["networks"].median / timings["step"].median)
  theirs = [timing.median for name, timing in timings.items() if name.startswith("PyTorch")]
  if theirs:
    line["PyTorch / jaxkd"] = min(theirs) / timings["step"].median
    if "labels alone" in timings:
      line["PyTorch / labels alone"] = min(theirs) / timings["labels alone"].median
  return line
