"""Signals end a command with one line, at any time."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def python(*argv, **options):
  return subprocess.Popen(
    [sys.executable, *argv], cwd=ROOT, stderr=subprocess.PIPE, text=True, **options
  )


def wait_until_it_handles(process, number):
  """Waits until the process has a handler for a signal, which it sets before the imports."""
  deadline = time.monotonic() + 60
  while time.monotonic() < deadline:
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    if int(status.split("SigCgt:")[1].split()[0], 16) >> (number - 1) & 1:
      return
    time.sleep(0.005)
  raise TimeoutError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [("-m", "jaxkd.main"), ("-m", "jaxkd", "table")])
def test_a_signal_during_the_imports_ends_a_command_with_one_line(words, number):
  process = python(*words)
  wait_until_it_handles(process, signal.SIGHUP)
  process.send_signal(number)
  _, errors = process.communicate(timeout=60)
  assert process.returncode == 75
  assert errors == f"jaxkd: stopped by {number.name}; run the same command again\n"


def test_an_ignored_sighup_stays_ignored():
  process = subprocess.Popen(
    ["nohup", sys.executable, "-m", "jaxkd.main"], cwd=ROOT, stderr=subprocess.PIPE, text=True
  )
  wait_until_it_handles(process, signal.SIGTERM)
  process.send_signal(signal.SIGHUP)
  _, errors = process.communicate(timeout=60)
  assert process.returncode == 2
  assert "--config is missing" in errors


# JAX adds callbacks to the garbage collector, and Python drops the exceptions of callbacks.
DROPPED = """
import gc, os, signal, time
from jaxkd.common import signals
signals.end_at_once()
signals.end_with_cleanup()
def callback(phase, info):
  gc.callbacks.remove(callback)
  os.kill(os.getpid(), signal.SIGINT)
  time.sleep(0.05)
gc.callbacks.append(callback)
gc.collect()
try:
  time.sleep(60)
finally:
  print("cleans up", flush=True)
"""


def test_a_dropped_exception_of_a_signal_is_raised_again():
  process = python("-c", DROPPED, stdout=subprocess.PIPE)
  printed, errors = process.communicate(timeout=50)
  assert process.returncode == 75
  assert printed == "cleans up\n"
  assert errors == "jaxkd: stopped by SIGINT; run the same command again\n"


def test_a_library_leaves_the_signals_alone(tmp_path):
  (tmp_path / "own.py").write_text("import jaxkd, os, signal\nos.kill(os.getpid(), signal.SIGINT)")
  process = python("-m", "own", env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"})
  assert "KeyboardInterrupt" in process.communicate(timeout=60)[1]
