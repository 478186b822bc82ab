"""The toolkits' table: its recipe is theirs, and its figures stand beside their experiment only."""

import ast
import csv
import itertools

import pytest

from jaxkd import methods, models
from jaxkd.common.errors import ConfigError
from jaxkd.reports import experiment, paper_table
from jaxkd.runs import published, toolkit
from jaxkd.runs.validation import validate


def recipe(pair="vgg13/vgg8", rows=None):
  config = toolkit.recipe(pair, title="t")
  config.rows = rows or config.rows
  return config


def test_the_pairs_are_repdistillers():
  same = ("wrn40_2/wrn16_2", "wrn40_2/wrn40_1", "resnet56/resnet20", "resnet110/resnet20")
  same += ("resnet110/resnet32", "resnet32x4/resnet8x4", "vgg13/vgg8")
  across = ("vgg13/mobilenet_v2", "resnet50/mobilenet_v2", "resnet50/vgg8")
  across += ("resnet32x4/shufflenet_v1", "resnet32x4/shufflenet_v2", "wrn40_2/shufflenet_v1")
  assert same + across == toolkit.PAIRS
  for name in itertools.chain(*(pair.split("/") for pair in toolkit.PAIRS)):
    assert models.find(name).forms[0].reference.image_size == 32


@pytest.mark.parametrize(
  ("pair", "figures"),
  [
    ("wrn40_2/wrn16_2", {"teacher": 75.61, "nokd": 73.26, "kd": 74.92, "wttm": 76.37}),
    ("wrn40_2/wrn40_1", {"crd": 74.14, "dkd": 74.81, "dist": 74.73, "reviewkd": 75.09}),
    ("resnet56/resnet20", {"teacher": 72.34, "nokd": 69.06, "at": 70.55, "fsp": 69.95}),
    ("resnet110/resnet20", {"fitnet": 68.99, "dkd": 71.06, "simkd": 71.06, "ttm": 71.46}),
    ("resnet110/resnet32", {"rkd": 71.82, "catkd": 73.62, "pkt": 72.61, "rld": 74.02}),
    ("resnet32x4/resnet8x4", {"teacher": 79.42, "nokd": 72.50, "kd": 73.33, "dkd": 76.32}),
    ("vgg13/vgg8", {"nst": 71.53, "crd": 73.94, "ofd": 73.95, "nkd": 74.86}),
    ("vgg13/mobilenet_v2", {"nokd": 64.60, "at": 59.40, "dkd": 69.71, "ctkd": 68.50}),
    ("resnet50/mobilenet_v2", {"teacher": 79.34, "kd": 67.35, "sdd": 69.55, "sp": 68.08}),
    ("resnet50/vgg8", {"nokd": 70.36, "crd": 74.30, "sdd_dkd": 75.86, "nkd": 74.01}),
    ("resnet32x4/shufflenet_v1", {"nokd": 70.50, "kd": 74.07, "dkd": 76.45, "ofd": 75.98}),
    ("resnet32x4/shufflenet_v2", {"nokd": 71.82, "kd": 74.45, "dkd": 77.07, "cc": 71.29}),
    ("wrn40_2/shufflenet_v1", {"dkd": 76.70, "reviewkd": 77.14, "ab": 73.34, "ft": 72.03}),
  ],
)
def test_figures_are_quoted_right(pair, figures):
  quoted = toolkit.accuracies(pair)
  assert {row: quoted[row][0] for row in figures} == figures


def test_a_pair_that_a_publication_lacks_has_no_figure():
  assert "fsp" not in toolkit.accuracies("wrn40_2/wrn40_1")
  assert "dkd" not in toolkit.accuracies("resnet50/vgg8")


def read(name):
  path = toolkit.pathlib.Path(toolkit.__file__).with_name(f"toolkit_{name}.csv")
  with open(path, newline="") as file:
    return list(csv.DictReader(file))


def test_the_files_have_one_plausible_value_a_cell():
  lines = read("accuracies")
  assert {line["row"] for line in lines} <= {"teacher", *methods.list_methods()}
  for pair in toolkit.PAIRS:
    cells = [(line["row"], line[pair]) for line in lines if line[pair]]
    assert len(cells) == len(dict(cells))
    assert all(55 < float(value) < 80 for _, value in cells)
  assert all(line["source"] and any(map(line.get, toolkit.PAIRS)) for line in lines)
  assert tuple(read("options")[0])[2:] == toolkit.PAIRS


def test_options_of_the_file_are_options_of_methods():
  for line in read("options"):
    name, option = line["option"].split(".")
    for value in filter(None, map(line.get, toolkit.PAIRS)):
      methods.create(name, {option: ast.literal_eval(value)})


def test_rows_are_the_registered_methods_that_have_a_figure(monkeypatch):
  assert {"nokd", "kd", "fitnet", "at", "rkd", "crd", "dist", "dkd"} <= {
    *toolkit.rows("vgg13/vgg8")
  }
  assert not {"isats", "teacher"} & {*toolkit.rows("vgg13/vgg8")}
  monkeypatch.setattr(methods, "list_methods", lambda: {"sp": None, "isats": None, "kd": None})
  assert toolkit.rows("vgg13/vgg8") == ("kd", "sp")


@pytest.mark.parametrize("pair", toolkit.PAIRS)
def test_the_recipe_of_a_pair_is_the_toolkits(pair):
  config = recipe(pair)
  assert f"{config.teacher.name}/{config.student.name}" == pair
  assert config.data.batch_size == 64
  assert config.teacher.epochs == config.student.epochs == 240
  steps = [240 * end for end in config.optim.milestones]
  assert (steps, config.optim.decay, config.optim.warmup) == ([150, 180, 210], 0.1, 0)
  assert (config.optim.momentum, config.optim.weight_decay) == (0.9, 5e-4)
  light = config.student.name in ("mobilenet_v2", "shufflenet_v1", "shufflenet_v2")
  assert (config.teacher.learning_rate, config.student.learning_rate) == (
    0.05,
    0.01 if light else 0.05,
  )
  assert config.kd.lam == 0.9
  assert config.rows == toolkit.rows(pair)
  known = published.of(config)
  assert known.differences == ()
  assert known.accuracies.keys() == {"teacher", *config.rows}


@pytest.mark.parametrize("pair", ["vgg13/vgg8", "resnet50/mobilenet_v2", "wrn40_2/shufflenet_v1"])
def test_every_row_of_a_pair_fits_its_networks(pair):
  validate(recipe(pair))


@pytest.mark.parametrize(
  ("pair", "beta"),
  [("resnet56/resnet20", 2), ("wrn40_2/wrn16_2", 6), ("resnet32x4/shufflenet_v1", 8)],
)
def test_options_of_a_pair_are_set(pair, beta):
  assert recipe(pair).dkd.beta == beta


@pytest.mark.parametrize(
  ("option", "value", "difference", "kept"),
  [
    ("student.epochs", 60.0, "student.epochs is 60, not 240", {"teacher"}),
    ("teacher.epochs", 60.0, "teacher.epochs is 60, not 240", {"nokd"}),
    ("data.batch_size", 128, "data.batch_size is 128, not 64", set()),
    ("data.validation", 0.1, "data.validation is 0.1, not 0", set()),
    ("optim.warmup", 0.5, "optim.warmup is 0.5, not 0", set()),
    ("dtype", "bfloat16", "dtype is 'bfloat16', not 'float32'", set()),
    ("student.options", {"remat": True}, "student.options.remat is True, not None", {"teacher"}),
    ("kd.lam", 0.5, "kd.lam is 0.5, not 0.9", {"teacher", "nokd", "dkd"}),
    ("tuned", {"kd": {"kd": {"tau": 2.0}}}, "kd.tau is 2, not 4", {"teacher", "nokd", "dkd"}),
    # Of another row, or without a meaning for the result.
    ("crd.tau", 0.1, None, {"teacher", "nokd", "kd", "dkd"}),
    ("seeds", (5, 6), None, {"teacher", "nokd", "kd", "dkd"}),
    ("run.cohort", 3, None, {"teacher", "nokd", "kd", "dkd"}),
    # The toolkits' teachers are files of weights.
    ("teacher.epochs", 0.0, None, {"teacher", "nokd", "kd", "dkd"}),
  ],
)
def test_a_difference_hides_the_figures_of_the_rows_that_it_concerns(
  option, value, difference, kept
):
  config = recipe(rows=("nokd", "kd", "dkd"))
  with config.unlocked():
    section, _, key = option.rpartition(".")
    (config[section] if section else config)[key] = value
  known = published.of(config)
  assert known.differences == ((difference,) if difference else ())
  assert known.accuracies.keys() == kept
  said = f" Some published accuracies are not shown, because of differences: {difference}."
  assert (said in experiment.notes(config)) == (difference is not None)


def test_other_images_under_the_same_name_are_a_difference(monkeypatch):
  monkeypatch.setattr(toolkit.data, "content", lambda *_: "abc")
  known = published.of(recipe(rows=("kd",)))
  assert known == published.Published("published", {}, ("the images are not the published ones",))


def test_another_pair_is_the_papers_or_nobodys():
  config = recipe(rows=("kd",))
  config.teacher.name = "resnet110"
  assert published.of(config).by == "paper"
  config.student.name = "vgg11"
  assert published.of(config) == published.Published("paper", {}, ())
  config = recipe(rows=("kd",))
  config.data.name = "cifar10"
  assert published.of(config).accuracies == {}


def test_the_caption_names_the_sources_of_what_is_shown():
  columns = {pair: recipe(pair, ("kd", "dkd")) for pair in ("vgg13/vgg8", "resnet110/resnet20")}
  said = (
    "Published accuracies: RepDistiller's README (teacher, kd); mdistiller's README (dkd); "
    "Sun et al., CVPR 2024 (dkd)."
  )
  assert paper_table.caption(columns).endswith(f" {said}")
  for config in columns.values():
    config.student.epochs = 4.0
  assert "Sun et al." not in paper_table.caption(columns)


def test_an_unknown_pair_is_named_in_one_line():
  with pytest.raises(ConfigError, match=r"'vgg13/vgg9', must be one of .*mean 'vgg13/vgg8'\?") as e:
    toolkit.recipe("vgg13/vgg9", title="t")
  assert "\n" not in str(e.value)
