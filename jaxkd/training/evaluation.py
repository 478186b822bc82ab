"""Evaluation of a network on a whole split."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxkd import data
from jaxkd.data.base import Split
from jaxkd.training import compilation, sharding
from jaxkd.training.step import Evaluator, Variables


def mean_over(
  evaluator: Evaluator, teachers: tuple[Variables, ...], workers: int | None
) -> Callable[[Variables, Split], dict[str, Any]]:
  """Returns a function `(variables, split) -> means` of the measures of `Evaluator.sums`."""
  # Jitted once, for all evaluations of a training.
  run = _replicated(evaluator, evaluator.sums)

  def means(variables: Variables, split: Split) -> dict[str, Any]:
    sums: list[Any] = []
    for batch in _batches(evaluator, split, workers):
      sums.append(run((variables, *teachers), *batch))
      # At most four batches are in the devices' memory.
      jax.block_until_ready(sums[-4:][0])
    return {
      name: (np.sum([each[name] for each in sums], axis=0) / data.size(split)).tolist()
      for name in sums[0]
    }

  return means


def constants(
  evaluator: Evaluator, variables: tuple[Variables, ...], split: Split, workers: int | None
) -> Any:
  """Returns the constants that the objective prepares in a pass over the training split."""
  objective = evaluator.objective
  if objective is None or objective.prepare is None:
    return ()
  prepare = objective.prepare

  def prepared(variables, source, index):
    (_, *teachers), labels, mask = evaluator.outputs(variables, source, index)
    return prepare(tuple(teachers), labels, mask, evaluator.spec.num_classes)

  run = _replicated(evaluator, prepared)
  # Added on the host: several programs at once have deadlocked on CPUs.
  parts = (jax.device_get(run(variables, *batch)) for batch in _batches(evaluator, split, workers))
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

  def taken(variables, source, index):
    outputs, labels, mask = evaluator.outputs(variables, source, index)
    return take(outputs, labels), mask

  run = _replicated(evaluator, taken)
  parts = []
  for batch in _batches(evaluator, split, workers):
    values, mask = jax.device_get(run(variables, *batch))
    parts.append(jax.tree.map(lambda x, mask=mask: x[mask], values))
  return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)


def _replicated(evaluator: Evaluator, function: Callable[..., Any]) -> Callable[..., Any]:
  return compilation.jit(function, out_shardings=sharding.replicated(evaluator.mesh))


def _batches(evaluator: Evaluator, split: Split, workers: int | None) -> Any:
  batch = sharding.split_batch(evaluator.mesh)
  return data.eval_batches(split, evaluator.batch_size, batch, workers)
