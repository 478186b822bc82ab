"""Runs a command in several processes on this machine, one for each GPU.

  python -m jaxkd.processes 8 main --config=configs/cub_isats.py

`./launch.sh --processes=8` runs this. SIGINT (Ctrl-C), SIGTERM and SIGHUP ask all processes to save
and to end: status 75, and the same command resumes. Processes that have not ended 60 seconds later
(JAXKD_GRACE) are killed, and all are after a second signal: status 137. If a process fails, the
others are ended, and the status is that of the first that failed.
"""

import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from jaxkd import __main__ as console
from jaxkd.common.errors import STOPPED, end
from jaxkd.common.signals import SIGNALS
from jaxkd.common.spelling import nearest

_LAST_WORDS = 5
"""Seconds for the others to end after a process has failed; most fail for the same reason."""

_FAILURE = re.compile(r"jaxkd: |[EF]\d{4} ")
"""How the last lines of a process begin: its own line, or an error of XLA's C++ code."""


class Processes:
  """A command in several processes.

  The first process has this one's stderr. The last lines of the others are held back, since they
  mostly repeat the first one's.
  """

  def __init__(self, count: int, command: Sequence[str], grace: float):
    self._count, self._command, self._grace = count, command, grace
    self._events: queue.SimpleQueue[tuple[int, int | None]] = queue.SimpleQueue()
    self._running: dict[int, subprocess.Popen[str]] = {}
    self._readers: list[threading.Thread] = []
    self._last_lines: dict[int, list[str]] = {number: [] for number in range(count)}
    self._failed: dict[int, int] = {}  # status of each process, in the order of their ends
    self._stopping = False
    self._deadline = float("inf")
    self._killed: list[int] = []

  def run(self) -> int:
    """Runs the command; returns the exit status."""
    self._start()
    while self._running:
      left = self._deadline - time.monotonic()
      try:
        number, status = self._events.get(timeout=min(max(left, 0), threading.TIMEOUT_MAX))
      except queue.Empty:
        self._kill()
        continue
      if status is not None:
        self._ended(number, status)
      elif self._stopping:
        self._kill()
      else:
        self._stop()
    for reader in self._readers:
      # A process that it had started may still hold its stderr.
      reader.join(1)
    return self._report()

  def _start(self) -> None:
    heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
      # A terminal sends these to all its processes, but they are meant for this one.
      if number != signal.SIGTERM:
        signal.signal(number, signal.SIG_IGN)
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      address = f"127.0.0.1:{free.getsockname()[1]}"
    shared = {"JAX_COORDINATOR_ADDRESS": address, "TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
    for number in range(self._count):
      own = {
        "JAX_NUM_PROCESSES": str(self._count),
        "JAX_PROCESS_ID": str(number),
        "JAX_LOCAL_DEVICE_IDS": str(number),
        "JAXKD_SUPERVISOR": str(os.getpid()),
      }
      stderr = subprocess.PIPE if number else None
      process = subprocess.Popen(
        self._command, env={**shared, **own}, stderr=stderr, text=True, errors="replace"
      )
      self._running[number] = process
      threading.Thread(target=self._wait, args=(number, process), daemon=True).start()
      if number:
        self._readers.append(threading.Thread(target=self._read, args=(number, process)))
        self._readers[-1].daemon = True
        self._readers[-1].start()
    for number in heard:
      signal.signal(number, lambda number, _: self._events.put((number, None)))

  def _wait(self, number: int, process: subprocess.Popen[str]) -> None:
    self._events.put((number, process.wait()))

  def _read(self, number: int, process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    for line in process.stderr:
      if self._last_lines[number] or _FAILURE.match(line):
        self._last_lines[number].append(line)
      else:
        print(line, end="", file=sys.stderr, flush=True)

  def _stop(self) -> None:
    """Asks all processes to save and to end."""
    self._stopping = True
    self._deadline = min(self._deadline, time.monotonic() + self._grace)
    for process in self._running.values():
      process.terminate()

  def _kill(self) -> None:
    self._deadline = float("inf")
    self._killed += self._running
    for process in self._running.values():
      process.kill()

  def _ended(self, number: int, status: int) -> None:
    del self._running[number]
    if self._stopping and status == -signal.SIGTERM:
      # It had not joined the others yet.
      status = STOPPED
    if not status:
      return
    self._failed[number] = status
    if len(self._failed) > 1 or self._stopping:
      return
    if status == STOPPED:
      self._stop()
    else:
      # The others would wait for a killed process.
      patience = _LAST_WORDS if status > 0 or status == -signal.SIGABRT else 0
      self._deadline = time.monotonic() + patience

  def _report(self) -> int:
    """Says what the processes have not said; returns the exit status."""
    # When the first process ends, JAX aborts the others before its status is known.
    first, status = min(self._failed.items(), key=lambda item: item[1] < 0, default=(0, 0))
    if self._failed.get(0) != status:
      print(*self._last_lines[first], sep="", end="", file=sys.stderr, flush=True)
    again = "run the same command to resume"
    if self._stopping and self._killed:
      names = ", ".join(map(str, self._killed))
      _tell(f"processes that did not end after the signal were killed: {names}; {again}")
      return 128 + signal.SIGKILL
    if status < 0:
      name = signal.Signals(-status).name
      _tell(f"process {first} of {self._count} was ended by {name}, so all were ended; {again}")
      return 128 - status
    return status


def _tell(text: str) -> None:
  print(f"jaxkd: {text}", file=sys.stderr, flush=True)


def main() -> None:
  """Runs the command that the arguments name."""
  if {"-h", "--help"} & set(sys.argv[1:2]):
    print(__doc__)
    return
  if len(sys.argv) < 3 or not re.fullmatch("[1-9][0-9]*", sys.argv[1]):
    found = repr(shlex.join(sys.argv[1:])) if sys.argv[1:] else "missing"
    end(f"the arguments are {found}, must be NUMBER COMMAND [...] with a NUMBER >= 1")
  number, command, *rest = sys.argv[1:]
  if command not in (known := console.commands()):
    end(f"the command is {command!r}, must be {nearest(command, known)}")
  grace = os.environ.get("JAXKD_GRACE", "60")
  if not re.fullmatch(r"\d+(\.\d+)?", grace):
    end(f"JAXKD_GRACE is {grace!r}, must be a number of seconds")
  words = [sys.executable, "-m", f"jaxkd.{command}", *rest]
  sys.exit(Processes(int(number), words, float(grace)).run())


if __name__ == "__main__":
  main()
