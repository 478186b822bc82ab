"""Two processes get the results of one process."""

import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from jaxkd import main

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = """
from absl import app
from jaxkd import cli, main
from jaxkd.runs import queue
queue.PAUSE = 0.1
app.run(main.main, flags_parser=cli.parse)
"""
COMMAND = (
  sys.executable,
  "-c",
  PROGRAM,
  "--config=configs/digits_isats.py:teacher=mlp,student=mlp",
  "--config.rows=kd,ats,nokd",
  "--config.seeds=0",
  # The teacher's predictions are written and read by several processes.
  "--config.data.views=2",
  "--config.teacher.epochs=0.25",
  "--config.student.epochs=0.5",
  # Two students in one step, whose checkpoints are written at the same time.
  "--config.run.cohort=2",
  "--config.run.checkpoint_every_steps=4",
)


def start(workdir, **env):
  return subprocess.Popen(
    [*COMMAND, f"--workdir={workdir}"],
    cwd=ROOT,
    env={**os.environ, **env},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def end(running):
  """Waits until all processes have succeeded; returns their output."""
  said = [process.communicate(timeout=300) for process in running]
  assert all(process.returncode == 0 for process in running), said
  return said


def results(workdir):
  """Returns every phase's result by its folder."""
  return {path.parent.name: json.loads(path.read_text()) for path in workdir.glob("*/result.json")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("alone")
  end([start(workdir)])
  return results(workdir)


def test_two_processes_get_the_results_of_one(tmp_path, alone):
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
  said = end(
    [
      start(
        tmp_path, JAX_COORDINATOR_ADDRESS=address, JAX_NUM_PROCESSES="2", JAX_PROCESS_ID=str(number)
      )
      for number in range(2)
    ]
  )
  # The table is printed once.
  assert sum("# digits_isats" in out for out, _ in said) == 1
  together = results(tmp_path)
  assert len(together) == 4
  for folder in together:
    result = alone[folder]
    assert together[folder]["steps"] == result["steps"]
    for split in ("train", "test"):
      assert together[folder][split]["loss"] == pytest.approx(result[split]["loss"], rel=1e-3)


def test_two_runs_share_the_phases_of_a_workdir(tmp_path, alone):
  said = end([start(tmp_path), start(tmp_path)])
  # Each run reports all rows, including those that the other run trained.
  table, other = (re.sub(r"ran for [\d:]+", "", out) for out, _ in said)
  assert table == other
  assert results(tmp_path) == alone
  for log in tmp_path.glob("*/metrics.jsonl"):
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == sorted(set(steps))


# 202 steps, so that a signal comes before the end.
LONG = (
  "--config=configs/digits_isats.py:teacher=mlp,student=mlp",
  "--config.rows=nokd",
  "--config.seeds=0",
  "--config.student.epochs=9",
  "--config.run.eval_every_epochs=3",
)
OFTEN, SELDOM = (f"--config.run.checkpoint_every_steps={steps}" for steps in (5, 1000))


def checkpoint_steps(workdir):
  names = [path.name for path in workdir.glob("*/checkpoints/*")]
  return {int(name) for name in names if name.isdecimal()}


def wait_for_checkpoint(workdir, step):
  end = time.monotonic() + 300
  while max(checkpoint_steps(workdir), default=0) < step:
    assert time.monotonic() < end, f"no checkpoint of step {step} in {workdir}"
    time.sleep(0.01)


def start_together(workdir, *argv):
  """Starts two processes; returns the one that supervises them, and both."""
  supervisor = subprocess.Popen(
    [
      sys.executable,
      "-m",
      "jaxkd.processes",
      "2",
      "main",
      *LONG,
      OFTEN,
      f"--workdir={workdir}",
      *argv,
    ],
    cwd=ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )
  children = pathlib.Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
  while len(pids := children.read_text().split()) < 2:
    time.sleep(0.01)
  return supervisor, [int(pid) for pid in pids]


def last_line(supervisor):
  """Returns the only line that begins with `jaxkd:`."""
  _, errors = supervisor.communicate(timeout=120)
  assert "Traceback" not in errors
  (line,) = [line for line in errors.splitlines() if line.startswith("jaxkd: ")]
  return line


def test_two_processes_then_one_then_two_see_the_same_batches(tmp_path, command, monkeypatch):
  monkeypatch.chdir(ROOT)
  whole, parts = tmp_path / "whole", tmp_path / "parts"
  command(main.main, *LONG, SELDOM, f"--workdir={whole}")

  # Two processes, until one of them can't write.
  supervisor, (_, second) = start_together(parts)
  wait_for_checkpoint(parts, 5)
  resource.prlimit(second, resource.RLIMIT_FSIZE, (1, 1))
  assert "can't write" in last_line(supervisor)
  assert supervisor.returncode == 2
  reached = max(checkpoint_steps(parts))

  # One process, until a signal.
  def stop():
    wait_for_checkpoint(parts, reached + 5)
    os.kill(os.getpid(), signal.SIGTERM)

  stopping = threading.Thread(target=stop)
  stopping.start()
  with pytest.raises(SystemExit) as stopped:
    command(main.main, *LONG, OFTEN, f"--workdir={parts}")
  stopping.join()
  assert stopped.value.code == 75
  reached = max(checkpoint_steps(parts))

  # Two processes that read their batches from disk, until one gets a notice of preemption.
  streamed = "--config.run.loader=streamed", "--config.run.workers=1"
  supervisor, (_, second) = start_together(parts, *streamed)
  wait_for_checkpoint(parts, reached + 5)
  os.kill(second, signal.SIGTERM)
  said = last_line(supervisor)
  assert supervisor.returncode == 75
  assert int(said.split("stopped at step ")[1].split(" ")[0]) == max(checkpoint_steps(parts))

  command(main.main, *LONG, SELDOM, f"--workdir={parts}")
  for folder, result in results(whole).items():
    loss = results(parts)[folder]["test"]["loss"]
    assert loss == pytest.approx(result["test"]["loss"], rel=1e-3)
    resumed, alone = (
      [json.loads(line) for line in (workdir / folder / "metrics.jsonl").read_text().splitlines()]
      for workdir in (parts, whole)
    )
    assert [line["step"] for line in resumed] == [line["step"] for line in alone]
    # Another batch would change the loss by far more.
    for line, other in zip(resumed, alone, strict=True):
      assert line["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
