"""The queue says what it trains, on which device, and about how long all will take."""

import pytest

from jaxkd.runs import experiment, predicted, queue


@pytest.fixture
def run(tiny_config, tmp_path, monkeypatch):
  """Returns a function that runs a queue in which each job finishes at once.

  It returns the label of each job, and its estimate for the others at 100 images/s of all its
  students together.
  """
  found = []

  def train(job, _):
    found.append((job.label, job.rest(100.0)))
    return [{} for _ in job.students]

  monkeypatch.setattr(queue, "train", train)
  monkeypatch.setattr(predicted.teachers, "load", lambda *_: None)

  def start():
    experiment.run([experiment.Experiment.of(tiny_config, tmp_path)])
    return found

  return start


def test_the_time_of_all_phases_is_that_of_their_images(tiny_config, run, capsys):
  tiny_config.rows, tiny_config.seeds = ("kd",), (0, 1)
  tiny_config.teacher.epochs = 4.0
  jobs = run()
  assert [label for label, _ in jobs] == [
    "[1/3 digits-mlp-cross_entropy]",
    "[2/3 digits-mlp-kd, seed 0]",
    "[3/3 digits-mlp-kd, seed 1]",
  ]
  # A student sees half of 1437 images.
  assert [rest for _, rest in jobs] == pytest.approx([14.37, 7.185, 0.0])
  assert "3 phases to train on " in capsys.readouterr().err


def test_the_speed_of_a_cohort_is_that_of_all_its_students(tiny_config, run):
  tiny_config.rows, tiny_config.seeds = ("kd", "isats"), (0, 1, 2)
  tiny_config.data.seed, tiny_config.run.cohort = 0, 4
  _, (_, rest), (_, last) = run()
  # Two students of 718.5 images are left.
  assert rest == pytest.approx(2 * 718.5 / 100)
  assert last == 0


def test_no_time_is_told_before_the_speed_of_a_network_is_known(tiny_config, run):
  tiny_config.rows = ("kd", "isats")
  tiny_config.teacher.name, tiny_config.teacher.options = "resnet8", {}
  assert [rest for _, rest in run()] == [None, pytest.approx(7.185), 0.0]
