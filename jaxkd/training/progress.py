"""What a run reports: a line per evaluation, TensorBoard, progress."""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Mapping

import jax
from clu import parameter_overview
from flax import nnx

from jaxkd.common.files import write_atomically
from jaxkd.runs.store import PhaseFolder, StoreError


class Writer:
  """Writes what a phase reports into its folder, from the first process.

  `parameters.txt` lists the network's parameters. Evaluations go to
  `metrics.jsonl` and, where TensorFlow is installed, to TensorBoard. Lines of
  steps after `step` are dropped: a run that goes on from a checkpoint writes
  them again.

  Args:
    entry: the phase's place.
    step: the step that the run goes on from.
    params: the network's parameters.
  """

  def __init__(self, entry: PhaseFolder, step: int, params: nnx.State):
    self._writes = jax.process_index() == 0
    self._board = None
    if not self._writes:
      return
    write_atomically(
      entry.path / "parameters.txt",
      parameter_overview.get_parameter_overview(nnx.to_pure_dict(params), include_stats=False),
    )
    self._path = entry.metrics
    if self._path.exists():
      kept = [
        line
        for line in self._path.read_text().splitlines()
        # A killed process may have left half a line.
        if line.endswith("}") and json.loads(line)["step"] <= step
      ]
      write_atomically(self._path, "".join(line + "\n" for line in kept))
    # clu's writers import both, which are an extra.
    if all(map(importlib.util.find_spec, ("tensorflow", "tensorboard"))):
      from clu import metric_writers

      self._board = metric_writers.SummaryWriter(str(entry.path / "tensorboard"))

  def write(self, step: int, scalars: Mapping[str, float]) -> None:
    """Appends one evaluation and brings it to disk.

    Raises:
      StoreError: it can't be written.
    """
    if not self._writes:
      return
    try:
      with open(self._path, "a") as file:
        file.write(json.dumps({"step": step, **scalars}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
      raise StoreError(f"can't write {self._path}: {error.strerror}") from error
    if self._board:
      self._board.write_scalars(step, scalars)
      self._board.flush()

  def close(self) -> None:
    """Ends TensorBoard's file."""
    if self._board:
      self._board.close()


class Progress:
  """Shows how far a phase is, how fast, and when it will be done.

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
    self._first_step, self._start = step, 0.0
    self._paused_at = 0.0
    self._shown = time.monotonic()
    self._quiet = jax.process_index() != 0
    self._live = sys.stderr.isatty()
    if step:
      self.note(f"goes on from step {step}/{total}")

  def update(self, step: int, loss: float) -> None:
    """Tells that a step is done; shows it unless it has just shown another."""
    now = time.monotonic()
    if not self._start:
      # The time of the first dispatch is that of compilation.
      self._first_step, self._start = step, now
      return
    if self._quiet or now - self._shown < (0.5 if self._live else 30):
      return
    self._shown = now
    rate = self._images_per_second(step, now)
    left = (self._total - step) * self._batch_size / rate
    text = (
      f"{self._label} step {step}/{self._total} ({step / self._total:.0%}) "
      f"loss {loss:.4f}, {rate:.0f} images/s, ETA {_clock(left)}"
    )
    print(
      f"\r{text}\033[K" if self._live else text,
      end="" if self._live else "\n",
      file=sys.stderr,
      flush=True,
    )

  def _images_per_second(self, step: int, now: float) -> float:
    seconds = now - self._start
    return (step - self._first_step) * self._batch_size / max(seconds, 1e-9)

  def pause(self, step: int) -> float:
    """Stops the clock for an evaluation; returns images/s, 0 if too early."""
    self._paused_at = time.monotonic()
    return self._images_per_second(step, self._paused_at) if self._start else 0.0

  def resume(self) -> None:
    """Starts the clock again."""
    if self._paused_at and self._start:
      self._start += time.monotonic() - self._paused_at
    self._paused_at = 0.0

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
