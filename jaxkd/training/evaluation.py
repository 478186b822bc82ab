"""Evaluation of a network on a whole split."""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkd import data
from jaxkd.data.base import Split
from jaxkd.training import compilation, sharding
from jaxkd.training.step import Evaluator, Variables


class Measured(NamedTuple):
  """The measures of a network on a whole split."""

  means: dict[str, Any]  # of the sums of `Evaluator.measure`
  predictions: np.ndarray  # labels and predicted classes, `[2, M]`, -1 on padding
  num_classes: int
  images_per_second: float | None  # after the first batch; None if there is no other

  @property
  def confusion(self) -> np.ndarray:
    """Label, predicted class and number of examples, `[K, 3]`."""
    labels, predicted = self.predictions[:, self.predictions[0] >= 0].astype(np.int64)
    # The pairs of many classes exceed int32, and a matrix of them the memory.
    pairs, counts = np.unique(labels * self.num_classes + predicted, return_counts=True)
    return np.column_stack([*np.divmod(pairs, self.num_classes), counts])


def measuring(
  evaluator: Evaluator, teachers: tuple[Variables, ...], workers: int | None
) -> Callable[[Variables, Split], Measured]:
  """Returns a function `(variables, split) -> Measured`."""
  # Jitted once, for all evaluations of a training.
  run = _replicated(evaluator, evaluator.measure)

  def measured(variables: Variables, split: Split) -> Measured:
    results: list[Any] = []
    start = 0.0
    for batch in _batches(evaluator, split, workers):
      results.append(run((variables, *teachers), batch))
      # At most four batches are in the devices' memory.
      jax.block_until_ready(results[-4:][0])
      # The first batch may wait for a compilation.
      start = start or time.perf_counter()
    sums, predictions = zip(*jax.block_until_ready(results), strict=True)
    seconds, size = time.perf_counter() - start, data.size(split)
    means = {
      name: (np.sum([each[name] for each in sums], axis=0) / size).tolist() for name in sums[0]
    }
    rest = size - evaluator.batch_size
    return Measured(
      means,
      np.concatenate(predictions, axis=1),
      evaluator.spec.num_classes,
      rest / seconds if rest > 0 else None,
    )

  return measured


def constants(
  evaluator: Evaluator,
  variables: Variables,
  teachers: Callable[[int], tuple[Any, ...]],
  split: Split,
  workers: int | None,
) -> Any:
  """Returns the constants that the objective prepares in a pass over the training split.

  `teachers(number)` are the teachers' variables for a batch; see `Feed.clean`.
  """
  objective = evaluator.objective
  if objective is None or objective.prepare is None:
    return ()
  prepare = objective.prepare

  def prepared(variables, batch):
    (_, *teachers), labels, mask = evaluator.outputs(variables, batch)
    return prepare(tuple(teachers), labels, mask, evaluator.spec.num_classes)

  run = _replicated(evaluator, prepared)
  # Added on the host: several programs at once have deadlocked on CPUs.
  parts = (
    jax.device_get(run((variables, *teachers(number)), batch))
    for number, batch in enumerate(_batches(evaluator, split, workers))
  )
  return functools.reduce(lambda total, part: jax.tree.map(np.add, total, part), parts)


def collect(
  evaluator: Evaluator,
  variables: tuple[Variables, ...],
  split: Split,
  take: Callable[..., Any],
  workers: int | None = None,
) -> Any:
  """Returns a tree of arrays `[N, ...]`, which `take` gives for every example of a split.

  `take(outputs of the networks, labels)` gives arrays `[B, ...]` of a batch.
  """

  def taken(variables, batch):
    outputs, labels, mask = evaluator.outputs(variables, batch)
    return take(outputs, labels), mask

  run = _replicated(evaluator, taken)
  parts = []
  for batch in _batches(evaluator, split, workers):
    values, mask = jax.device_get(run(variables, batch))
    parts.append(jax.tree.map(lambda x, mask=mask: x[mask], values))
  return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)


def _replicated(evaluator: Evaluator, function: Callable[..., Any]) -> Callable[..., Any]:
  return compilation.jit(function, out_shardings=sharding.replicated(evaluator.mesh))


def _batches(evaluator: Evaluator, split: Split, workers: int | None) -> Any:
  batch = sharding.split_batch(evaluator.mesh)
  return data.eval_batches(split, evaluator.batch_size, batch, workers)
