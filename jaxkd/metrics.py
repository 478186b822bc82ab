"""What a run reports: a line per evaluation, TensorBoard, progress."""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping

import jax

from jaxkd.store import Entry, write_atomically


class Writer:
  """Writes evaluations to `metrics.jsonl` and, with TensorFlow, TensorBoard.

  Lines of steps after `step` are dropped: a run that goes on from a checkpoint
  writes them again.

  Args:
    entry: the phase's place.
    step: the step that the run goes on from.
  """

  def __init__(self, entry: Entry, step: int):
    self._path = entry.metrics
    if self._path.exists():
      kept = [
        line
        for line in self._path.read_text().splitlines()
        # A killed process may have left half a line.
        if line.endswith("}") and json.loads(line)["step"] <= step
      ]
      write_atomically(self._path, "".join(line + "\n" for line in kept))
    self._board = None
    # clu's writers import TensorFlow, which is an extra.
    if importlib.util.find_spec("tensorflow"):
      from clu import metric_writers

      self._board = metric_writers.SummaryWriter(
        str(entry.path / "tensorboard")
      )

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Appends one evaluation and brings it to disk."""
    with open(self._path, "a") as file:
      file.write(json.dumps({"step": step, **scalars}) + "\n")
      file.flush()
      os.fsync(file.fileno())
    if self._board:
      self._board.write_scalars(step, scalars)
      self._board.flush()


class Progress:
  """Shows how far a phase is, and when it will be done.

  On a terminal one line is written over and over; elsewhere a new line comes
  every 30 seconds. Only the first process shows anything.

  Args:
    label: what is trained.
    step: the step that the run goes on from.
    total: the number of steps.
    batch_size: examples per step.
  """

  def __init__(self, label: str, step: int, total: int, batch_size: int):
    self._label, self._total, self._batch_size = label, total, batch_size
    self._first_step, self._start = step, time.monotonic()
    self._shown = self._start
    self._quiet = jax.process_index() != 0
    self._live = sys.stderr.isatty()

  def update(self, step: int, loss: float) -> None:
    """Shows the step and its loss, unless it has just shown another."""
    now = time.monotonic()
    if self._quiet or now - self._shown < (0.5 if self._live else 30):
      return
    self._shown = now
    per_step = (now - self._start) / max(step - self._first_step, 1)
    text = (
      f"{self._label} step {step}/{self._total} ({step / self._total:.0%}) "
      f"loss {loss:.4f}, {self._batch_size / per_step:.0f} images/s, "
      f"ETA {_clock(per_step * (self._total - step))}"
    )
    print(
      f"\r{text}\033[K" if self._live else text,
      end="" if self._live else "\n",
      file=sys.stderr,
      flush=True,
    )

  def note(self, text: str) -> None:
    """Leaves a line of its own."""
    if self._quiet:
      return
    start = "\r\033[K" if self._live else ""
    print(f"{start}{self._label} {text}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
  minutes, seconds = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  return f"{hours}:{minutes:02}:{seconds:02}"
