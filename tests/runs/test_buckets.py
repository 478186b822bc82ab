"""A store in a bucket: the results of a local store, locks, and faults of the server."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

# Read when gcsfs is imported: it would look for credentials.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
pytest.importorskip("gcsfs", reason="needs the extra `bucket`")
pytest.importorskip("gcp_storage_emulator", reason="needs gcp-storage-emulator")

from jaxkd.common import buckets, files, locks
from jaxkd.common.errors import ConfigError
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.store import LockedError, PhaseFolder
from jaxkd.runs.validation import validate
from jaxkd.training import checkpoint

ROOT = pathlib.Path(__file__).parents[2]
# gcsfs leaves its connections to the end of the process.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
  """A running server; its folder takes the files that make it fail."""
  folder = tmp_path_factory.mktemp("server")
  running = subprocess.Popen(
    [sys.executable, "-m", "tests.bucket_server", folder],
    cwd=ROOT,
    stderr=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
  )
  while not (folder / "port").exists():
    assert running.poll() is None
    time.sleep(0.05)
  url = f"http://127.0.0.1:{(folder / 'port').read_text()}"
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("STORAGE_EMULATOR_HOST", url)
    patch.setenv("TENSORSTORE_GCS_HTTP_URL", url)
    yield folder
  running.kill()
  running.wait()


@pytest.fixture
def fault(server):
  """Returns a function that turns a fault of the server on; it ends with the test."""
  made = []

  def start(name):
    made.append(server / name)
    made[-1].touch()

  yield start
  for file in made:
    file.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def config(make_tiny_config):
  config = make_tiny_config()
  config.rows = ("kd",)
  config.seeds = (0,)
  # The teacher's predictions lie in the bucket, too.
  config.data.views = 2
  return config


@pytest.fixture(scope="module")
def local(config, run_experiment, tmp_path_factory):
  workdir = tmp_path_factory.mktemp("local")
  run_experiment(config, workdir)
  return workdir


@pytest.fixture
def short_lease(monkeypatch):
  monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)
  monkeypatch.setattr(locks, "RENEWAL_SECONDS", 0.2)


@pytest.fixture
def short_pauses(monkeypatch):
  """Shortens the pauses before failed requests are repeated, by gcsfs and by TensorStore."""
  import gcsfs.retry
  from orbax.checkpoint._src.serialization import tensorstore_utils

  sleep = gcsfs.retry.asyncio.sleep
  monkeypatch.setattr(gcsfs.retry.asyncio, "sleep", lambda seconds: sleep(min(seconds, 0.02)))
  pauses = {"initial_delay": "20ms", "max_delay": "20ms"}
  context = tensorstore_utils._DEFAULT_OCDBT_TS_CONTEXT
  monkeypatch.setitem(context, "gcs_request_retries", pauses)


def test_a_bucket_whose_server_fails_now_and_then_has_the_results_of_a_folder(
  fault, config, local, run_experiment, short_pauses, capsys
):
  fault("fails")
  folder = run_experiment(config, "gs://bucket/runs")
  here, there = (Experiment.of(config, workdir) for workdir in ("gs://bucket/runs", local))
  for phase in (*here.students, *here.students[0].teachers):
    found, expected = here.folder(phase), there.folder(phase)
    assert {**found.result(), "finished": ""} == {**expected.result(), "finished": ""}
    assert [line["step"] for line in found.logged()] == [line["step"] for line in expected.logged()]
    assert checkpoint.steps(found.checkpoints) == checkpoint.steps(expected.checkpoints)
  assert "| kd" in files.read(folder / "report.md").decode()
  assert files.exists(folder / "curves.png")
  capsys.readouterr()
  run_experiment(config, "gs://bucket/runs")
  assert capsys.readouterr().err.count("reused: ") == 1


def command(workdir):
  """Starts the training of a teacher and a student in another process."""
  return subprocess.Popen(
    [
      *(sys.executable, "-m", "jaxkd.main"),
      *("--config=configs/digits_isats.py:teacher=mlp,student=mlp", f"--workdir={workdir}"),
      *("--config.rows=kd", "--config.seeds=0", "--config.run.checkpoint_every_steps=2"),
      *("--config.teacher.epochs=3", "--config.student.epochs=0.25"),
    ],
    cwd=ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def test_a_killed_run_leaves_its_lock_and_whole_checkpoints(server, short_lease, monkeypatch):
  running = command("gs://bucket/killed")
  workdir = buckets.located("gs://bucket/killed")
  while not (configs := list(workdir.glob("*/checkpoints/*/commit_success.txt"))):
    assert running.poll() is None, running.communicate()
    time.sleep(0.1)
  folder = PhaseFolder.open(configs[0].parents[2], finished=False)
  # The holder lives, and renews its lease after 15 s.
  held = files.read(folder.path / "lock")
  assert str(running.pid).encode() in held
  os.kill(running.pid, signal.SIGKILL)
  running.communicate()
  assert not folder.finished
  steps = checkpoint.steps(folder.checkpoints)
  assert steps
  checkpoints = checkpoint.Checkpoints(folder.checkpoints, keep=2)
  assert checkpoints.latest_step == max(steps)
  checkpoints.close()
  started = time.monotonic()
  with folder.lock():
    assert time.monotonic() - started >= locks.LEASE_SECONDS
    assert files.read(folder.path / "lock") != held


def test_one_of_several_holders_gets_a_lock_and_keeps_it(server, short_lease, capsys):
  path, taken, release = "gs://bucket/locks/a", [], threading.Event()

  def take():
    try:
      with locks.held(path):
        taken.append(threading.get_ident())
        release.wait()
    except locks.HeldError:
      pass

  threads = [threading.Thread(target=take) for _ in range(4)]
  for thread in threads:
    thread.start()
  time.sleep(1.5 * locks.LEASE_SECONDS)
  assert len(taken) == 1
  with pytest.raises(locks.HeldError), locks.held(path, wait=0.3):
    pass
  # All attempts to get it tell of its holder once.
  assert capsys.readouterr().err.count(f"{path} is held by ") == 1
  release.set()
  for thread in threads:
    thread.join()
  with locks.held(path):
    pass


def test_the_locks_of_a_dead_process_are_free_at_the_same_time(server, short_lease):
  paths = [f"gs://bucket/locks/dead-{number}" for number in range(3)]
  for path in paths:
    files.write_atomically(path, f"host, process 1, {path}")
  started = time.monotonic()
  for path in paths:
    locks.notice(path)
  with contextlib.ExitStack() as stack:
    for path in paths:
      stack.enter_context(locks.held(path))
  assert locks.LEASE_SECONDS <= time.monotonic() - started < 2 * locks.LEASE_SECONDS


def test_a_lost_lock_ends_the_process(server):
  program = """
import time
from jaxkd.common import files, locks
locks.RENEWAL_SECONDS = 0.2
with locks.held("gs://bucket/locks/lost"):
  files.write_atomically("gs://bucket/locks/lost", "another")
  time.sleep(30)
"""
  ended = subprocess.run(
    [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=25
  )
  assert ended.returncode == 2
  lost = "jaxkd: lost the lock gs://bucket/locks/lost: another process took it\n"
  assert ended.stderr.endswith(lost)


def test_a_phase_in_a_bucket_is_locked(server, config, short_lease):
  experiment = Experiment.of(config, "gs://bucket/locked")
  folder = experiment.folder(experiment.students[0])
  folder.create()
  with (
    folder.lock(),
    pytest.raises(LockedError, match="another process is training gs://"),
    folder.lock(),
  ):
    pass


@pytest.mark.parametrize("bucket", ["missing", "B_"])
def test_a_lock_in_a_wrong_bucket_is_refused_in_one_line(server, bucket):
  path = f"gs://{bucket}/lock"
  with pytest.raises(files.FileError, match=f"^can't lock {path}: ") as caught, locks.held(path):
    pass
  assert "\n" not in str(caught.value)


def test_an_object_gets_another_name(server):
  path = "gs://bucket/result.json"
  files.write_atomically(path, "{}")
  files.rename(path, "result.json.damaged")
  assert files.read(f"{path}.damaged") == b"{}"
  assert not files.exists(path)
  with pytest.raises(files.FileError, match=f"^can't read {path}: ") as caught:
    files.rename(path, "other")
  assert str(caught.value).count("can't") == 1


def test_lines_are_appended_to_an_object(server):
  path = "gs://bucket/lines.jsonl"
  for step in range(3):
    files.append_json_line(path, {"step": step})
  assert files.read_json_lines(path) == ([{"step": step} for step in range(3)], 0)


@pytest.mark.parametrize(
  ("workdir", "message"),
  [
    ("gs://missing/runs", "there is no bucket missing"),
    ("gs://bucket", "must be a folder in a bucket, gs://BUCKET/FOLDER"),
    ("s3://bucket/runs", "s3://bucket/runs is not a local path or gs://BUCKET/FOLDER"),
  ],
)
def test_a_wrong_url_is_refused(server, workdir, message):
  with pytest.raises(buckets.BucketError, match=message):
    buckets.check(workdir)


@pytest.mark.parametrize("name", ["down", "stalls"])
def test_a_dead_server_is_one_line_with_the_url(server, fault, name, monkeypatch, short_pauses):
  from etils.epath.backend import fsspec_backend

  monkeypatch.setattr(
    fsspec_backend.fs("gs://bucket"), "requests_timeout", buckets.timeout(seconds=0.1)
  )
  fault(name)
  for function in (files.exists, files.read, lambda path: files.write_atomically(path, "text")):
    with pytest.raises(files.FileError, match=r"can't (read|write) gs://bucket/a: ") as caught:
      function("gs://bucket/a")
    assert "\n" not in str(caught.value)


def test_data_in_a_bucket_are_refused_with_the_command_that_copies_them(config):
  mistaken = config.copy_and_resolve_references()
  mistaken.data.data_dir = "gs://bucket/data"
  with pytest.raises(ConfigError, match="gcloud storage cp -r gs://bucket/data FOLDER"):
    validate(mistaken)


def test_gcsfs_is_named_if_it_is_missing(monkeypatch):
  buckets._set_up.cache_clear()
  monkeypatch.setattr(buckets.importlib.util, "find_spec", lambda name: None)
  with pytest.raises(buckets.BucketError, match=r"pip install 'jaxkd-distill\[bucket\]'"):
    buckets.located("gs://bucket/runs")
