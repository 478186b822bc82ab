"""Places arrays on devices, those of other processes too."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Sharding


@functools.cache
def placed(sharding: Sharding) -> Callable[[Any], Any]:
  """Returns a function that copies a tree of arrays, the same in all processes, to devices.

  All callers of a process share its programs.
  """
  # `jax.device_put` moves nothing to other processes' devices.
  return jax.jit(lambda tree: tree, out_shardings=sharding)
