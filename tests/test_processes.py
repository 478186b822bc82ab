"""`jaxkd.processes`, with stubs for the command: signals, failures, and the exit status."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from jaxkd.__main__ import commands
from jaxkd.common.spelling import nearest

ROOT = pathlib.Path(__file__).parents[1]
WAIT = 60

# A command whose processes tell that they run, and that they have saved after SIGTERM.
STUB = """
import os, pathlib, signal, sys, time
mode, number = sys.argv[1], os.environ["JAX_PROCESS_ID"]
folder = pathlib.Path(__file__).parent

def save(*_):
  (folder / f"saved-{number}").touch()
  sys.exit(75)

signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else save)
print("starts", file=sys.stderr)
(folder / f"pid-{number}.tmp").write_text(str(os.getpid()))
(folder / f"pid-{number}.tmp").rename(folder / f"pid-{number}")
if mode == "all fail" or mode == "one fails" and number == "1":
  while len(list(folder.glob("pid-?"))) < 3:
    time.sleep(0.01)
  sys.exit(print("jaxkd: the disk is full", file=sys.stderr) or 2)
if mode != "succeed":
  while True:
    time.sleep(0.05)
"""

RUN = """
import sys
from jaxkd import processes
processes._LAST_WORDS = 0.3
sys.exit(processes.Processes(3, [sys.executable, *sys.argv[2:]], float(sys.argv[1])).run())
"""


class Run:
  """Three processes of the stub."""

  def __init__(self, folder, mode, grace=WAIT):
    self.folder = folder
    stub = folder / "stub.py"
    stub.write_text(STUB)
    self.process = subprocess.Popen(
      [sys.executable, "-c", RUN, str(grace), str(stub), mode],
      cwd=ROOT,
      stderr=subprocess.PIPE,
      text=True,
      start_new_session=True,
    )

  def pids(self):
    """Returns the processes of the command, once all run."""
    deadline = time.monotonic() + WAIT
    files = [self.folder / f"pid-{number}" for number in range(3)]
    while not all(file.exists() for file in files):
      assert time.monotonic() < deadline
      time.sleep(0.01)
    return [int(file.read_text()) for file in files]

  def end(self):
    """Returns the exit status and the lines that begin with `jaxkd:`; no process is left."""
    _, errors = self.process.communicate(timeout=WAIT)
    for pid in self.pids():
      with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert errors.count("starts") == 3
    lines = [line for line in errors.splitlines() if line.startswith("jaxkd: ")]
    return self.process.returncode, lines

  @property
  def saved(self):
    return len(list(self.folder.glob("saved-*")))


def test_success_of_all_processes_is_success(tmp_path):
  assert Run(tmp_path, "succeed").end() == (0, [])


@pytest.mark.parametrize(
  ("number", "send"),
  [
    (signal.SIGTERM, os.kill),
    (signal.SIGTERM, os.killpg),
    (signal.SIGINT, os.killpg),
    (signal.SIGHUP, os.killpg),
  ],
)
def test_a_signal_lets_all_processes_save(tmp_path, number, send):
  run = Run(tmp_path, "train")
  run.pids()
  send(run.process.pid, number)
  assert run.end() == (75, [])
  assert run.saved == 3


def test_sigterm_to_one_process_lets_all_save(tmp_path):
  run = Run(tmp_path, "train")
  os.kill(run.pids()[1], signal.SIGTERM)
  assert run.end() == (75, [])
  assert run.saved == 3


def test_processes_that_ignore_a_signal_are_killed_after_the_grace_period(tmp_path):
  run = Run(tmp_path, "deaf", grace=0.3)
  run.pids()
  os.kill(run.process.pid, signal.SIGTERM)
  status, (line,) = run.end()
  assert status == 137
  assert "did not end after the signal were killed: 0, 1, 2" in line


def test_a_second_signal_kills_at_once(tmp_path):
  run = Run(tmp_path, "deaf")
  run.pids()
  start = time.monotonic()
  while run.process.poll() is None:
    assert time.monotonic() - start < WAIT / 2
    os.kill(run.process.pid, signal.SIGINT)
    time.sleep(0.1)
  assert run.end()[0] == 137


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_named_and_the_others_end(tmp_path, victim):
  run = Run(tmp_path, "train")
  os.kill(run.pids()[victim], signal.SIGKILL)
  status, (line,) = run.end()
  assert status == 137
  assert f"process {victim} of 3 was ended by SIGKILL" in line


@pytest.mark.parametrize("mode", ["one fails", "all fail"])
def test_a_mistake_is_told_once_and_ends_all_processes(tmp_path, mode):
  assert Run(tmp_path, mode).end() == (2, ["jaxkd: the disk is full"])


def test_wrong_arguments_are_refused_in_one_line():
  usage = "the arguments are '{}', must be NUMBER COMMAND [...] with a NUMBER >= 1"
  for words, env, message in (
    (["0", "main", "--help"], {}, usage.format("0 main --help")),
    (["2"], {}, usage.format("2")),
    (["2", "mian", "--x"], {}, f"the command is 'mian', must be {nearest('mian', commands())}"),
    ([], {}, "the arguments are missing, must be NUMBER COMMAND [...] with a NUMBER >= 1"),
    (["2", "main"], {"JAXKD_GRACE": "soon"}, "JAXKD_GRACE is 'soon', must be a number of seconds"),
  ):
    done = subprocess.run(
      [sys.executable, "-m", "jaxkd.processes", *words],
      cwd=ROOT,
      env={**os.environ, **env},
      capture_output=True,
      text=True,
    )
    assert (done.returncode, done.stderr) == (2, f"jaxkd: {message}\n")
