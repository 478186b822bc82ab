"""Processes of a run join, stop together, and end when one of them ends, without a supervisor."""

import http.server
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]

# Joins, and then works until it is asked to stop.
WORK = """
import os, pathlib, sys, time
import jax
if "GCE_METADATA_IP" in os.environ:
  # JAX sets this variable where there is no TPU.
  del os.environ["TPU_SKIP_MDS_QUERY"]
from jaxkd.common import cluster
from jaxkd.common.errors import UserError, end
from jaxkd.common.signals import Stopped
cluster.HEARTBEAT = 3
cluster._ROUND = 0.2
cluster._SHARED_WITHIN = 1
try:
  with cluster.joined(), cluster.time_limit(float(os.environ.get("SECONDS", "inf"))):
    cluster.check_shared(pathlib.Path(sys.argv[1]))
    with cluster.stop_requested() as stop:
      print("joined", jax.process_index(), jax.process_count(), flush=True)
      steps = 0
      while not stop.is_set():
        steps += 1
        time.sleep(0.01)
      raise Stopped(f"stopped at {steps}")
except UserError as error:
  end(error)
"""


def free_port():
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    return str(free.getsockname()[1])


def start(folders, *environments):
  return [
    subprocess.Popen(
      [sys.executable, "-c", WORK, str(folder)],
      cwd=ROOT,
      env={**os.environ, **environment},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for folder, environment in zip(folders, environments, strict=True)
  ]


def named():
  """Returns the variables that `jaxkd.processes` sets."""
  address = f"127.0.0.1:{free_port()}"
  return [
    {
      "JAX_COORDINATOR_ADDRESS": address,
      "JAX_NUM_PROCESSES": "2",
      "JAX_PROCESS_ID": str(number),
      "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    for number in range(2)
  ]


def wait_until_joined(running):
  for number, process in enumerate(running):
    while (line := process.stdout.readline()) and not line.startswith("joined"):
      pass
    assert line == f"joined {number} {len(running)}\n", process.communicate()


def end(running):
  """Returns each process's exit status and the lines that begin with `jaxkd:`."""
  found = []
  for process in running:
    _, errors = process.communicate(timeout=60)
    lines = [line for line in errors.splitlines() if line.startswith("jaxkd: ")]
    found.append((process.returncode, lines))
  return found


@pytest.fixture
def tpu(tmp_path):
  """The variables of a machine where JAX finds a TPU."""
  library = tmp_path / "libtpu.so"
  library.touch()
  return {
    "JAX_FORCE_TPU_INIT": "1",
    "TPU_LIBRARY_PATH": str(library),
    "JAX_COORDINATOR_PORT": free_port(),
    "TF_CPP_MIN_LOG_LEVEL": "2",
  }


def test_ctrl_c_in_one_process_of_two_slices_stops_both_at_the_same_step(tmp_path, tpu):
  slices = {
    "MEGASCALE_COORDINATOR_ADDRESS": "127.0.0.1",
    "MEGASCALE_NUM_SLICES": "2",
    "TPU_PROCESS_ADDRESSES": "127.0.0.1",
    "TPU_WORKER_ID": "0",
  }
  # A killed run has left it.
  (tmp_path / f".shared.{'0a' * 16}.tmp").touch()
  running = start([tmp_path] * 2, *({**tpu, **slices, "MEGASCALE_SLICE_ID": id} for id in "01"))
  wait_until_joined(running)
  running[1].send_signal(signal.SIGINT)
  (status, lines), other = end(running)
  assert status == 75
  assert "stopped at" in lines[0]
  assert other == (status, lines)
  assert not list(tmp_path.glob(".shared*"))


def test_a_pod_is_found_by_the_metadata_server(tmp_path, tpu):
  class Metadata(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      # Each process has a server address of its own.
      answers = {
        "agent-worker-number": str(self.server.number),
        "worker-network-endpoints": "a:1:127.0.0.1,b:1:127.0.0.1",
      }
      answer = answers.get(self.path.rsplit("/", 1)[1], "")
      self.send_response(200)
      self.end_headers()
      self.wfile.write(answer.encode())

    def log_message(self, *_):
      pass

  environments = []
  for number in range(2):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.number = number
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environments.append({**tpu, "GCE_METADATA_IP": f"127.0.0.1:{server.server_port}"})
  # Both see other workdirs.
  running = start([tmp_path / "a", tmp_path / "b"], *environments)
  for status, lines in end(running):
    assert status == 2
    (line,) = lines
    assert "must be a folder that all processes share: process 1 does not see" in line


def test_a_killed_process_is_named_by_the_others(tmp_path):
  running = start([tmp_path] * 2, *named())
  wait_until_joined(running)
  running[1].kill()
  start_of_wait = time.monotonic()
  (status, lines), _ = end(running)
  assert time.monotonic() - start_of_wait < 60
  assert status == 1
  (line,) = lines
  assert "process 1 of 2 has ended" in line


def test_processes_whose_supervisor_was_killed_save(tmp_path):
  first, second = named()
  # The first process has another parent than this one.
  running = start([tmp_path] * 2, {**first, "JAXKD_SUPERVISOR": "1"}, second)
  assert [status for status, _ in end(running)] == [75, 75]


def test_the_time_limit_of_one_process_stops_both_at_the_same_step(tmp_path):
  first, second = named()
  running = start([tmp_path] * 2, first, {**second, "SECONDS": "0.5"})
  wait_until_joined(running)
  (status, lines), other = end(running)
  assert status == 75
  assert "stopped at" in lines[0]
  assert other == (status, lines)
