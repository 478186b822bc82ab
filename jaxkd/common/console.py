"""The one way to print to stderr, progress, durations, and silence of TensorFlow there."""

import datetime
import os
import sys
from typing import Any

import jax

from jaxkd.common.errors import one_line


def tell(text: str) -> None:
  """Prints a line to stderr, from the first process of a run only."""
  if jax.process_index() == 0:
    print(one_line(text), file=sys.stderr, flush=True)


class _Lines:
  """Writes each state of a bar to stderr as a line of its own."""

  def write(self, text: str) -> None:
    if shown := text.strip():
      print(shown, file=sys.stderr)

  def flush(self) -> None:
    sys.stderr.flush()


def progress(title: str, images: int, delay: float = 0) -> Any:
  """Returns a bar of tqdm: on a terminal it is shown after `delay` s.

  Elsewhere, as in a log file, work of more than 10 s has a line every 30 s.
  """
  # Only reading data needs it.
  import tqdm  # type: ignore[import-untyped]

  bar: dict[str, Any] = {"desc": title, "total": images, "unit": " images"}
  if sys.stderr.isatty():
    return tqdm.tqdm(**bar, delay=delay)
  return tqdm.tqdm(**bar, delay=max(delay, 10), mininterval=30, maxinterval=30, file=_Lines())


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
