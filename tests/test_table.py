"""A table of the paper: its figures beside ours, cell by cell."""

import csv

import pytest

from jaxkd import cli, table
from jaxkd.common.errors import ConfigError
from jaxkd.reports import experiment as run_report
from jaxkd.reports import paper_table
from jaxkd.runs import experiment
from jaxkd.training.loop import NonFiniteError


@pytest.fixture
def recipes(tiny_config):
  def digits(arg, title):
    config = tiny_config.copy_and_resolve_references()
    config.title = title
    student, *rest = arg.split(",")
    assert rest == ["runlocal"]
    config.student.options = {"width": int(student.removeprefix("student=mlp"))}
    config.paper.accuracies = {"kd": 70.0, "kd+ens": 75.0}
    config.paper.data = "digits"
    config.paper.teacher = config.paper.student = "mlp"
    return config

  return {"digits": digits}


def test_columns_join_into_one_table(recipes, tmp_path, monkeypatch):
  monkeypatch.setattr(run_report, "differences", lambda _: [])
  columns = table.configs(recipes, "3", "digits", ["mlp16", "mlp8"], "runlocal")
  for config in columns.values():
    assert config.rows == table.ROWS["3"]
    config.rows, config.seeds = ("kd", "kd+ens"), (0, 1)
  folders, failed = experiment.run_all([*columns.values()], tmp_path)
  assert not failed
  # The teacher, which both columns share, and two students in each.
  assert len(list(tmp_path.glob("*/result.json"))) == 1 + 2 * 2
  reports = dict(zip(columns, folders, strict=True))
  path = paper_table.write("table3-digits", "How.", reports, tmp_path)
  with open(path.with_suffix(".csv")) as file:
    lines = {line["row"]: line for line in csv.DictReader(file)}
  assert list(lines) == ["teacher of kd, kd+ens", "kd", "kd+ens"]
  for student, folder in reports.items():
    with open(folder / "table.csv") as file:
      cells = {line["row"]: line for line in csv.DictReader(file)}
    for row, paper in (("kd", "70.00"), ("kd+ens", "75.00")):
      assert lines[row][student] == cells[row]["accuracy (%)"]
      assert lines[row][f"{student}: seeds"] == cells[row]["seeds"]
      assert lines[row][f"{student}: paper"] == paper
      difference = float(lines[row][f"{student}: ours - paper"])
      ours = float(lines[row][student].split(" ")[0])
      assert difference == pytest.approx(ours - float(paper), abs=0.011)
    alone = lines["kd+ens"][f"{student}: each alone (%)"]
    assert alone == cells["kd"]["accuracy (%)"]
  assert "mlp8: paper" in path.read_text()
  assert path.read_text().endswith("\nHow.\n")
  assert "mlp8: paper" in path.with_suffix(".html").read_text()


def test_a_cell_that_diverges_costs_no_other(recipes, tmp_path):
  columns = table.configs(recipes, "2", "digits", ["mlp8", "mlp16"], "runlocal")
  for config in columns.values():
    config.rows = ("nokd", "dkd")
  columns["mlp8"].dkd.beta = 1e38
  columns["mlp8"].student.learning_rate = 10.0
  folders, failed = experiment.run_all([*columns.values()], tmp_path)
  assert [phase.loss["name"] for phase in failed] == ["dkd"]
  reports = dict(zip(columns, folders, strict=True))
  lines = {line["row"]: line for line in paper_table.join(reports)}
  assert lines["dkd"]["mlp8"] == "not finite"
  for row, student in (("nokd", "mlp8"), ("nokd", "mlp16"), ("dkd", "mlp16")):
    assert float(lines[row][student]) > 0

  with pytest.raises(NonFiniteError, match="the report without it: ") as caught:
    experiment.run(columns["mlp8"], tmp_path)
  assert str(caught.value).endswith(str(reports["mlp8"]))


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("kd.tua=2", "an option of the config; did you mean 'kd.tau'"),
    ("kd.tau", "must be OPTION=VALUE"),
    ("kd.tau=warm", "'kd.tau=warm': "),
    ("data.seed=abc", "'data.seed=abc': "),
  ],
)
def test_an_option_of_all_columns_is_checked(tiny_config, text, message):
  with pytest.raises(ConfigError, match=message) as caught:
    cli.override(tiny_config, [text])
  assert "\n" not in str(caught.value)


def test_options_of_all_columns_are_read_as_flags_are(tiny_config):
  cli.override(tiny_config, ["kd.standardize=true", "takd.assistants=mlp,vgg8", "data.seed=3"])
  assert tiny_config.kd.standardize is True
  assert tiny_config.takd.assistants == ("mlp", "vgg8")
  assert tiny_config.data.seed == 3


def test_an_unknown_data_set_is_named(recipes):
  with pytest.raises(ConfigError, match=r"--dataset is 'digit', .*'digits'\?"):
    table.configs(recipes, "2", "digit", ["mlp"])
