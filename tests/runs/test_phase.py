"""A phase is identified by everything that determines its result."""

import dataclasses
import json

import pytest

from jaxkd.runs.phase import Phase, labels

TEACHER = Phase(
  data={"name": "digits", "batch_size": 64},
  network={"name": "mlp", "dtype": "float32", "options": {}},
  schedule={"epochs": 1.0, "learning_rate": 0.05, "milestones": (0.5, 0.75)},
  objective={"name": "cross_entropy"},
  seed=0,
)
STUDENT = dataclasses.replace(TEACHER, objective={"name": "kd", "tau": 4.0}, teachers=(TEACHER,))


@pytest.mark.parametrize(
  "change",
  [
    {"data": {"name": "digits", "batch_size": 32}},
    {"network": {"name": "mlp", "dtype": "bfloat16", "options": {}}},
    {"schedule": {**TEACHER.schedule, "epochs": 2.0}},
    {"objective": {"name": "kd", "tau": 3.0}},
    {"seed": 1},
    {"teachers": ()},
    {"teachers": (dataclasses.replace(TEACHER, seed=1),)},
  ],
)
def test_every_field_that_determines_the_result_changes_the_identity(change):
  assert dataclasses.replace(STUDENT, **change).identity != STUDENT.identity


@pytest.mark.parametrize("change", [{"weights": "/elsewhere/weights"}, {"location": "/elsewhere"}])
def test_paths_do_not_change_the_identity(change):
  assert dataclasses.replace(STUDENT, **change) == STUDENT


def test_the_order_and_the_container_of_values_do_not_change_the_identity():
  reordered = dataclasses.replace(
    STUDENT,
    objective={"tau": 4.0, "name": "kd"},
    schedule={**STUDENT.schedule, "milestones": [0.5, 0.75]},
  )
  assert reordered == STUDENT
  assert Phase.from_dict(json.loads(json.dumps(STUDENT.to_dict()))) == STUDENT


def test_the_identity_is_stable_over_releases():
  # A change here orphans the trained phases of every user: raise phase.SCHEMA.
  assert STUDENT.folder == "digits-mlp-kd-c256e0f11d32"


def test_the_folder_of_a_users_network_has_a_portable_name():
  own = dataclasses.replace(TEACHER, network={**TEACHER.network, "name": "my.nets:Tiny/2"})
  assert own.name == "digits-my.nets.Tiny.2-cross_entropy"


def test_teachers_are_listed_once_and_before_their_students():
  chain = dataclasses.replace(STUDENT, teachers=(STUDENT, TEACHER))
  assert chain.with_teachers() == [TEACHER, STUDENT, chain]


def test_a_phase_is_evaluated_on_the_validation_split_if_it_holds_one_out():
  held_out = dataclasses.replace(STUDENT, data={**STUDENT.data, "validation": 0.1})
  assert (STUDENT.split, held_out.split) == ("test", "validation")


def test_a_label_names_all_in_which_a_phase_differs_from_its_namesakes():
  hotter = dataclasses.replace(STUDENT, objective={"name": "kd", "tau": 5.0})
  again = dataclasses.replace(STUDENT, seed=1)
  assert labels([TEACHER, STUDENT]) == {
    TEACHER: "digits-mlp-cross_entropy",
    STUDENT: "digits-mlp-kd",
  }
  assert labels([STUDENT, hotter, again]) == {
    STUDENT: "digits-mlp-kd, tau 4, seed 0",
    hotter: "digits-mlp-kd, tau 5, seed 0",
    again: "digits-mlp-kd, tau 4, seed 1",
  }
  large = dataclasses.replace(TEACHER, network={**TEACHER.network, "name": "vgg8"})
  pair = [dataclasses.replace(STUDENT, teachers=(each,)) for each in (TEACHER, large)]
  assert list(labels(pair).values()) == [
    "digits-mlp-kd, teachers mlp",
    "digits-mlp-kd, teachers vgg8",
  ]
