"""The paper's accuracies are quoted correctly, and only for the paper's experiment."""

import pytest

from jaxkd.reports import experiment, paper_table
from jaxkd.runs import paper, planning
from jaxkd.runs.recipes import recipe
from jaxkd.runs.store import PhaseFolder


def test_the_accuracies_add_up_to_the_papers_averages():
  # The last columns of Tables 2 and 3: the averages over all pairs.
  averages = {
    "nokd": 60.51,
    "stkd": 62.50,
    "kd": 61.56,
    "eskd": 61.74,
    "takd": 61.87,
    "sckd": 61.41,
    "dist": 60.18,
    "ats": 63.40,
    "fgcr": 63.05,
    "regt": 63.15,
    "isats": 64.04,
    "nokd+ens": 64.21,
    "reskd": 64.94,
    "ats+ens": 65.94,
    "fgcr+ens": 65.50,
    "regt+ens": 65.78,
    "isats+ens": 66.25,
  }
  assert [*averages] == [*paper.TABLES["2"], *paper.TABLES["3"]]
  columns = [paper.accuracies(*column) for column in paper.COLUMNS]
  for row, average in averages.items():
    mean = sum(column[row] for column in columns) / len(columns)
    assert mean == pytest.approx(average, abs=0.0051)


def test_a_pair_outside_the_paper_has_no_accuracies():
  assert paper.accuracies("cifar100", "vgg8")["isats"] == 72.46
  assert not paper.accuracies("cifar100", "vgg13")
  assert not paper.accuracies("digits", "vgg8")


@pytest.mark.parametrize(("dataset", "student"), paper.COLUMNS)
def test_recipes_differ_from_the_paper_in_initial_weights_only(dataset, student):
  config = recipe(dataset, f"student={student}", title="t", rows=("kd", "stkd"))
  # On photographs the paper starts from ImageNet's weights, which a user has to give.
  roles = ("student", "small_teacher", "teacher") if dataset in paper.PRETRAINED else ()
  assert paper.differences(config) == [
    f"{role}: random initial weights, not those of ImageNet (config.{role}.init_from)"
    for role in roles
  ]


@pytest.mark.parametrize(
  ("option", "value", "difference"),
  [
    ("data.train_share", 0.1, "10 % of the training data"),
    ("data.validation", 0.2, "accuracy on 20 % of the training data, held out"),
    ("student.epochs", 1.0, "student: 1 of 240 epochs"),
    ("teacher.epochs", 60.0, "teacher: 60 of 240 epochs"),
    ("teacher.name", "resnet56", "teacher resnet56"),
    ("student.options", {"remat": True}, "student vgg8(remat=True)"),
    ("small_teacher.name", "resnet8", "small_teacher resnet8"),
    ("kd.standardize", True, "kd.standardize is True"),
    ("optim.name", "nesterov", "name nesterov"),
    ("data.mixup", 0.2, "mixup 0.2"),
    # The paper leaves these open.
    ("kd.lam", 0.9, None),
    ("seeds", (5, 6), None),
    ("student.learning_rate", 0.1, None),
    ("run.cohort", 3, None),
  ],
)
def test_a_difference_from_the_paper_is_named(option, value, difference):
  config = recipe("cifar100", title="t", rows=("kd", "stkd"))
  section, _, key = option.rpartition(".")
  (config[section] if section else config)[key] = value
  assert paper.differences(config) == ([difference] if difference else [])


def test_an_extension_of_a_row_is_a_difference():
  config = recipe("cifar100", title="t", rows=("ats+ens",))
  config.ats.keep_guidance = config.isats.keep_guidance = True
  assert paper.differences(config) == ["ats.keep_guidance is True"]


def test_networks_outside_the_rows_are_no_difference():
  config = recipe("cifar100", "teacher=resnet56", title="t", rows=("nokd", "stkd"))
  config.teacher.epochs = 1.0
  assert not paper.differences(config)
  config.rows = ("nokd", "isats")
  config.small_teacher.name = "resnet8"
  assert paper.differences(config) == ["teacher resnet56", "teacher: 1 of 240 epochs"]


def test_a_given_teacher_that_was_stopped_early_is_a_difference(tmp_path):
  config = recipe("cifar100", title="paper", rows=("kd",))
  stopped = planning.teacher(config).shortened(0.5, full_schedule=True)
  folder = PhaseFolder.of(tmp_path, stopped)
  folder.create()
  folder.finish({})
  config.teacher.checkpoint = str(folder.path)
  assert paper.differences(config) == ["teacher: 120 of 240 epochs"]


def test_other_images_under_the_same_name_are_a_difference(monkeypatch):
  config = recipe("cifar100", title="paper", rows=("kd",))
  monkeypatch.setattr(paper.data, "content", lambda *_: "abc")
  assert paper.differences(config) == ["the images are not the published ones"]


def test_networks_for_birds_and_dogs_start_from_imagenet():
  config = recipe("cub", title="paper", rows=("kd",))
  student, teacher = paper.differences(config)
  assert teacher.startswith("teacher: random initial weights, not those of ImageNet")
  assert "config.student.init_from" in student
  config.teacher.init_from = config.student.init_from = "weights.safetensors"
  assert paper.differences(config) == []


@pytest.mark.parametrize("row", ["kd", "dkd"])
def test_a_report_states_why_the_papers_accuracy_is_missing(row):
  config = recipe("cifar100", title="paper", rows=(row,))
  config.student.epochs = 60.0
  said = "because of differences: student: 60 of 240 epochs."
  # The paper has no accuracy for the other row.
  assert (said in experiment.notes(config)) == (row == "kd")
  assert (said in paper_table.caption({"vgg8": config})) == (row == "kd")
