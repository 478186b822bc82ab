"""Two processes do together what one does."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
COMMAND = (
  sys.executable,
  "-m",
  "jaxkd.main",
  "--config=configs/digits_isats.py:teacher=mlp,student=mlp",
  "--config.rows=kd,ats,nokd",
  "--config.seeds=0",
  "--config.teacher.epochs=0.25",
  "--config.student.epochs=0.5",
  # Two students in one step, whose checkpoints are written at the same time.
  "--config.run.cohort=2",
  "--config.run.checkpoint_every_steps=4",
)


def results(workdir, processes):
  """Runs the command; returns every phase's result by its folder."""
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = f"127.0.0.1:{free.getsockname()[1]}"
  running = []
  for number in range(processes):
    env = {**os.environ, "XLA_FLAGS": ""}
    if processes > 1:
      env |= {
        "JAX_COORDINATOR_ADDRESS": address,
        "JAX_NUM_PROCESSES": str(processes),
        "JAX_PROCESS_ID": str(number),
      }
    running.append(
      subprocess.Popen(
        [*COMMAND, f"--workdir={workdir}"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
      )
    )
  said = [process.communicate(timeout=300) for process in running]
  assert all(process.returncode == 0 for process in running), said
  # The table is printed once.
  assert sum("# digits_isats" in out for out, _ in said) == 1
  return {
    path.parent.name: json.loads(path.read_text())
    for path in workdir.glob("*/result.json")
  }


def test_two_processes_train_what_one_trains(tmp_path):
  together = results(tmp_path / "together", 2)
  alone = results(tmp_path / "alone", 1)
  assert together.keys() == alone.keys()
  assert len(alone) == 4
  for folder, result in alone.items():
    assert together[folder]["steps"] == result["steps"]
    for split in ("train", "test"):
      assert together[folder][split]["loss"] == pytest.approx(
        result[split]["loss"], rel=1e-3
      )
