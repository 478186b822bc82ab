"""Damaged files of a store: repaired, or refused in one line; no number changes."""

import concurrent.futures
import contextlib
import json
import shutil

import numpy as np
import pytest
import tensorstore
from flax import nnx

from jaxkd.common.files import FileError, read_json_lines
from jaxkd.reports import experiment as report
from jaxkd.runs import store
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.queue import Queue
from jaxkd.runs.store import LockedError, PhaseFolder, StoreError
from jaxkd.training.checkpoint import CheckpointError
from jaxkd.training.writer import Writer
from tests.faults import FAULTS


@pytest.fixture(scope="module")
def config(make_tiny_config):
  config = make_tiny_config()
  # The teacher's class means are a part of the state.
  config.rows = ("fgcr", "fgcr+ens")
  config.seeds = (0, 1)
  config.run.cohort = 2
  # The format of checkpoints has checksums of small arrays.
  config.teacher.options = config.student.options = {"depth": 1, "width": 256}
  return config


@pytest.fixture(scope="module")
def trained(config, run_experiment, tmp_path_factory):
  """A finished store, trained once."""
  workdir = tmp_path_factory.mktemp("trained")
  run_experiment(config, workdir)
  return workdir


@pytest.fixture
def experiment(config, trained, tmp_path):
  """The experiment in a copy of the finished store."""
  shutil.copytree(trained, tmp_path / "runs", ignore=shutil.ignore_patterns("report*"))
  return Experiment.of(config, tmp_path / "runs")


@pytest.fixture
def student(experiment):
  return experiment.folder(experiment.students[0])


def damage(file, fault):
  """Replaces the content of a file; 'missing' removes it."""
  if fault == "missing":
    file.unlink()
  else:
    file.write_bytes(FAULTS[fault](file.read_bytes()))


every_fault = pytest.mark.parametrize("fault", [*FAULTS, "missing"])


@every_fault
def test_a_damaged_description_is_written_again(fault, experiment, student, capsys):
  file = student.path / "config.json"
  before = file.read_bytes()
  damage(file, fault)
  with pytest.raises(StoreError, match=r"config\.json.*"):
    PhaseFolder.open(student.path)
  assert not Queue(experiment.workdir, experiment.students).missing
  assert file.read_bytes() == before
  said = capsys.readouterr().err
  assert fault == "missing" or "config.json is damaged" in said


@every_fault
def test_a_damaged_result_is_made_again_from_the_checkpoint(fault, experiment, student, capsys):
  damage(student.path / "result.json", fault)
  with pytest.raises(FileError, match=r"result\.json"):
    student.result()
  assert [*Queue(experiment.workdir, experiment.students).missing] == [student.phase]
  assert not student.finished
  assert max(student.steps) == 11
  assert fault == "missing" or (student.path / "result.json.damaged").exists()
  said = capsys.readouterr().err
  assert fault == "missing" or "result.json is damaged; it is made again" in said


def test_a_damaged_result_without_a_checkpoint_is_refused(experiment, student):
  damage(student.path / "result.json", "empty")
  shutil.rmtree(student.checkpoints)
  with pytest.raises(StoreError, match=rf"no checkpoint; move {student.path} away to train it"):
    Queue(experiment.workdir, experiment.students)
  assert (student.path / "result.json").exists()


def test_a_damaged_result_of_a_locked_phase_stays(experiment, student, monkeypatch):
  monkeypatch.setattr(store, "_PATIENCE", 0.1)
  file = student.path / "result.json"
  damage(file, "truncated")
  damaged = file.read_bytes()
  with (
    student.lock(),
    pytest.raises(LockedError, match=f"another process is training {student.path}"),
  ):
    Queue(experiment.workdir, experiment.students)
  assert file.read_bytes() == damaged


def test_of_two_runs_one_repairs_a_phase_and_the_other_goes_on(experiment, student, monkeypatch):
  monkeypatch.setattr(store, "_PATIENCE", 0.4)
  damage(student.path / "result.json", "garbage")
  with concurrent.futures.ThreadPoolExecutor(1) as pool, student.lock():
    other = pool.submit(Queue, experiment.workdir, experiment.students)
    with pytest.raises(concurrent.futures.TimeoutError):
      other.result(0.2)
    student._set_result_aside()
    assert [*other.result().missing] == [student.phase]


def test_a_result_that_another_run_sets_aside_meanwhile_is_not_damaged(student, monkeypatch):
  (student.path / "result.json").unlink()
  # As it was looked at, it was there.
  monkeypatch.setattr(PhaseFolder, "finished", True)
  student.repair()
  (student.path / "result.json").mkdir()
  with pytest.raises(FileError, match=r"can't read .*result\.json"):
    student.repair()


def test_a_store_with_damaged_results_gives_the_same_results(
  experiment, trained, run_experiment, capsys
):
  (ensemble,) = trained.glob("ensemble-*.json")
  results = [path for path in trained.rglob("result.json") if "fgcr" in str(path)]
  assert len(results) == 2
  for path, fault in zip([ensemble, *results], FAULTS, strict=False):
    damage(experiment.workdir / path.relative_to(trained), fault)
  folder = run_experiment(experiment.config, experiment.workdir)
  for path in [ensemble, *results]:
    made = json.loads((experiment.workdir / path.relative_to(trained)).read_bytes())
    sound = json.loads(path.read_bytes())
    assert {**made, "finished": 0, "crc32": 0} == {**sound, "finished": 0, "crc32": 0}
  assert (folder / "table.csv").read_bytes() == (trained / folder.name / "table.csv").read_bytes()
  assert capsys.readouterr().err.count(" is damaged") == 3


@every_fault
def test_a_resumed_run_drops_damaged_evaluations(fault, tmp_path, capsys):
  params = nnx.state(nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Param)
  with contextlib.closing(Writer(tmp_path, 0, params)) as writer:
    writer.write(4, {"test_loss": 2.0})
    writer.write(8, {"test_loss": 1.0})
    first, second = writer.lines
  file = tmp_path / "metrics.jsonl"
  damage(file, fault)
  kept = {"truncated": [first], "not UTF-8": [second]}.get(fault, [])
  with contextlib.closing(Writer(tmp_path, 8, params)) as writer:
    assert writer.lines == kept
    writer.write(12, {"test_loss": 0.5})
  assert read_json_lines(file) == ([*kept, {"step": 12, "test_loss": 0.5}], 0)
  said = capsys.readouterr().err
  assert said.startswith(f"jaxkd: {file}: dropped") or fault in ("empty", "missing")


@every_fault
def test_without_evaluations_a_report_has_no_curve_and_says_so(fault, experiment, student, capsys):
  damage(student.path / "metrics.jsonl", fault)
  _, (said,) = report._logs(experiment)
  assert said.startswith("no curve and no temperatures of fgcr: ")


def test_a_report_without_curves_has_the_same_table(experiment, trained, capsys):
  for phase in experiment.students:
    damage(experiment.folder(phase).path / "metrics.jsonl", "truncated")
  folder = report.write(experiment)
  before = trained / folder.name
  assert (folder / "table.csv").read_bytes() == (before / "table.csv").read_bytes()
  assert (before / "curves.csv").exists()
  assert not (folder / "curves.csv").exists()
  assert "no curve and no temperatures of fgcr" in (folder / "report.md").read_text()
  assert "metrics.jsonl is damaged" in capsys.readouterr().err


def flip(folder, step):
  """Flips a bit so that TensorStore reads other weights and no error."""
  path = folder.checkpoints / str(step) / "network"
  files = {"driver": "ocdbt", "base": f"file://{path}/", "path": "params.hidden.0.kernel.value"}

  def read():
    return tensorstore.open({"driver": "zarr", "kvstore": files}).result().read().result()

  before, file = read(), max(path.rglob("d/*"), key=lambda file: file.stat().st_size)
  content = file.read_bytes()
  for place in range(len(content) // 2, len(content)):
    file.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
    with contextlib.suppress(ValueError):
      if not np.array_equal(read(), before):
        return


def unfinished(experiment):
  """Removes the students' results, as if they had been killed; returns their folders."""
  folders = [experiment.folder(phase) for phase in experiment.students]
  for folder in folders:
    (folder.path / "result.json").unlink()
    assert folder.steps == {0, 6, 11}
  return folders


def test_a_damaged_newest_checkpoint_is_replaced_by_the_one_before(
  experiment, trained, run_experiment, capsys
):
  killed = unfinished(experiment)
  flip(killed[1], 11)
  run_experiment(experiment.config, experiment.workdir)
  # Students that train together resume together.
  (said,) = [line for line in capsys.readouterr().err.splitlines() if "is damaged" in line]
  assert said.startswith(f"jaxkd: can't read checkpoint {killed[1].checkpoints / '11'}: ")
  assert said.endswith("; resumes at step 6")
  for folder in killed:
    sound = PhaseFolder.open(trained / folder.path.name)
    assert {**folder.result(), "finished": 0} == {**sound.result(), "finished": 0}
    ours, theirs = (
      [{**line, "images_per_second": 0} for line in one.logged()] for one in (folder, sound)
    )
    assert ours == theirs


def test_damaged_checkpoints_alone_are_refused_and_stay(experiment, run_experiment):
  killed, _ = unfinished(experiment)
  for step in (6, 11):
    flip(killed, step)
  with pytest.raises(CheckpointError, match="move the folder of its phase away to train") as caught:
    run_experiment(experiment.config, experiment.workdir)
  assert f"{killed.checkpoints / '11'}: it is damaged: the checksum of " in str(caught.value)
  assert "\n" not in str(caught.value)
  assert killed.steps == {0, 6, 11}


def test_a_damaged_teacher_does_not_teach(experiment, run_experiment):
  (teacher,) = experiment.students[0].teachers
  for phase in experiment.students:
    shutil.rmtree(experiment.folder(phase).path)
  folder = experiment.folder(teacher)
  flip(folder, 11)
  with pytest.raises(CheckpointError, match=f"; move {folder.path} away to train it again$"):
    run_experiment(experiment.config, experiment.workdir)
  assert not any(experiment.folder(phase).finished for phase in experiment.students)


def test_leftovers_in_the_folder_of_a_phase_are_removed(experiment, student, run_experiment):
  (student.path / "result.json").unlink()
  left = [student.path / f"{name}.{'0a' * 16}.tmp" for name in ("config.json", "result.json")]
  for file in left:
    file.write_text("{")
  with student.lock():
    assert not any(file.exists() for file in left)
