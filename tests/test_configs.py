"""Every file of `configs/` is a valid experiment that documents itself."""

import dataclasses
import importlib
import pathlib
import re

import pytest

from jaxkd import methods
from jaxkd.analysis import plan
from jaxkd.runs import paper, planning
from jaxkd.runs.config import SHARED
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.recipes import RECIPES
from jaxkd.runs.validation import validate

FOLDER = pathlib.Path(__file__).parents[1] / "configs"
NAMES = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__")
ANALYSES = [name for name in NAMES if name.startswith("analysis")]
EXPERIMENTS = [name for name in NAMES if name not in ANALYSES]
# Experiments of one method with its defaults; digits_isats and folder_isats compare methods.
OTHERS = ("digits_isats", "folder_isats", "cifar100_kd_ls")
ROWS = [name for name in EXPERIMENTS if name not in OTHERS]


def module(name):
  return importlib.import_module(f"configs.{name}")


@pytest.mark.parametrize("dataset", RECIPES)
def test_every_config_of_a_data_set_is_valid_and_documents_its_command(dataset):
  # One test for all, since configs share networks, which are traced once.
  for name in NAMES:
    config = module(name).get_config()
    if config.data.name == RECIPES[dataset].data:
      assert config.title == name
      assert f"--config=configs/{name}.py" in module(name).__doc__
      validate(config)
      if name in ANALYSES:
        plan.validate(config)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_documents_the_papers_accuracies_and_its_own(name):
  text = module(name).__doc__
  for heading in ("Command", "Paper", "Measured"):
    assert re.search(rf"^{heading} ", text, re.MULTILINE)
  assert "GPU" in text or "CPU" in text
  config = module(name).get_config()
  row = config.rows[-1]
  figures = [
    paper.accuracies(dataset, student).get(row)
    for dataset, student in paper.COLUMNS
    if dataset == config.data.name
  ]
  for figure in filter(None, figures):
    assert f"{figure:.2f}" in text
  assert any(figures) or "no figure" in text
  assert ("Needs     ImageNet's weights" in text) == (config.data.name in paper.PRETRAINED)


@pytest.mark.parametrize("name", ROWS)
def test_an_experiment_states_the_values_of_its_method(name):
  source = (FOLDER / f"{name}.py").read_text()
  for row in methods.members(module(name).get_config().rows[-1].removesuffix(ENSEMBLE)):
    for field in dataclasses.fields(methods.find(row)):
      if field.name != "standardize" and not field.metadata.get("selects"):
        shared = field.name in SHARED
        assert f"config.{'' if shared else f'{row}.'}{field.name} " in source


def test_standardised_kd_has_one_temperature_for_teacher_and_student():
  objective = planning.student(module("cifar100_kd_ls").get_config(), "kd", 0).objective
  # "Logit Standardization in Knowledge Distillation": 0.1 CE + 9 tau^2 KL, base temperature 2.
  assert (objective["tau"], objective["student_tau"], objective["standardize"]) == (2.0, 2.0, True)
  assert objective["lam"] * objective["weight"] == 9


@pytest.mark.parametrize("dataset", paper.TEACHERS)
def test_there_is_a_config_for_every_row_of_the_papers_tables(dataset):
  rows = [*paper.TABLES["2"], *paper.TABLES["3"]]
  if dataset == "cifar100":
    rows += methods.list_methods()
  for row in rows:
    config = module(f"{dataset}_{row.replace('+', '_')}").get_config()
    # An ensemble's config also has the row of the single students.
    assert config.rows == tuple(dict.fromkeys((row.removesuffix(ENSEMBLE), row)))


@pytest.mark.parametrize("name", ROWS)
def test_an_experiment_takes_the_arguments_of_its_recipe(name):
  local = module(name).get_config("runlocal,student=mobilenet_v2")
  assert local.student.name == "mobilenet_v2"
  assert local.teacher.epochs < module(name).get_config().teacher.epochs


@pytest.mark.parametrize(("name", "dimensions"), [("mnist", 2), ("svhn", 3)])
def test_analyses_of_digits_have_features_that_can_be_drawn(name, dimensions):
  teachers = module(f"analysis_{name}").get_config().analysis.teachers
  assert len(teachers) == 5
  for teacher in teachers.values():
    assert teacher.options.feature_dim == dimensions


def test_every_config_has_the_data_of_a_recipe():
  # The folder of photographs is the user's, in the page of the engineer.
  known = {recipe.data for recipe in RECIPES.values()} | {"folder"}
  for name in NAMES:
    assert module(name).get_config().data.name in known
