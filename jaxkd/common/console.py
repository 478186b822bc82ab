"""The one way to print to stderr, durations, and silence of TensorFlow there."""

import datetime
import os
import sys

import jax

from jaxkd.common.errors import one_line


def tell(text: str) -> None:
  """Prints a line to stderr, from the first process of a run only."""
  if jax.process_index() == 0:
    print(one_line(text), file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
  """Returns a duration as hours, minutes and seconds.

  Examples:
    >>> clock(3723.4)
    '1:02:03'
  """
  return str(datetime.timedelta(seconds=round(seconds)))


def silence_tensorflow() -> None:
  """Keeps TensorFlow, which is imported later, from telling of processors and of oneDNN."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
