"""Two processes get the results of one process."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = (
  sys.executable,
  "-m",
  "jaxkd.main",
  "--config=configs/digits_isats.py:teacher=mlp,student=mlp",
  "--config.seeds=0",
  "--config.teacher.epochs=0.25",
  "--config.student.epochs=0.5",
  # Two students in one step, whose checkpoints are written at the same time.
  "--config.run.cohort=2",
  "--config.run.checkpoint_every_steps=4",
)


def start(workdir, *argv, rows="kd,ats,nokd", **env):
  return subprocess.Popen(
    [*COMMAND, f"--workdir={workdir}", f"--config.rows={rows}", *argv],
    cwd=ROOT,
    env={**os.environ, "XLA_FLAGS": "", **env},
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


@pytest.mark.parametrize(
  ("loader", "rows", "phases"),
  [
    ("resident", "kd,ats,nokd", 4),
    # One phase is enough, since each phase starts processes that decode.
    ("streamed", "nokd", 1),
  ],
)
def test_two_processes_get_the_results_of_one(tmp_path, alone, loader, rows, phases):
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
  said = end(
    [
      start(
        tmp_path,
        f"--config.run.loader={loader}",
        "--config.run.workers=1",
        rows=rows,
        JAX_COORDINATOR_ADDRESS=address,
        JAX_NUM_PROCESSES="2",
        JAX_PROCESS_ID=str(number),
      )
      for number in range(2)
    ]
  )
  # The table is printed once.
  assert sum("# digits_isats" in out for out, _ in said) == 1
  together = results(tmp_path)
  assert len(together) == phases
  for folder in together:
    result = alone[folder]
    assert together[folder]["steps"] == result["steps"]
    for split in ("train", "test"):
      assert together[folder][split]["loss"] == pytest.approx(result[split]["loss"], rel=1e-3)


def test_two_runs_share_the_phases_of_a_workdir(tmp_path, alone):
  said = end([start(tmp_path), start(tmp_path)])
  # Each run reports all rows, including those that the other run trained.
  (table, _), (other, _) = said
  assert table == other
  assert results(tmp_path) == alone
  for log in tmp_path.glob("*/metrics.jsonl"):
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == sorted(set(steps))
