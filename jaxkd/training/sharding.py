"""The mesh, and the two shardings that training uses."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxkd.common.placement import placed

DATA = "data"
"""The mesh's only axis: batches are split along it."""


def mesh() -> Mesh:
  """Returns a mesh over all devices of all processes."""
  return Mesh(np.array(jax.devices()), (DATA,))


def replicated(mesh: Mesh) -> NamedSharding:
  """Returns the sharding of state and data: a copy on every device."""
  return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh) -> NamedSharding:
  """Returns the sharding of batches: examples divided among the devices."""
  return NamedSharding(mesh, PartitionSpec(DATA))


def replicate(mesh: Mesh) -> Callable[[Any], Any]:
  """Returns a function that copies a tree of arrays, the same in all processes, to every device."""
  return placed(replicated(mesh))


def agreed(fact: bool) -> bool:
  """Returns the first process's fact in all processes: others may see shared files late."""
  return bool(of_first(np.array(fact)))


def of_first(array: np.ndarray) -> np.ndarray:
  """Returns the first process's array in all processes; see `agreed`."""
  if jax.process_count() == 1:
    return array
  return np.asarray(multihost_utils.broadcast_one_to_all(array))
