"""Times steps, losses, evaluations and gathers as one quantity doubles."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from jaxkd import data, losses
from jaxkd.benchmarks import programs
from jaxkd.benchmarks.case import Case
from jaxkd.benchmarks.losses import examples, repeated, with_gradient
from jaxkd.benchmarks.steps import ours
from jaxkd.benchmarks.timing import in_turns
from jaxkd.benchmarks.workload import Workload
from jaxkd.training import evaluation, sharding
from jaxkd.training.step import Evaluator, functional

BATCHES = (32, 64, 128, 256)
"""Images in a batch."""
CLASS_COUNTS = (10, 20, 40, 80, 160, 320, 640, 1280)
"""Numbers of classes."""
STUDENTS = (1, 2, 4, 8)
"""Students in a step."""
RESIDENT = (8, 16, 32, 64, 128, 256)
"""Batches of the images on the devices, which take `RESIDENT_BYTES` at most."""
RESIDENT_BYTES = 2**30
EVALUATED = (2, 4, 8, 16)
"""Batches of an evaluated split."""
TOLERANCE = 0.1
"""Relative deviation from a constant or a straight line that counts as noise."""
# Losses and gathers take microseconds.
_CALLS = 200

_Functions = Mapping[int, Callable[[], object]]


class _Series(NamedTuple):
  """Functions by the value of a quantity; each runs `calls` times what is measured."""

  measured: str
  quantity: str
  functions: _Functions
  calls: int


def growth(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields milliseconds of the first pair for each value, and how they grow, at the last value."""
  for measured, quantity, functions, calls in _series(next(workload.cases()), workload):
    if len(functions) < 2:  # of batches that the devices can't divide, or of large images
      continue
    timings = in_turns({str(value): run for value, run in functions.items()}, workload.repeats)
    milliseconds = [1e3 / calls * timing.median for timing in timings.values()]
    lines: list[dict[str, Any]] = [
      {
        "measured": measured,
        "quantity": quantity,
        "value": value,
        "ms": time,
        "± ms": 1e3 / calls * timing.spread,
      }
      for value, time, timing in zip(functions, milliseconds, timings.values(), strict=True)
    ]
    for before, line in itertools.pairwise(lines):
      line["times as long for twice as much"] = line["ms"] / before["ms"]
    lines[-1]["growth"] = described(measured, quantity, [*functions], milliseconds)
    yield from lines


def described(
  measured: str, quantity: str, values: Sequence[float], milliseconds: Sequence[float]
) -> str:
  """Says whether times are constant, grow like a straight line, or neither.

  The line a + b x has the least squares of relative deviations.

  Examples:
    >>> described("loss", "classes", [1, 2, 4], [3.0, 5.0, 9.0])
    'The time of the loss grows like a straight line: 1 ms + 2 ms x classes, within 0%.'
  """
  time = f"The time of the {measured}"
  x, times = np.asarray(values, float), np.asarray(milliseconds, float)
  mean = (times.max() + times.min()) / 2
  apart = times.max() / mean - 1
  if apart <= TOLERANCE:
    return f"{time} does not depend on {quantity}: {mean:.3g} ms, within {apart:.0%}."
  slope, start = np.polyfit(x, times, 1, w=1 / times)
  apart = np.abs((start + slope * x) / times - 1).max()
  sign = "-" if slope < 0 else "+"
  line = f"{start:.3g} ms {sign} {abs(slope):.3g} ms x {quantity}"
  if apart <= TOLERANCE and slope > 0:
    return f"{time} grows like a straight line: {line}, within {apart:.0%}."
  return f"{time} is not a straight line: it differs by up to {apart:.0%} from {line}."


def _series(case: Case, workload: Workload) -> Iterator[_Series]:
  """Yields the series; the functions of one are made when those before it are done."""
  count = jax.device_count()
  unit = math.lcm(count, case.batch_norm_groups)

  def steps(field: str, values: Iterable[int]) -> _Functions:
    return {
      value: ours(dataclasses.replace(case, **{field: value}), workload)  # type: ignore[arg-type]
      for value in values
    }

  batches = [size for size in BATCHES if size % unit == 0]
  yield _Series("step", "images in a batch", steps("batch_size", batches), workload.steps)
  yield _Series("step", "classes", steps("classes", CLASS_COUNTS), workload.steps)
  yield _Series("ISATS loss", "classes", {c: _loss(case, c) for c in CLASS_COUNTS}, _CALLS)
  yield _Series("step", "students", steps("students", STUDENTS), workload.steps)
  width = case.spec.stored_size**2 * case.spec.channels
  sizes = [batches * case.batch_size for batches in RESIDENT]
  sizes = [size for size in sizes if size * width <= RESIDENT_BYTES]
  resident = "images on the devices"
  yield _Series("step", resident, steps("images", sizes), workload.steps)
  yield _Series(
    "gather of a batch", resident, {size: _gather(case, size) for size in sizes}, _CALLS
  )
  sizes = [batches * case.batch_size for batches in EVALUATED]
  runs = {size: _evaluation(case, size) for size in sizes}
  yield _Series("evaluation", "images in the split", runs, 1)
  if count > 1:
    quantity = f"devices with {case.batch_size} images each"
    yield _Series("step", quantity, _on_devices(case, workload), workload.steps)


def _on_devices(case: Case, workload: Workload) -> _Functions:
  """Returns the step on 1, 2, 4, ... devices, each of which has a whole batch."""
  devices = jax.local_devices()
  functions: dict[int, Callable[[], object]] = {}
  for power in range(len(devices).bit_length()):
    count = 2**power
    mesh = jax.sharding.Mesh(np.array(devices[:count]), (sharding.DATA,))
    larger = dataclasses.replace(case, batch_size=count * case.batch_size)
    functions[count] = ours(larger, workload, mesh)
  return functions


def _loss(case: Case, classes: int) -> Callable[[], object]:
  arguments = examples(case.batch_size, classes)
  compiled = with_gradient(functools.partial(losses.isats, lam=0.5), arguments)
  return functools.partial(repeated, compiled, arguments, _CALLS)


def _resident(case: Case, images: int) -> Any:
  """Returns noise on all devices."""
  source = programs.noise(dataclasses.replace(case, images=images))
  return sharding.replicate(sharding.mesh())(source)


def _gather(case: Case, images: int) -> Callable[[], object]:
  """Returns a function that gathers a batch, as the step does, so many times."""
  source = _resident(case, images)
  gather = jax.jit(data.batch_at, static_argnums=2)
  return functools.partial(repeated, gather, (source, np.int32(0), case.batch_size), _CALLS)


def _evaluation(case: Case, images: int) -> Callable[[], object]:
  """Returns a function that evaluates the student on a split, as training does."""
  network, variables = functional(programs.module(case.student, case, nnx.Rngs(0)))
  evaluator = Evaluator(network, case.spec, case.batch_size, sharding.mesh())
  measured = evaluation.measuring(evaluator, (), None)
  variables = sharding.replicate(sharding.mesh())(variables)
  return functools.partial(measured, variables, _resident(case, images).arrays)
