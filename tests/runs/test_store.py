"""A phase is what determines its result; its folder is safe to share."""

import concurrent.futures
import dataclasses
import errno
import json
import os

import pytest

from jaxkd.common.files import write_atomically
from jaxkd.runs.store import Phase, PhaseFolder, StoreError

TEACHER = Phase(
  data={"name": "digits", "batch_size": 64},
  network={"name": "mlp", "dtype": "float32", "options": {}},
  optim={"epochs": 1.0, "learning_rate": 0.05, "milestones": (0.5, 0.75)},
  loss={"name": "cross_entropy"},
  seed=0,
)
STUDENT = dataclasses.replace(TEACHER, loss={"name": "kd", "tau": 4.0}, teachers=(TEACHER,))


@pytest.mark.parametrize(
  "change",
  [
    {"data": {"name": "digits", "batch_size": 32}},
    {"network": {"name": "mlp", "dtype": "bfloat16", "options": {}}},
    {"optim": {**TEACHER.optim, "epochs": 2.0}},
    {"loss": {"name": "kd", "tau": 3.0}},
    {"seed": 1},
    {"teachers": ()},
    {"teachers": (dataclasses.replace(TEACHER, seed=1),)},
  ],
)
def test_whatever_determines_the_result_changes_the_identity(change):
  assert dataclasses.replace(STUDENT, **change).identity != STUDENT.identity


def test_identity_is_of_the_values_not_of_their_order_or_container():
  reordered = dataclasses.replace(
    STUDENT,
    loss={"tau": 4.0, "name": "kd"},
    optim={**STUDENT.optim, "milestones": [0.5, 0.75]},
  )
  assert reordered == STUDENT
  assert Phase.from_dict(json.loads(json.dumps(STUDENT.to_dict()))) == STUDENT


def test_identity_is_stable_over_releases():
  # A change here orphans what every user has trained: raise store.SCHEMA.
  assert STUDENT.folder == "digits-mlp-kd-5dde6721acd3"


def test_teachers_come_before_their_students_and_once():
  chain = dataclasses.replace(STUDENT, teachers=(STUDENT, TEACHER))
  assert chain.with_teachers() == [TEACHER, STUDENT, chain]


def test_a_phase_has_a_result_only_once_it_is_finished(tmp_path):
  entry = PhaseFolder.of(tmp_path, STUDENT)
  assert not entry.finished
  entry.create()
  with pytest.raises(StoreError, match=r"not finished: no result\.json"):
    PhaseFolder.open(entry.path)
  entry.finish({"steps": 3})
  assert PhaseFolder.open(entry.path).phase == STUDENT
  assert PhaseFolder.open(entry.path).result() == {"steps": 3}


def test_a_folder_that_is_no_phase_is_named(tmp_path):
  with pytest.raises(StoreError, match=f"{tmp_path} is not the folder"):
    PhaseFolder.open(tmp_path)


def test_two_processes_do_not_train_the_same_phase(tmp_path):
  entry = PhaseFolder.of(tmp_path, STUDENT)
  entry.create()
  with (
    entry.lock(),
    pytest.raises(StoreError, match="another process is training"),
    entry.lock(),
  ):
    pass
  with entry.lock():
    pass


def test_a_store_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(StoreError, match=r"can't write to .*Not a directory"):
    PhaseFolder.of(tmp_path / "file", STUDENT).create()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
  path = tmp_path / "result.json"
  write_atomically(path, "old")

  def full(_):
    raise OSError(errno.ENOSPC, "No space left on device")

  monkeypatch.setattr(os, "fsync", full)
  with pytest.raises(StoreError, match=r"can't write .*result.json: No space"):
    write_atomically(path, "new")
  assert path.read_text() == "old"
  assert list(tmp_path.iterdir()) == [path]


def test_runs_that_write_a_file_at_once_do_not_disturb_each_other(tmp_path):
  path = tmp_path / "config.json"
  texts = [str(number) * 1000 for number in range(8)]
  with concurrent.futures.ThreadPoolExecutor(len(texts)) as pool:
    for _ in range(20):
      list(pool.map(lambda text: write_atomically(path, text), texts))
  assert path.read_text() in texts
  assert list(tmp_path.iterdir()) == [path]
