"""The report of a run shows the paper's accuracies only beside the paper's experiment."""

import pytest

from jaxkd.reports import experiment, paper_table
from jaxkd.runs import recipes


@pytest.fixture
def config(monkeypatch):
  """Returns the paper's experiment on CIFAR-100."""
  monkeypatch.setattr(experiment.rows, "data_of", lambda *_, **__: {"name": "cifar100"})
  return recipes.cifar100(None, "paper")


def test_the_papers_experiment_has_no_differences(config):
  assert experiment.differences(config) == []
  assert experiment.notes(config) == ""


@pytest.mark.parametrize(
  ("option", "value", "text"),
  [
    ("data.name", "cifar10", "data set cifar10"),
    ("data.train_share", 0.1, "10 % of the training data"),
    ("data.validation", 0.1, "accuracy on 10 % of the training data, held out"),
    ("teacher.epochs", 1.0, "teacher: 1 of 240 epochs"),
    ("student.epochs", 60.0, "student: 60 of 240 epochs"),
    ("teacher.name", "resnet56", "teacher resnet56"),
    ("student.name", "resnet20", "student resnet20"),
    ("student.options", {"width": 8}, "student vgg8(width=8)"),
  ],
)
def test_a_difference_is_named(option, value, text, config):
  section, key = option.split(".")
  with config.unlocked():
    config[section][key] = value
  assert experiment.differences(config) == [text]
  config.rows = ("kd",)
  assert f"because of differences: {text}." in experiment.notes(config)
  assert text in paper_table.caption({"vgg8": config})
  # A row that the paper does not have lacks nothing.
  config.rows = ("dkd",)
  assert experiment.notes(config) == ""


def test_other_images_under_the_same_name_are_a_difference(config, monkeypatch):
  monkeypatch.setattr(experiment.rows, "data_of", lambda *_, **__: {"content": "abc"})
  assert experiment.differences(config) == ["the images are not the published ones"]


def test_networks_for_birds_and_dogs_start_from_imagenet(monkeypatch):
  monkeypatch.setattr(experiment.rows, "data_of", lambda *_, **__: {"name": "cub"})
  config = recipes.cub(None, "paper")
  teacher, student = experiment.differences(config)
  assert teacher == "teacher: random initial weights, not those of ImageNet (teacher.init_from)"
  assert student.startswith("student: random initial weights")
  config.teacher.init_from = config.student.init_from = "weights.safetensors"
  assert experiment.differences(config) == []
