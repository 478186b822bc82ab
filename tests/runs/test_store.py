"""The folder of a phase: written in order, locked while it is trained."""

import dataclasses

import pytest

from jaxkd.common.files import FileError
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import LockedError, PhaseFolder, StoreError

TEACHER = Phase(
  data={"name": "digits", "batch_size": 64},
  network={"name": "mlp", "dtype": "float32", "options": {}},
  schedule={"epochs": 1.0},
  objective={"name": "cross_entropy"},
  seed=0,
)
STUDENT = dataclasses.replace(TEACHER, objective={"name": "kd", "tau": 4.0}, teachers=(TEACHER,))


def test_a_phase_has_a_result_only_once_it_is_finished(tmp_path):
  folder = PhaseFolder.of(tmp_path, STUDENT)
  assert not folder.finished
  folder.create()
  with pytest.raises(StoreError, match=r"not finished: no result\.json"):
    PhaseFolder.open(folder.path)
  assert PhaseFolder.open(folder.path, finished=False).phase == STUDENT
  folder.finish({"steps": 3})
  assert PhaseFolder.open(folder.path).phase == STUDENT
  assert PhaseFolder.open(folder.path).result() == {"steps": 3}


def test_an_opened_phase_keeps_its_folder(tmp_path):
  folder = PhaseFolder.of(tmp_path / "theirs", STUDENT)
  folder.create()
  opened = PhaseFolder.open(folder.path, finished=False).phase
  assert PhaseFolder.of(tmp_path / "ours", opened).path == folder.path


@pytest.mark.parametrize("text", [None, "{", "[]", '{"data": {}}'])
def test_a_folder_without_a_phase_is_refused(tmp_path, text):
  if text is not None:
    (tmp_path / "config.json").write_text(text)
  with pytest.raises(StoreError, match=f"{tmp_path} is not the folder") as caught:
    PhaseFolder.open(tmp_path)
  assert "\n" not in str(caught.value)


def test_two_processes_do_not_train_the_same_phase(tmp_path):
  folder = PhaseFolder.of(tmp_path, STUDENT)
  folder.create()
  with (
    folder.lock(),
    pytest.raises(LockedError, match="another process is training"),
    folder.lock(),
  ):
    pass
  with folder.lock():
    pass


def test_a_store_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(FileError, match=r"can't write to .*Not a directory"):
    PhaseFolder.of(tmp_path / "file", STUDENT).create()
