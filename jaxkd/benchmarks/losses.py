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
_CALLS = 20


def loss(workload: Workload) -> Iterator[dict[str, Any]]:
  """Yields microseconds and temporary bytes of each loss, by number of classes."""
  functions: dict[str, Callable[..., jax.Array]] = {
    "kd": functools.partial(losses.kd, lam=0.5, tau=4.0),
    "ats": functools.partial(losses.ats, lam=0.5, tau1=4.0, tau2=3.0),
    **{name: functools.partial(losses.isats, lam=0.5, grid=grid) for name, grid in _GRIDS.items()},
  }
  for size in workload.batch_sizes:
    for classes in CLASSES:
      student, teacher = (3 * jax.random.normal(jax.random.key(i), (size, classes)) for i in (0, 1))
      labels = jnp.arange(size) % classes
      arguments = student, teacher, labels
      compiled = {
        name: jax.jit(jax.value_and_grad(_mean(function))).lower(*arguments).compile()
        for name, function in functions.items()
      }
      calls = {name: functools.partial(_call, each, arguments) for name, each in compiled.items()}
      for name, timing in in_turns(calls, workload.repeats).items():
        temporary = memory(compiled[name]).temp_size_in_bytes
        yield {
          "loss": name,
          "batch": size,
          "classes": classes,
          "microseconds": timing.median / _CALLS * 1e6,
          "± microseconds": timing.spread / _CALLS * 1e6,
          "temporary memory (MB)": temporary / 1e6,
          "of the logits": temporary / student.nbytes,
        }


def _mean(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
  return lambda *arguments: jnp.mean(function(*arguments))


def _call(compiled: Callable[..., Any], arguments: tuple[jax.Array, ...]) -> None:
  for _ in range(_CALLS):
    results = compiled(*arguments)
  jax.block_until_ready(results)
