"""Times the losses with their gradients, and measures their memory."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.benchmarks.programs import memory
from jaxkd.benchmarks.timing import in_turns
from jaxkd.benchmarks.workload import Workload

CLASSES = (10, 100, 1000, 21841)
"""Numbers of classes: those of CIFAR, ImageNet and ImageNet-21k."""
_GRIDS = {"isats": losses.ISATS_GRID, "isats, half of the grid": losses.ISATS_GRID[::2]}
CALLS = 20
"""Calls of a function that are timed as one."""


def loss(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields microseconds and temporary bytes of each loss, by number of classes."""
  functions: dict[str, Callable[..., jax.Array]] = {
    "kd": functools.partial(losses.kd, lam=0.5, tau=4.0),
    "ats": functools.partial(losses.ats, lam=0.5, tau1=4.0, tau2=3.0),
    **{name: functools.partial(losses.isats, lam=0.5, grid=grid) for name, grid in _GRIDS.items()},
  }
  for size in workload.batch_sizes:
    for classes in CLASSES:
      arguments = examples(size, classes)
      compiled = {name: with_gradient(each, arguments) for name, each in functions.items()}
      calls = {
        name: functools.partial(repeated, each, arguments) for name, each in compiled.items()
      }
      for name, timing in in_turns(calls, workload.repeats).items():
        temporary = memory(compiled[name]).temp_size_in_bytes
        yield {
          "loss": name,
          "batch": size,
          "classes": classes,
          "microseconds": timing.median / CALLS * 1e6,
          "± microseconds": timing.spread / CALLS * 1e6,
          "temporary memory (MB)": temporary / 1e6,
          "of the logits": temporary / arguments[0].nbytes,
        }


def examples(size: int, classes: int) -> tuple[jax.Array, ...]:
  """Returns random logits of a student and of a teacher, `[size, classes]`, and labels."""
  student, teacher = (3 * jax.random.normal(jax.random.key(i), (size, classes)) for i in (0, 1))
  return student, teacher, jnp.arange(size) % classes


def with_gradient(
  function: Callable[..., jax.Array], arguments: tuple[jax.Array, ...]
) -> jax.stages.Compiled:
  """Compiles the mean of a loss, with its gradient by the student's logits."""

  def mean(*arguments: jax.Array) -> jax.Array:
    return jnp.mean(function(*arguments))

  return jax.jit(jax.value_and_grad(mean)).lower(*arguments).compile()


def repeated(function: Callable[..., Any], arguments: tuple[Any, ...], calls: int = CALLS) -> None:
  """Calls a function so many times and waits for the last results."""
  for _ in range(calls):
    results = function(*arguments)
  jax.block_until_ready(results)
