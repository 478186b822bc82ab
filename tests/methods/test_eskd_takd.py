"""ESKD stops its teacher early; TAKD distils through assistants."""

import contextlib
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from jaxkd.runs import planning
from jaxkd.runs.cohorts import cohorts
from jaxkd.runs.experiment import load_dataset
from jaxkd.runs.queue import Queue
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.step import functional


def test_an_early_stopped_teacher_has_a_third_of_the_epochs(tiny_config):
  (early,) = planning.student(tiny_config, "eskd", 0).teachers
  assert early.schedule["epochs"] == pytest.approx(tiny_config.teacher.epochs / 3)
  assert early.epochs == early.schedule["epochs"]


def test_a_teacher_stopped_in_its_full_schedule_is_another_phase(tiny_config):
  (squeezed,) = planning.student(tiny_config, "eskd", 0).teachers
  tiny_config.eskd.teacher_schedule = "full"
  (stopped,) = planning.student(tiny_config, "eskd", 0).teachers
  teacher = planning.teacher(tiny_config)
  assert len({squeezed, stopped, teacher}) == 3
  assert stopped.epochs == squeezed.epochs
  assert stopped.schedule["epochs"] == teacher.epochs
  assert type(stopped).from_dict(json.loads(json.dumps(stopped.to_dict()))) == stopped
  # Not stopped at all, it is the teacher itself.
  tiny_config.eskd.teacher_epochs = 1.0
  assert planning.student(tiny_config, "eskd", 0).teachers == (teacher,)


@pytest.fixture
def long_and_stopped(tiny_config):
  """A student of 22 steps, whose loss depends on the progress, and that stopped after 11."""
  tiny_config.student.epochs = 1.0
  tiny_config.optim.warmup, tiny_config.optim.milestones = 0.2, (0.6,)
  tiny_config.dkd.warmup = 1.0
  long = planning.student(tiny_config, "dkd", 0)
  return long, long.shortened(0.5, full_schedule=True)


def test_a_stopped_training_takes_no_part_in_the_cohort_of_the_whole_one(long_and_stopped):
  _, stopped = long_and_stopped
  other = dataclasses.replace(stopped, data={**stopped.data, "seed": 0}, seed=1)
  groups = cohorts({phase: {0} for phase in (*long_and_stopped, other)}, 3, 4)
  assert [len(group) for group in groups] == [1, 2]


def test_a_stopped_training_is_the_start_of_the_whole_one(tiny_config, long_and_stopped, tmp_path):
  tiny_config.run.checkpoint_every_steps, tiny_config.run.keep_checkpoints = 1, 22
  run, mesh = tiny_config.run, sharding.mesh()
  dataset = load_dataset(tiny_config.data, run, mesh)

  def train():
    assert not Queue(tmp_path, long_and_stopped).train(dataset, run, mesh)

  def state(phase, step):
    folder = PhaseFolder.of(tmp_path, phase)
    _, template = functional(planning.network(phase))
    with contextlib.closing(Checkpoints(folder.checkpoints, keep=None)) as checkpoints:
      return checkpoints.restore_network(sharding.replicate(mesh)(template), step)

  def logged(phase):
    lines = PhaseFolder.of(tmp_path, phase).logged()
    return [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines]

  train()
  long, stopped = long_and_stopped
  folder = PhaseFolder.of(tmp_path, stopped)
  assert folder.result()["steps"] == 11
  assert PhaseFolder.of(tmp_path, long).result()["steps"] == 22
  # Learning rates and losses, too. The rate drops after 13 steps.
  assert logged(stopped) == logged(long)[:2]
  assert [line["learning_rate"] for line in logged(long)] == pytest.approx(
    [0.05, 0.05, 0.005, 0.005]
  )
  middle = state(long, 11)
  jax.tree.map(np.testing.assert_array_equal, state(stopped, 11), middle)

  # It resumes to the same bits.
  (folder.path / "result.json").unlink()
  for step in range(4, 12):
    shutil.rmtree(folder.checkpoints / str(step))
  train()
  jax.tree.map(np.testing.assert_array_equal, state(stopped, 11), middle)
  assert logged(stopped) == logged(long)[:2]


def test_each_assistant_learns_from_the_network_before_it(tiny_config):
  tiny_config.teacher.name, tiny_config.teacher.options = "resnet20", {}
  tiny_config.takd.assistants = ("resnet14", "resnet8")
  chain = planning.student(tiny_config, "takd", 0).with_teachers()
  assert [phase.network["name"] for phase in chain] == ["resnet20", "resnet14", "resnet8", "mlp"]
