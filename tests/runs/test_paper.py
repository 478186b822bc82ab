"""The paper's accuracies stand beside ours only where the experiment is the paper's."""

import pytest

from jaxkd.reports import experiment, paper_table
from jaxkd.runs import paper
from jaxkd.runs.recipes import recipe


@pytest.fixture(autouse=True)
def published(monkeypatch):
  """The images are those that were published, whether or not they are there."""
  monkeypatch.setattr(paper.data, "content", lambda *_: "")


@pytest.fixture
def config():
  """The paper's experiment on CIFAR-100."""
  return recipe("cifar100", title="paper", rows=("kd",))


def test_the_papers_experiment_has_no_differences(config):
  assert paper.differences(config) == []
  assert experiment.notes(config) == ""


@pytest.mark.parametrize(
  ("option", "value", "text"),
  [
    ("data.train_share", 0.1, "10 % of the training data"),
    ("data.validation", 0.1, "accuracy on 10 % of the training data, held out"),
    ("teacher.epochs", 1.0, "teacher: 1 of 240 epochs"),
    ("student.epochs", 60.0, "student: 60 of 240 epochs"),
    ("teacher.name", "resnet56", "teacher resnet56"),
    ("student.options", {"width": 8}, "student vgg8(width=8)"),
  ],
)
def test_a_difference_is_named(option, value, text, config):
  section, key = option.split(".")
  with config.unlocked():
    config[section][key] = value
  assert paper.differences(config) == [text]
  assert f"because of differences: {text}." in experiment.notes(config)
  assert text in paper_table.caption({"vgg8": config})
  # A row that the paper does not have lacks nothing.
  config.rows = ("dkd",)
  assert experiment.notes(config) == ""


@pytest.mark.parametrize(
  ("option", "value"), [("student.name", "resnet20"), ("data.name", "cifar10")]
)
def test_another_student_or_data_set_has_no_figures(option, value, config):
  section, key = option.split(".")
  config[section][key] = value
  assert paper.accuracies(config.data.name, config.student.name) == {}
  assert experiment.notes(config) == ""


def test_a_network_that_no_row_needs_is_no_difference(config):
  config.rows = ("nokd",)
  config.teacher.epochs = 1.0
  assert paper.differences(config) == []
  config.rows = ("stkd",)
  config.small_teacher.epochs = 1.0
  assert paper.differences(config) == ["small_teacher: 1 of 240 epochs"]


def test_other_images_under_the_same_name_are_a_difference(config, monkeypatch):
  monkeypatch.setattr(paper.data, "content", lambda *_: "abc")
  assert paper.differences(config) == ["the images are not the published ones"]


def test_networks_for_birds_and_dogs_start_from_imagenet():
  config = recipe("cub", title="paper", rows=("kd",))
  student, teacher = paper.differences(config)
  assert teacher.startswith("teacher: random initial weights, not those of ImageNet")
  assert "config.student.init_from" in student
  config.teacher.init_from = config.student.init_from = "weights.safetensors"
  assert paper.differences(config) == []
