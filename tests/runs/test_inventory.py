"""The phases of a store are listed; those that no report uses are removed, others never."""

import dataclasses
import itertools
import os

import pytest

from jaxkd import ls, rm
from jaxkd.common import buckets
from jaxkd.common.files import write_json_lines
from jaxkd.runs import inventory
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder, StoreError

TEACHER = Phase(
  data={"name": "digits", "batch_size": 64},
  network={"name": "mlp", "dtype": "float32", "options": {}},
  schedule={"epochs": 2.0},
  objective={"name": "cross_entropy"},
  seed=0,
)
STUDENT = dataclasses.replace(TEACHER, objective={"name": "kd", "tau": 4.0}, teachers=(TEACHER,))
OTHER = dataclasses.replace(TEACHER, objective={"name": "kd", "tau": 2.0}, teachers=(TEACHER,))
ALONE = dataclasses.replace(TEACHER, seed=1)
RESULT = {"steps": 40, "finished": "2026-01-02", "test": {"accuracy": 0.975}}


def trained(store, phase, *, finished=True, age=30):
  """Makes the folder of a phase, whose files are `age` days old."""
  folder = PhaseFolder.of(store, phase)
  folder.create()
  (folder.checkpoints / "40").mkdir(parents=True)
  lines = [{"step": 0, "epoch": 0.0}, {"step": 20, "epoch": 1.0, "test_accuracy": 0.5}]
  write_json_lines(folder.path / "metrics.jsonl", lines)
  if finished:
    folder.finish(RESULT)
  return aged(folder.path, age)


def aged(path, days):
  for each in (*path.rglob("*"), path):
    then = each.stat().st_mtime - days * 24 * 3600
    os.utime(each, (then, then))
  return path


def reported(store, *phases, name="report-tiny-0123abcd"):
  folder = store / name
  folder.mkdir(parents=True)
  (folder / "report.md").write_text("# tiny\n")
  inventory.record(folder, phases)
  return folder


def unused(store, days=7):
  return {entry.name for entry in inventory.unused(store, days)}


def test_the_phases_of_a_store_are_listed(tmp_path, capsys):
  trained(tmp_path, STUDENT, finished=False)
  trained(tmp_path, OTHER)
  trained(tmp_path, TEACHER)
  damaged = trained(tmp_path, ALONE)
  (damaged / "result.json").write_text("{")
  (tmp_path / "digits-mlp-kd-0123456789ab").mkdir()
  (tmp_path / "report-tiny-0123456789ab.txt").write_text("")
  ls.main([f"--workdir={tmp_path}"])
  lines = capsys.readouterr().out.splitlines()
  # The last line has the path of the store.
  assert max(map(len, lines[:-1])) <= 100
  shown = {line.split()[0]: line.split() for line in lines if line}
  assert shown[TEACHER.folder][1:5] == ["0", "finished", "97.50%", "test"]
  assert shown[TEACHER.folder][-1] == "2026-01-02"
  (above,) = [line for line, after in itertools.pairwise(lines) if after == "  teaches kd (2)"]
  assert above.startswith(TEACHER.folder)
  assert shown[STUDENT.folder][1:8] == ["0", "step", "40", "of", "40", "50.00%", "test"]
  assert shown[ALONE.folder][1:3] == ["1", "damaged"]
  assert shown["digits-mlp-kd-0123456789ab"][1] == "empty"
  names = [entry.name for entry in inventory.entries(tmp_path)]
  assert names.index(TEACHER.folder) < names.index(STUDENT.folder)
  assert lines[-1].startswith("5 phases, 2 finished, ")
  size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
  assert lines[-1].endswith(f"{ls.shown(size)} in {tmp_path}")


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_store_without_phases_is_listed_in_a_sentence(tmp_path, name, capsys):
  ls.main([f"--workdir={tmp_path / name}"])
  assert capsys.readouterr().out == f"There is no phase in {tmp_path / name}.\n"
  rm.main(["--unused", f"--workdir={tmp_path / name}"])
  assert capsys.readouterr().out == f"There is no unused phase in {tmp_path / name}.\n"


def test_phases_of_reports_and_their_teachers_are_used(tmp_path):
  for phase in (TEACHER, STUDENT, OTHER, ALONE):
    trained(tmp_path, phase)
  reported(tmp_path, STUDENT)
  assert unused(tmp_path) == {OTHER.folder, ALONE.folder}
  reported(tmp_path, OTHER, name="tune-tiny-0123abcd")
  assert unused(tmp_path) == {ALONE.folder}


def test_a_recent_phase_and_its_teachers_are_used(tmp_path):
  trained(tmp_path, TEACHER)
  trained(tmp_path, STUDENT, finished=False, age=1)
  trained(tmp_path, ALONE)
  assert unused(tmp_path) == {ALONE.folder}
  assert unused(tmp_path, days=0) == {TEACHER.folder, STUDENT.folder, ALONE.folder}


def test_folders_that_are_not_plainly_a_phase_are_never_removed(tmp_path):
  store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
  kept = trained(elsewhere, TEACHER)
  store.mkdir()
  (store / TEACHER.folder).symlink_to(kept)
  trained(store, STUDENT).rename(store / "my-copy-0123456789ab")
  (trained(store, ALONE) / "config.json").write_text("{")
  assert unused(store, days=0) == set()


def test_a_report_that_names_no_phases_is_refused(tmp_path):
  trained(tmp_path, ALONE)
  (reported(tmp_path, STUDENT) / inventory.RECORD).unlink()
  with pytest.raises(StoreError, match="report-tiny-0123abcd does not name its phases: run the"):
    unused(tmp_path)


def test_a_store_in_a_bucket_is_refused():
  assert buckets.in_bucket("gs://bucket/runs")
  with pytest.raises(StoreError, match="must be a local folder to remove phases"):
    inventory.unused("gs://bucket/runs", 7)


def test_unused_phases_are_removed_only_with_yes(tmp_path, capsys):
  for phase in (TEACHER, STUDENT, OTHER, ALONE):
    trained(tmp_path, phase)
  report = reported(tmp_path, STUDENT)
  before = sorted(tmp_path.rglob("*"))
  rm.main(["--unused", f"--workdir={tmp_path}"])
  shown = capsys.readouterr().out
  assert sorted(tmp_path.rglob("*")) == before
  assert OTHER.folder in shown
  assert ALONE.folder in shown
  assert "\n--yes removes these 2 phases, " in shown
  left = tmp_path / "digits-mlp-kd-0123456789ab.removed"
  left.mkdir()
  with PhaseFolder.of(tmp_path, OTHER).lock():
    rm.main(["--unused", f"--workdir={tmp_path}", "--days=0", "--yes"])
  shown = capsys.readouterr().out
  assert f"removed {tmp_path / ALONE.folder}, " in shown
  assert f"kept: another process is training {tmp_path / OTHER.folder}" in shown
  assert set(tmp_path.iterdir()) == {
    *(tmp_path / phase.folder for phase in (TEACHER, STUDENT, OTHER)),
    report,
  }


def test_a_wrong_number_of_days_is_refused(tmp_path, capsys):
  with pytest.raises(SystemExit):
    rm.main(["--unused", f"--workdir={tmp_path}", "--days=nan"])
  assert capsys.readouterr().err == "jaxkd: --days is nan, must be >= 0\n"
