"""The CPU cores of this process."""

import functools
import os
import socket
import zlib

import jax
import numpy as np
from jax.experimental import multihost_utils


def cores() -> list[int]:
  """Returns the numbers of the cores that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return sorted(os.sched_getaffinity(0))
  return list(range(os.cpu_count() or 1))


@functools.cache
def share_of_cores() -> int:
  """Returns the number of cores for this process, at least 1.

  Processes of the run that may use the same cores divide them, so all processes must call this.
  """
  its_cores = cores()
  if jax.process_count() == 1:
    return len(its_cores)
  place = zlib.crc32(f"{socket.gethostname()} {its_cores}".encode())
  places = multihost_utils.process_allgather(np.array(place, np.uint32))
  return max(len(its_cores) // int(np.sum(places == place)), 1)
