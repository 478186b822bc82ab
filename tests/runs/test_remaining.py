"""What is done and left: phases that rows share count once, times follow from measured speeds."""

import dataclasses

import pytest

from jaxkd.common.files import write_json_lines
from jaxkd.runs import remaining
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder

TEACHER = Phase(
  data={"name": "digits", "batch_size": 64},
  network={"name": "vgg13", "dtype": "float32", "options": {}},
  schedule={"epochs": 10.0},
  objective={"name": "cross_entropy"},
  seed=0,
)
SMALL = {**TEACHER.network, "name": "vgg8"}
KD, ATS, NOKD = (
  dataclasses.replace(TEACHER, network=SMALL, objective={"name": name}, teachers=teachers)
  for name, teachers in (("kd", (TEACHER,)), ("ats", (TEACHER,)), ("nokd", ()))
)
SPEED = 64.0  # images a second: a step takes a second


def trained(store, phase, step, *, finished=False):
  """Makes the folder of a phase with a checkpoint, evaluated after two of its 20 steps an epoch."""
  folder = PhaseFolder.of(store, phase)
  folder.create()
  (folder.checkpoints / str(step)).mkdir(parents=True)
  lines = [
    {"step": 0, "epoch": 0.0},
    {"step": 40, "epoch": 2.0, "images_per_second": SPEED},
    # After a stop the speed is not known at once.
    {"step": 60, "epoch": 3.0, "images_per_second": 0.0},
  ]
  write_json_lines(folder.path / "metrics.jsonl", lines)
  if finished:
    folder.finish({"steps": step})
  return folder


def test_a_new_store_has_nothing_and_needs_no_folder(tmp_path):
  found = remaining.of(tmp_path / "missing", [KD, ATS])
  assert [(each.label, each.state, each.seconds) for each in found] == [
    ("digits-vgg13-cross_entropy", "not begun", None),
    ("digits-vgg8-kd", "not begun", None),
    ("digits-vgg8-ats", "not begun", None),
  ]


def test_a_shared_phase_counts_once_and_lends_its_speed_to_phases_of_its_networks(tmp_path):
  trained(tmp_path, TEACHER, 200, finished=True)
  trained(tmp_path, KD, 75)
  found = remaining.of(tmp_path, [KD, ATS, NOKD, KD])
  assert [(each.state, each.seconds) for each in found] == [
    ("finished", 0.0),
    ("37 %: epoch 3.75 of 10", 125.0),
    # 200 steps of a second each.
    ("not begun", pytest.approx(200.0)),
    # No phase without a teacher has been measured.
    ("not begun", None),
  ]
  assert remaining.summary(found) == (
    "Phases: 4, finished 1, begun 1, not begun 2. Training left: 0:05:25; of unknown speed: 1."
  )


def test_a_step_stands_for_the_share_before_the_first_evaluation(tmp_path):
  folder = trained(tmp_path, TEACHER, 15)
  (folder.path / "metrics.jsonl").unlink()
  assert [each.state for each in remaining.of(tmp_path, [TEACHER])] == ["step 15"]


def test_a_removed_teacher_of_finished_students_is_not_left(tmp_path):
  trained(tmp_path, KD, 200, finished=True)
  found = remaining.of(tmp_path, [KD])
  assert remaining.summary(found) == "Phases: 1, all finished."
  assert [each.label for each in remaining.of(tmp_path, [KD, ATS])][:2] == [
    "digits-vgg13-cross_entropy",
    "digits-vgg8-kd",
  ]


def test_a_teacher_from_outside_of_the_store_is_not_listed(tmp_path):
  outside = trained(tmp_path / "other", TEACHER, 200, finished=True)
  given = PhaseFolder.open(outside.path).phase
  student = dataclasses.replace(KD, teachers=(given,))
  assert [each.label for each in remaining.of(tmp_path, [student])] == ["digits-vgg8-kd"]
