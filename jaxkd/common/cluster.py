"""The processes of a run: how they join, stop together, and end when one of them ends."""

import contextlib
import faulthandler
import itertools
import math
import os
import pathlib
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxkd.common import files, signals
from jaxkd.common.errors import ConfigError, UserError, end

HEARTBEAT = 30
"""Seconds without a sign of life after which a process counts as dead."""

_PROCESS = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
_SUPERVISOR = "JAXKD_SUPERVISOR"  # the process of `jaxkd.processes` that started this one
_ROUND = 1.0  # seconds between two looks for processes that have ended
_SHARED_WITHIN = 10  # seconds for a file to show on another machine
# Over all queues of this process, since JAX counts on.
_asked = itertools.count()
_watch: "_Watch | None" = None
_deadline = math.inf  # of `time_limit`, by time.monotonic()


@contextlib.contextmanager
def joined() -> Iterator[None]:
  """Joins the other processes of the run, where there are any, and leaves together with them.

  Under SLURM and on TPU pods JAX finds the processes by itself; elsewhere three variables name
  them, which `jaxkd.processes` sets. A process that ends before the others ends them, too.
  """
  if not _initialize() or jax.process_count() == 1:
    yield
    return
  global _watch
  _watch = _Watch()
  _watch.start()
  # JAX aborts this process when the first one has gone, and stacks would hide its message.
  faulthandler.disable()
  try:
    yield
  except signals.Stopped:
    # All processes stop at the same step.
    _watch.leave()
    raise
  except BaseException:
    _watch.confirm()
    raise
  _watch.leave()


def _initialize() -> bool:
  """Joins the other processes; returns whether there may be any."""
  if all(name in os.environ for name in _PROCESS):
    known: dict[str, Any] = {
      "num_processes": _integer("JAX_NUM_PROCESSES"),
      "process_id": _integer("JAX_PROCESS_ID"),
    }
  elif "SLURM_JOB_ID" in os.environ:
    # srun sets this variable, sbatch alone doesn't.
    if os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
      return False
    known = {}
  # JAX sets this variable where it finds a TPU.
  elif "TPU_ML_PLATFORM" in os.environ:
    known = {}
  else:
    return False
  # Python's handler would wait, too, while JAX waits for the other processes. Afterwards SIGTERM is
  # JAX's notice of preemption.
  before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
  # By default the processes abort when one of them dies.
  jax.config.update("jax_enable_recoverability", True)
  try:
    jax.distributed.initialize(**known, heartbeat_timeout_seconds=HEARTBEAT)
  except ValueError as error:
    # A single TPU machine without a metadata server.
    if "coordinator_address" not in str(error):
      raise
    signal.signal(signal.SIGTERM, before)
    return False
  return True


def _integer(name: str) -> int:
  """Returns the number in an environment variable, or raises a ConfigError."""
  if not (text := os.environ[name]).isdecimal():
    raise ConfigError(f"{name} is {text!r}, must be an integer >= 0")
  return int(text)


def fail(error: UserError) -> NoReturn:
  """Ends this process, from any thread, and so the other processes of the run."""
  if _watch:
    _watch.confirm()
  with contextlib.suppress(SystemExit):
    end(error)
  try:
    # This tells the others at once.
    jax.distributed.shutdown()
  finally:
    os._exit(error.status)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
  """Makes each `stop_requested` within ask to stop, this many seconds from now."""
  global _deadline
  before, _deadline = _deadline, time.monotonic() + seconds
  try:
    yield
  finally:
    _deadline = before


class StopRequest:
  """Whether the run has been asked to stop.

  Once the time limit is over, `ask` is called, which is `set` in a process that is alone.
  """

  def __init__(self, ask: Callable[[], None] | None = None):
    self._event = threading.Event()
    self._ask, self._deadline = ask or self.set, _deadline

  def set(self) -> None:
    """Asks this process to stop, which has no other processes beside it."""
    self._event.set()

  def is_set(self) -> bool:
    """Returns the same in all processes, which must ask equally often."""
    if time.monotonic() >= self._deadline:
      self._deadline = math.inf
      self._ask()
    if self._event.is_set():
      return True
    # It is False if there are no other processes.
    if multihost_utils.reached_preemption_sync_point(next(_asked)):
      self._event.set()
    return self._event.is_set()


@contextlib.contextmanager
def stop_requested() -> Iterator[StopRequest]:
  """Yields a request that the first SIGINT (Ctrl-C), SIGTERM or SIGHUP sets, or the time limit.

  The second signal ends a process that is alone. Of several processes, one that gets a signal stops
  all of them at the same step, through JAX's notice of preemption.
  """
  if jax.distributed.is_initialized():

    def notify() -> None:
      os.kill(os.getpid(), signal.SIGTERM)

    request = StopRequest(notify)
    notice = [number for number in signals.SIGNALS if number != signal.SIGTERM]
    handling = signals.handled(notify, notice)
  else:
    request = StopRequest()
    handling = signals.handled(request.set)
  with handling:
    yield request


def check_shared(folder: pathlib.Path) -> None:
  """Raises a ConfigError in all processes unless all see the same folder.

  The first process removes the temporary files that killed processes left in it.
  """
  first = jax.process_index() == 0
  if first:
    files.remove_leftovers(folder)
  if jax.process_count() == 1:
    return
  name = np.frombuffer(uuid.uuid4().bytes, np.uint8)
  name = np.asarray(multihost_utils.broadcast_one_to_all(name), np.uint8)
  marker = files.temporary_path(folder / ".shared", name.tobytes().hex())
  with contextlib.ExitStack() as stack:
    if first:
      files.make_folder(folder)
      stack.enter_context(files.temporary(marker))
    deadline = time.monotonic() + _SHARED_WITHIN
    while not (found := marker.exists()) and time.monotonic() < deadline:
      time.sleep(0.1)
    seen = multihost_utils.process_allgather(np.array(found))
  if blind := np.flatnonzero(~seen).tolist():
    raise ConfigError(
      f"--workdir is '{folder}', must be a folder that all processes share: process {blind[0]} "
      "does not see a file of process 0 there"
    )


class _Watch(threading.Thread):
  """Ends this process when another one has ended before its time."""

  def __init__(self):
    super().__init__(daemon=True)
    self._devices = jax.devices()
    self._count = jax.process_count()
    self._first = jax.process_index() == 0
    self._leaving = threading.Event()
    self._rounds = 0
    self._supervisor = int(os.environ.get(_SUPERVISOR, 0))

  def run(self) -> None:
    """Compares, in every round, the live processes with all processes."""
    try:
      while not self._leaving.wait(_ROUND):
        if gone := self._gone():
          self._end(min(gone))
        self._rounds += 1
        if self._supervisor and os.getppid() != self._supervisor:
          os.kill(os.getpid(), signal.SIGTERM)
      # The first process serves the others, so it leaves last.
      while self._first and len(self._gone()) < self._count - 1:
        pass
    except Exception:
      # The first process has ended, and its service with it.
      self._end(0)

  def confirm(self) -> None:
    """Returns when all processes are alive, or else ends this process.

    An error that follows from the end of another process is not worth a message.
    """
    # The round that is under way may have begun before the error.
    complete = self._rounds + 2
    while self.is_alive() and self._rounds < complete:
      time.sleep(0.1)
    self._leaving.set()
    if self._first:
      # All processes may have the same error.
      self.join(3)

  def leave(self) -> None:
    """Waits for the other processes, and leaves them."""
    multihost_utils.sync_global_devices("jaxkd: finished")
    self._leaving.set()
    multihost_utils.sync_global_devices("jaxkd: nobody watches")
    if self._first:
      self.join(HEARTBEAT)
    jax.distributed.shutdown()

  def _gone(self) -> set[int]:
    """Waits for the watches of all live processes; returns the other processes."""
    try:
      with multihost_utils.live_devices(self._devices) as live:
        alive = {device.process_index for device in live}
    except multihost_utils.ProcessFailureError as error:
      return {device.process_index for device in error.failed_devices}
    return {device.process_index for device in self._devices} - alive

  def _end(self, gone: int) -> None:
    if self._leaving.is_set():
      return
    if self._supervisor:
      # It tells which process has ended, and ends this one.
      time.sleep(10)
    else:
      text = f"process {gone} of {self._count} has ended; its own output says why"
      print(f"jaxkd: {text}; run the same command to resume", file=sys.stderr, flush=True)
    os._exit(1)
