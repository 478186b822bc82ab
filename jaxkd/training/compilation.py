"""Compilation of the programs that results come from: the same bits in every run."""

from collections.abc import Callable
from typing import Any

import jax

from jaxkd.common.backend import backend


def jit(function: Callable[..., Any], *, deterministic: bool = True, **options: Any) -> Any:
  """Returns `jax.jit(function, **options)`; on a GPU, of a deterministic program.

  Otherwise XLA times several algorithms for each convolution on the GPU at hand and takes the
  fastest. Two compilations of one program then differ in rounding, and some of the algorithms add
  in another order each time. A resumed training would not end in the bits of one that was never
  stopped.

  Args:
    function: the function.
    deterministic: False leaves the choice to XLA; its programs are faster.
    **options: arguments of `jax.jit`.
  """
  if deterministic and backend() == "gpu":
    options["compiler_options"] = {"xla_gpu_deterministic_ops": True}
  return jax.jit(function, **options)


def traced_once(function: Callable[..., Any]) -> Any:
  """Returns a function to call in jitted ones; JAX keeps its trace for arguments of equal types.

  The programs are those without it.
  """
  return jax.jit(function, inline=True)
