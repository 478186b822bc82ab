"""Every config of the project is sound, and quotes the paper rightly."""

import importlib
import pathlib

import jax
import pytest
from flax import nnx

from jaxkd import table
from jaxkd.analysis import plan
from jaxkd.common.errors import ConfigError
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import paper, recipes, rows

FOLDER = pathlib.Path("configs").absolute()
NAMES = sorted(
  file.stem for file in FOLDER.glob("*.py") if file.stem not in ("__init__", "common", "paper")
)


# Of the paper's series on CIFAR-100, and small ones.
TEACHERS = (
  *("resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
  *("wrn28_2", "wrn28_3", "wrn28_4", "wrn28_8", "wrn40_2"),
  *("resnext29_8x4d", "resnext29_64x4d", "vgg13", "vgg19"),
)


@pytest.mark.parametrize("name", NAMES)
def test_every_config_is_valid_and_documents_its_command(name):
  module = importlib.import_module(f"configs.{name}")
  config = module.get_config()
  jaxkd_config.validate(config)
  assert config.title == name
  for figure in config.paper.accuracies.values():
    assert 0 < figure < 100
  assert f"--config=configs/{name}.py" in module.__doc__
  if not name.startswith("analysis"):
    assert "GPU" in module.__doc__ or "CPU" in module.__doc__


@pytest.mark.parametrize("dataset", [n for n in recipes.RECIPES if n != "digits"])
def test_there_is_a_config_for_every_row(dataset):
  names = dict.fromkeys((*rows.ROWS, *table.ROWS["3"]))
  for row in ("kd", "isats") if dataset == "imagenet" else names:
    name = f"{dataset}_{row.replace('+', '_')}"
    config = importlib.import_module(f"configs.{name}").get_config()
    # With the single students' accuracy beside that of all together.
    assert config.rows == tuple(dict.fromkeys((row.removesuffix("+ens"), row)))


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_the_columns_of_a_table_share_their_data(name):
  columns = table.configs(recipes.RECIPES, "2", name, recipes.students(name))
  first, *others = columns.values()
  for config in others:
    assert config.data == first.data
    assert config.run == first.run


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_argument_works(name):
  recipe = recipes.RECIPES[name]
  assert recipe("student=mobilenet_v2", "t").student.name == "mobilenet_v2"
  assert recipe("teacher=resnet56", "t").teacher.name == "resnet56"
  assert recipes.students(name)
  if name != "digits":
    local = recipe("runlocal", "t")
    jaxkd_config.validate(local)
    assert local.teacher.epochs < recipe(None, "t").teacher.epochs
    assert not local.paper.accuracies


@pytest.mark.parametrize(
  "arg",
  [f"{run}teacher={name}" for run in ("", "runlocal,") for name in TEACHERS],
)
def test_a_teacher_by_argument_teaches_in_every_row(arg):
  config = recipes.cifar100(arg, "t")
  config.rows = ("takd", "multi")
  jaxkd_config.validate(config)
  large = rows.teacher(config)
  assert large.network["name"] == arg.partition("teacher=")[2]
  assert rows.ROWS["multi"](config, 0).teachers[0] == large
  first, assistant, _ = rows.ROWS["takd"](config, 0).with_teachers()
  assert first == large
  assert assistant.network != large.network


def parameters(phase):
  spec = rows.spec_of(phase)
  model = nnx.eval_shape(lambda: rows.network(phase, spec))
  return sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param)))


@pytest.mark.parametrize(("dataset", "student"), paper.COLUMNS)
def test_a_residual_has_at_most_the_students_size(dataset, student):
  config = recipes.RECIPES[dataset](f"student={student}", "t")
  residual = rows.ROWS["reskd"](config, 0)
  own, base = (parameters(p) for p in (residual, residual.teachers[1]))
  # There is nothing smaller for large images.
  smallest = dataset in ("cub", "dogs") and student == "shufflenet_v2"
  assert own == base if smallest else own < 0.6 * base


def test_no_recipe_knows_an_assistant_of_every_teacher():
  config = recipes.cifar100("teacher=mobilenet_v2", "t")
  config.rows = ("takd",)
  with pytest.raises(ConfigError, match="one network or more"):
    jaxkd_config.validate(config)


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
    recipes.cifar100(arg, "title")


def test_the_papers_figures_add_up_to_its_averages():
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
  columns = [paper.accuracies(*column) for column in paper.COLUMNS]
  for row, average in averages.items():
    mean = sum(column[row] for column in columns) / len(columns)
    assert mean == pytest.approx(average, abs=0.0051)


def test_a_pair_that_is_not_in_the_paper_quotes_nothing():
  assert recipes.cifar100(None, "t").paper.accuracies.isats == 72.46
  assert not recipes.cifar100("student=vgg13", "t").paper.accuracies
  # The report shows the figures for these networks alone.
  assert recipes.cifar100("teacher=resnet56", "t").paper.teacher == "resnet110"


def test_a_local_run_may_name_its_networks():
  config = recipes.cifar100("runlocal,student=vgg8", "t")
  assert config.student.name == "vgg8"
  assert config.teacher.name == "resnet20"


@pytest.mark.parametrize("name", [n for n in NAMES if "analysis" not in n])
def test_a_docstring_quotes_its_rows_figures(name):
  module = importlib.import_module(f"configs.{name}")
  config = module.get_config()
  row = config.rows[-1]
  for dataset, student in paper.COLUMNS:
    figures = paper.accuracies(dataset, student)
    if dataset == config.data.name and row in figures:
      assert f"{figures[row]:.2f}" in module.__doc__


def test_an_analysis_takes_its_teachers_from_the_argument():
  def teachers(arg):
    config = recipes.analysis(arg, "cifar100", {"a": ["resnet8"], "b": ["vgg8"]})
    names = [t.name for t in config.analysis.teachers.values()]
    return dict.fromkeys(names, config.teacher.epochs)

  assert teachers(None) == {"resnet8": 240}
  assert teachers("series=b,epochs=9.5") == {"vgg8": 9.5}
  assert teachers("runlocal,teachers=vgg8+vgg11") == {"vgg8": 4, "vgg11": 4}


@pytest.mark.parametrize("name", [n for n in NAMES if "analysis" in n])
def test_the_teachers_of_an_analysis_can_be_made(name):
  plan.validate(importlib.import_module(f"configs.{name}").get_config())


@pytest.mark.parametrize(("name", "dimensions"), [("mnist", 2), ("svhn", 3)])
def test_features_that_can_be_drawn(name, dimensions):
  module = importlib.import_module(f"configs.analysis_{name}")
  teachers = module.get_config().analysis.teachers
  assert len(teachers) == 5
  for teacher in teachers.values():
    assert teacher.options.feature_dim == dimensions


@pytest.mark.parametrize(
  ("arg", "message"),
  [
    ("series=c", "'series' is 'c', must be one of a"),
    ("epochs=x", "'epochs' is 'x', must be a number"),
  ],
)
def test_a_wrong_argument_of_an_analysis_is_named(arg, message):
  with pytest.raises(ConfigError, match=message):
    recipes.analysis(arg, "cifar100", {"a": ["resnet8"]})
