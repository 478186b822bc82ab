"""Progress of a training run on the terminal: step, loss, speed and remaining time."""

import sys
import time
from collections.abc import Callable

import jax

from jaxkd.common.console import clock

Rest = Callable[[float], float | None]
"""From images/s of a job to the seconds that all later jobs take, None if that is not known.

An image counts once for each student of the job."""


class Progress:
  """Shows the progress of a phase, from the first process.

  On a terminal one line is updated in place; elsewhere a line is printed every 30 seconds. With
  `rest`, it has the time of the whole queue, too. A step trains on `images`, each of which counts
  once for each student of a cohort.
  """

  def __init__(self, label: str, step: int, total: int, images: int, rest: Rest = lambda _: None):
    self._label, self._total, self._images, self._rest = label, total, images, rest
    self._first_step, self._start = step, 0.0
    self._paused_at = 0.0
    self._shown = time.monotonic()
    self._quiet = jax.process_index() != 0
    self._live = sys.stderr.isatty()
    if step:
      self.note(f"resumes at step {step}/{total}")

  def update(self, step: int, loss: float) -> None:
    """Records a finished step; shows it unless another was shown just before."""
    now = time.monotonic()
    if not self._start:
      # The first dispatch compiles.
      self._first_step, self._start = step, now
      return
    if self._quiet or now - self._shown < (0.5 if self._live else 30):
      return
    self._shown = now
    rate = self._images_per_second(step, now)
    left = (self._total - step) * self._images / rate
    rest = self._rest(rate)
    text = (
      f"{self._label} step {step}/{self._total} ({step / self._total:.0%}) "
      f"loss {loss:.4f}, {rate:.0f} images/s, ETA {clock(left)}"
      + (f", of all about {clock(left + rest)}" if rest else "")
    )
    shown, end = (f"\r{text}\033[K", "") if self._live else (text, "\n")
    print(shown, end=end, file=sys.stderr, flush=True)

  def _images_per_second(self, step: int, now: float) -> float:
    seconds = now - self._start
    return (step - self._first_step) * self._images / max(seconds, 1e-9)

  def pause(self, step: int) -> float | None:
    """Stops the clock for an evaluation; returns images/s, None if too early."""
    self._paused_at = time.monotonic()
    return self._images_per_second(step, self._paused_at) if self._start else None

  def resume(self) -> None:
    """Starts the clock again."""
    if self._paused_at and self._start:
      self._start += time.monotonic() - self._paused_at
    self._paused_at = 0.0

  def note(self, text: str) -> None:
    """Prints a line that stays."""
    if self._quiet:
      return
    start = "\r\033[K" if self._live else ""
    print(f"{start}{self._label} {text}", file=sys.stderr, flush=True)
