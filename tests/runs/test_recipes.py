"""The recipes of the data sets: networks, epochs, and the arguments of configs."""

import pytest

from jaxkd import table
from jaxkd.common.errors import ConfigError
from jaxkd.runs import paper, planning, recipes
from jaxkd.runs.recipes import recipe
from jaxkd.runs.validation import validate

# The paper's series on CIFAR-100, and small networks.
TEACHERS = (
  *("resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
  *("wrn28_2", "wrn28_3", "wrn28_4", "wrn28_8", "wrn40_2"),
  *("resnext29_8x4d", "resnext29_64x4d", "vgg13", "vgg19"),
)


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_columns_of_a_table_share_their_data(name):
  columns = table.configs("2", name, recipes.students(name))
  first, *others = columns.values()
  for config in others:
    assert config.data == first.data
    assert config.run == first.run


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_takes_its_arguments(name):
  assert recipe(name, "student=mobilenet_v2", title="t").student.name == "mobilenet_v2"
  assert recipe(name, "teacher=resnet56", title="t").teacher.name == "resnet56"
  assert recipes.students(name)
  local = recipe(name, "runlocal", title="t")
  validate(local)
  if name != "digits":
    assert local.teacher.epochs < recipe(name, title="t").teacher.epochs


@pytest.mark.parametrize("runlocal", ["", "runlocal,"])
@pytest.mark.parametrize("name", TEACHERS)
def test_the_argument_teacher_applies_to_every_row(name, runlocal):
  config = recipe("cifar100", f"{runlocal}teacher={name}", title="t", rows=("takd", "multi"))
  validate(config)
  large = planning.teacher(config)
  assert large.network["name"] == name
  assert planning.student(config, "multi", 0).teachers[0] == large
  first, assistant, _ = planning.student(config, "takd", 0).with_teachers()
  assert first == large
  assert assistant.network != large.network


@pytest.mark.parametrize(("dataset", "student"), paper.COLUMNS)
def test_a_residual_student_is_smaller_than_the_student(dataset, student):
  config = recipe(dataset, f"student={student}", title="t")
  residual = planning.student(config, "reskd", 0)
  own, base = map(planning.num_parameters, (residual, residual.teachers[1]))
  # No smaller network takes large images.
  smallest = dataset in ("cub", "dogs") and student == "shufflenet_v2"
  assert own == base if smallest else own < 0.6 * base


def test_takd_without_a_known_assistant_is_refused():
  config = recipe("cifar100", "teacher=mobilenet_v2", title="t", rows=("takd",))
  with pytest.raises(ConfigError, match="one network or more"):
    validate(config)


@pytest.mark.parametrize(
  ("arg", "message"),
  [
    ("studnt=vgg8", "'studnt' must be one of .*did you mean 'student'"),
    ("student", "'student' must be 'student=...'"),
    ("runlocal=1", "'runlocal=1' must be 'runlocal'"),
  ],
)
def test_a_wrong_argument_is_named(arg, message):
  with pytest.raises(ConfigError, match=message):
    recipe("cifar100", arg, title="t")


def test_an_unknown_data_set_is_named():
  with pytest.raises(ConfigError, match=r"'cifar-100', must be one of .*did you mean 'cifar100'"):
    recipe("cifar-100", title="t")


def test_a_local_run_accepts_names_of_networks():
  config = recipe("cifar100", "runlocal,student=vgg8", title="t")
  assert config.student.name == "vgg8"
  assert config.teacher.name == "resnet20"
