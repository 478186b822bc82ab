"""A killed run resumes, and its result is bit-identical."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from jaxkd import main
from jaxkd.common.files import read_json_lines
from jaxkd.runs import planning
from jaxkd.runs.store import PhaseFolder
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.step import functional

# A teacher and a student of 22 steps; the student has batch statistics, dropout, and constants of
# the teacher.
COMMAND = (
  sys.executable,
  "-m",
  "jaxkd.main",
  "--config=configs/digits_isats.py:teacher=mlp",
  "--config.student.name=tests.tiny_networks:TinyDropoutNet",
  "--config.rows=fgcr",
  "--config.seeds=0",
  "--config.teacher.epochs=1",
  "--config.student.epochs=1",
  "--config.run.eval_every_epochs=0.5",
  "--config.run.checkpoint_every_steps=5",
)
ROOT = pathlib.Path(__file__).parents[2]


STREAMED = ("--config.run.loader=streamed", "--config.run.workers=2")
STREAMED_BY_ONE = ("--config.run.loader=streamed", "--config.run.workers=1")


def start(workdir, *flags):
  return subprocess.Popen(
    [*COMMAND, f"--workdir={workdir}", *flags],
    cwd=ROOT,
    # With all flags of the tests the two loaders differ in the last bit.
    env={**os.environ, "XLA_FLAGS": "--xla_backend_optimization_level=0"},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def finish(workdir, *flags):
  """Runs to the end; returns the lines on stderr."""
  process = start(workdir, *flags)
  _, errors = process.communicate()
  assert process.returncode == 0, errors
  # The processes that decode release their shared memory.
  assert "leaked" not in errors
  return errors


def lines(path):
  """Yields the metrics of a phase, without the images per second."""
  found, damaged = read_json_lines(path)
  assert not damaged
  for line in found:
    yield {**line, "images_per_second": None}


def network(folder):
  """Returns the final arrays of a phase, by name."""
  folder = PhaseFolder.open(folder)
  _, template = functional(planning.network(folder.phase))
  checkpoints = Checkpoints(folder.checkpoints, keep=None)
  variables = checkpoints.restore_network(template)
  checkpoints.close()
  return variables


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
  workdir = tmp_path_factory.mktemp("uninterrupted")
  finish(workdir)
  return workdir


def wait(process, ready):
  """Waits until `ready()`; the process must not have ended before."""
  errors = ""
  while not ready():
    # Reads, too: a process whose stderr is full would wait.
    with contextlib.suppress(subprocess.TimeoutExpired):
      _, errors = process.communicate(timeout=0.002)
    assert process.poll() is None, errors


def kill_when(process, ready):
  """Kills the process as soon as `ready()`."""
  wait(process, ready)
  process.send_signal(signal.SIGKILL)
  # The workers share stderr, which ends when all of them have ended.
  process.communicate(timeout=60)


def checkpoint_steps(workdir, pattern):
  return [
    int(folder.name)
    for folder in workdir.glob(f"{pattern}/checkpoints/*")
    if folder.name.isdecimal()
  ]


@pytest.mark.parametrize(
  ("flags", "kills"),
  [((), {"*-cross_entropy-*": 9, "*-fgcr-*": 9}), (STREAMED, {"*-fgcr-*": 4})],
  ids=["resident", "streamed"],
)
def test_a_killed_run_resumes_bit_identically(uninterrupted, tmp_path, flags, kills):
  if flags:
    # The student alone trains on streamed batches.
    (teacher,) = uninterrupted.glob("*-cross_entropy-*")
    shutil.copytree(teacher, tmp_path / teacher.name)
  for phase, step in kills.items():
    kill_when(
      start(tmp_path, *flags),
      lambda p=phase, s=step: max(checkpoint_steps(tmp_path, p), default=0) > s,
    )
  # The number of processes that decode does not change the result.
  said = finish(tmp_path, *(STREAMED_BY_ONE if flags else ()))
  assert "resumes at step" in said

  folders = sorted(folder.name for folder in uninterrupted.iterdir() if folder.is_dir())
  assert folders == sorted(f.name for f in tmp_path.iterdir() if f.is_dir())
  phases = [name for name in folders if not name.startswith("report")]
  assert len(phases) == 2
  for name in phases:
    resumed, whole = tmp_path / name, uninterrupted / name
    jax.tree.map(np.testing.assert_array_equal, network(resumed), network(whole))
    assert list(lines(resumed / "metrics.jsonl")) == list(lines(whole / "metrics.jsonl"))
    assert (resumed / "result.json").read_bytes() == (whole / "result.json").read_bytes()


def test_a_finished_run_trains_nothing(uninterrupted, command, monkeypatch):
  def written():
    return {
      path: path.stat().st_mtime_ns
      for path in uninterrupted.rglob("*")
      if "report" not in str(path) and path.is_file()
    }

  before = written()
  monkeypatch.chdir(ROOT)
  command(main.main, *COMMAND[3:], f"--workdir={uninterrupted}")
  assert written() == before


@pytest.mark.parametrize(
  ("flags", "number"),
  [((), signal.SIGHUP), (STREAMED_BY_ONE, signal.SIGTERM)],
  ids=["resident", "streamed"],
)
def test_a_terminated_run_saves_and_reports_its_step(tmp_path, flags, number):
  process = start(tmp_path, *flags)
  wait(process, lambda: list(tmp_path.glob("*/metrics.jsonl")))
  # Batch systems and terminals signal all processes of a run.
  os.killpg(process.pid, number)
  _, errors = process.communicate(timeout=120)
  assert process.returncode == 75
  (line,) = [line for line in errors.splitlines() if line.startswith("jaxkd:")]
  assert "run the same command to resume" in line
  stopped_at = int(line.split("stopped at step ")[1].split(" ")[0])
  assert stopped_at == max(checkpoint_steps(tmp_path, "*"))
