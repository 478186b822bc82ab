"""A table of the paper or of the toolkits, with published accuracies beside ours in every cell."""

import csv
import itertools
import re
import shutil
import time
import types

import jax
import numpy as np
import pytest

from jaxkd import cli, table
from jaxkd.common import cluster
from jaxkd.common.errors import ConfigError
from jaxkd.reports import experiment as experiment_report
from jaxkd.reports import paper_table
from jaxkd.runs import paper, teachers, toolkit
from jaxkd.runs.experiment import Experiment, run
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import progress, sharding


@pytest.fixture
def digits(tiny_config, monkeypatch):
  """Makes the recipe of digits a tiny one, and gives the paper figures for it."""

  def recipe(dataset, arg, *, title, rows):
    config = tiny_config.copy_and_resolve_references()
    config.title, config.rows = title, rows
    student, *rest = arg.split(",")
    assert (dataset, rest) == ("digits", ["runlocal"])
    config.student.options = {"width": int(student.removeprefix("student=mlp"))}
    return config

  monkeypatch.setattr(table, "recipe", recipe)
  monkeypatch.setattr(paper, "accuracies", lambda *_: {"kd": 70.0, "kd+ens": 75.0})
  monkeypatch.setattr(paper, "differences", lambda _: [])


def columns_of(name, students, rows, seeds):
  columns = table.configs(name, "digits", students, "runlocal")
  for config in columns.values():
    assert config.rows == paper.TABLES[name]
    config.rows, config.seeds = rows, seeds
  return columns


def train(columns, workdir):
  """Trains the columns as one queue; returns their reports and the failed phases."""
  experiments = [Experiment.of(config, workdir) for config in columns.values()]
  failed = run(experiments)
  reports = map(experiment_report.write, experiments)
  return dict(zip(columns, reports, strict=True)), failed


def read(path):
  with open(path, newline="") as file:
    return {line["row"]: line for line in csv.DictReader(file)}


def test_columns_join_into_one_table(digits, tmp_path):
  columns = columns_of("3", ["mlp16", "mlp8"], ("kd", "kd+ens"), (0, 1))
  reports, failed = train(columns, tmp_path)
  assert not failed
  # The teacher, which both columns share, and two students of each column.
  assert len(list(tmp_path.glob("*/result.json"))) == 1 + 2 * 2
  path = paper_table.write("table3-digits", "How.", reports, tmp_path)
  lines = read(path.with_suffix(".csv"))
  assert list(lines) == ["teacher", "kd", "kd+ens"]
  for student, folder in reports.items():
    cells = read(folder / "table.csv")
    for row, figure in (("kd", "70.00"), ("kd+ens", "75.00")):
      assert lines[row][student] == cells[row]["accuracy (%)"]
      assert lines[row][f"{student}: seeds"] == cells[row]["seeds"]
      assert lines[row][f"{student}: paper"] == figure
      difference = float(lines[row][f"{student}: ours - paper"])
      ours = float(lines[row][student].split(" ")[0])
      assert difference == pytest.approx(ours - float(figure), abs=0.011)
    alone = lines["kd+ens"][f"{student}: each alone (%)"]
    assert alone == cells["kd"]["accuracy (%)"]
  assert "mlp8: paper" in path.read_text()
  text = path.read_text()
  assert "\nHow.\n" in text
  for student, folder in reports.items():
    assert f"Report of {student}: {folder.name}" in text.replace("\\", "")
  assert "\nCommand: " in text
  assert "mlp8: paper" in path.with_suffix(".html").read_text()


def test_a_diverging_cell_does_not_stop_the_others(digits, tmp_path):
  columns = columns_of("2", ["mlp8", "mlp16"], ("nokd", "dkd"), (0,))
  columns["mlp8"].dkd.beta = 1e38
  columns["mlp8"].student.learning_rate = 10.0
  reports, failed = train(columns, tmp_path)
  assert [phase.objective["name"] for phase in failed] == ["dkd"]
  lines = {line["row"]: line for line in paper_table.join(reports)}
  assert lines["dkd"]["mlp8"] == "not finite"
  for row, student in (("nokd", "mlp8"), ("nokd", "mlp16"), ("dkd", "mlp16")):
    assert float(lines[row][student]) > 0


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("kd.tua=2", "an option of the config; did you mean 'kd.tau'"),
    ("kd.tau", "must be OPTION=VALUE"),
    ("kd.tau=warm", "'kd.tau=warm': "),
    ("data.seed=abc", "'data.seed=abc': "),
  ],
)
def test_a_wrong_option_for_all_columns_is_refused_in_one_line(tiny_config, text, message):
  with pytest.raises(ConfigError, match=message) as caught:
    cli.override(tiny_config, [text])
  assert "\n" not in str(caught.value)


def test_options_for_all_columns_are_read_like_flags(tiny_config):
  cli.override(tiny_config, ["kd.standardize=true", "takd.assistants=mlp,vgg8", "data.seed=3"])
  assert tiny_config.kd.standardize is True
  assert tiny_config.takd.assistants == ("mlp", "vgg8")
  assert tiny_config.data.seed == 3


def test_an_unknown_data_set_is_named():
  with pytest.raises(ConfigError, match=r"the data set is 'digit', .*'digits'\?"):
    table.configs("2", "digit", ["mlp"])


TINY = (
  *(
    "--set=data.name=digits",
    "--set=run.eval_every_epochs=1",
    "--set=run.checkpoint_every_steps=99",
  ),
  *(f"--set={role}.name=mlp" for role in ("teacher", "student")),
  *(f"--set={role}.epochs=0.5" for role in ("teacher", "student")),
)


def test_the_toolkits_table_has_a_column_for_each_pair(command, tmp_path, capsys, monkeypatch):
  pairs = ["vgg13/vgg8", "resnet56/resnet20"]
  # The networks are tiny: figures stand beside ours as if they were the pair's.
  monkeypatch.setattr(toolkit, "pair_of", lambda config: pairs["resnet56" in config.title])
  monkeypatch.setattr(toolkit, "differences", lambda *_: [])
  flags = ["--table=toolkit", "--dataset=cifar100", f"--pairs={','.join(pairs)}", "--arg=runlocal"]
  command(table.main, *flags, *TINY, "--rows=nokd,kd,isats", "--seeds=1", f"--workdir={tmp_path}")
  text = capsys.readouterr().out
  (path,) = tmp_path.glob("tabletoolkit-cifar100-*.csv")
  lines = read(path)
  assert list(lines) == ["teacher", "nokd", "kd", "isats"]
  figures = {"teacher": (74.64, 72.34), "nokd": (70.36, 69.06), "kd": (72.98, 70.66)}
  for row, line in lines.items():
    shown = next(line for line in text.splitlines() if line.startswith(f"| {row} "))
    for pair, figure in zip(pairs, figures.get(row, ("", "")), strict=True):
      ours = line[pair]
      assert line[f"{pair}: published"] == (figure and f"{figure:.2f}")
      difference = line[f"{pair}: ours - published"]
      if figure:
        assert float(difference) == pytest.approx(float(ours) - figure, abs=0.011)
        assert f"| {ours} ({figure:.2f}) " in shown
      else:
        assert difference == ""
        assert f"| {ours} " in shown
  assert "Published accuracies: RepDistiller's README (teacher, nokd, kd)." in text


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["--pairs=vgg13/vgg9"], "the pair is 'vgg13/vgg9', must be one of .*mean 'vgg13/vgg8'?"),
    (["--pairs=vgg8"], "the pair is 'vgg8', must be one of "),
    (["--rows=kdd"], "config.rows is 'kdd', must be one of .*; did you mean 'kd'?"),
    (["--students=vgg8"], "--students is vgg8, must be left out of table toolkit: see --pairs"),
    (["--dataset=cifar10"], "--dataset is cifar10, must be cifar100 for table toolkit"),
    (["--table=2", "--pairs=vgg13/vgg8"], "--pairs is vgg13/vgg8, must be left out of table 2"),
    (["--table=toolkits"], "flag --table=toolkits: value should be one of "),
  ],
)
def test_a_wrong_choice_of_the_toolkits_table_ends_with_one_line(
  command, tmp_path, capsys, argv, message
):
  flags = ["--table=toolkit", "--dataset=cifar100", f"--workdir={tmp_path}"]
  with pytest.raises(SystemExit) as error:
    command(table.main, *flags, *argv)
  assert error.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert re.fullmatch(f"jaxkd: {message.rstrip('?')}.*", line)


def test_a_config_file_is_refused(command, capsys, tmp_path):
  argv = ["--config=configs/digits_isats.py", "--dataset=digits", f"--workdir={tmp_path}"]
  with pytest.raises(SystemExit) as ended:
    command(table.main, *argv)
  assert ended.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith("jaxkd: --config is given, but a table has its own configs")


SIX_STEPS = (
  *("--dataset=digits", "--students=mlp8", "--arg=runlocal", "--rows=isats,kd", "--seeds=1"),
  *("--set=data.seed=0", "--set=run.cohort=2", "--set=run.eval_every_epochs=0.1"),
  *("--set=teacher.epochs=0.25", "--set=student.epochs=0.25", "--set=run.steps_per_dispatch=1"),
)


@pytest.fixture
def steps_of_a_second(monkeypatch):
  """Makes a look at the time, which follows each step, and a step take a second each."""
  now = itertools.count()
  frozen = types.SimpleNamespace(monotonic=lambda: next(now), sleep=time.sleep)
  monkeypatch.setattr(cluster, "time", frozen)
  monkeypatch.setattr(progress.Progress, "_images_per_second", lambda self, *_: self._images)


def params(folder):
  opened = PhaseFolder.open(folder)
  _, variables = teachers.load_network(opened, sharding.mesh())
  return variables.params


def test_a_table_with_a_time_limit_ends_in_the_bits_of_one_in_one_go(
  digits, command, tmp_path, capsys, steps_of_a_second
):
  whole, limited = tmp_path / "whole", tmp_path / "limited"
  command(table.main, *SIX_STEPS, f"--workdir={whole}")
  assert "Phases: 3, all finished." in capsys.readouterr().out
  shown, statuses = [], []
  unneeded = shutil.ignore_patterns("lock", "parameters.txt", "tensorboard", "report-*", "*.md")
  for number in range(5):
    try:
      command(table.main, *SIX_STEPS, f"--workdir={limited}", "--minutes=0.05")
      statuses.append(0)
    except SystemExit as ended:
      statuses.append(ended.code)
    shown.append(capsys.readouterr())
    if statuses[-1]:
      # The next call is on another machine.
      limited = shutil.copytree(limited, tmp_path / f"carried-{number}", ignore=unneeded)
  assert statuses == [75, 75, 75, 75, 0]
  # Three steps of the teacher; the other three; both students, first three steps, then three more.
  ends = [each.err.splitlines()[-1] for each in shown[:4]]
  assert "stopped at step 3 of 6 of " in ends[0]
  assert "stopped after " in ends[1]
  assert "stopped at step 3 of 6 of " in ends[2]
  cells = [re.findall(r"^\| (digits\S+) +\| (.+?) +\| (.*?) +\|$", s.out, re.M) for s in shown]
  states = [[f"{state}, {left}" for _, state, left in each] for each in cells]
  new, half = "not begun, not known", "50 %: epoch 0.134 of 0.25, 0:00:0"
  assert states == [
    [f"{half}3", new, new],
    ["finished, ", new, new],
    # Together the students need three seconds.
    ["finished, ", f"{half}2", f"{half}2"],
    [],
    [],
  ]
  assert [name.split("-")[2] for name, *_ in cells[0]] == ["cross_entropy", "isats", "kd"]
  sums = [re.search("^Phases: .*", each.out, re.M)[0] for each in shown]
  assert sums == [
    "Phases: 3, finished 0, begun 1, not begun 2. Training left: 0:00:03; of unknown speed: 2.",
    "Phases: 3, finished 1, begun 0, not begun 2. Training left: not known.",
    "Phases: 3, finished 1, begun 2, not begun 0. Training left: 0:00:03.",
    "Phases: 3, all finished.",
    "Phases: 3, all finished.",
  ]
  for result in whole.glob("*/result.json"):
    other = limited / result.parent.name
    assert (other / "result.json").read_bytes() == result.read_bytes()
    jax.tree.map(np.testing.assert_array_equal, params(other), params(result.parent))
  tables = [list(folder.glob("table2-*.csv")) for folder in (whole, limited)]
  ((one,), (other,)) = tables
  assert other.read_bytes() == one.read_bytes()


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "ten"])
def test_a_wrong_time_limit_ends_with_one_line(command, capsys, tmp_path, value):
  with pytest.raises(SystemExit) as ended:
    command(table.main, "--dataset=digits", f"--minutes={value}", f"--workdir={tmp_path}")
  assert ended.value.code == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert re.fullmatch(r"jaxkd: flag --minutes=\S+: .*", line)


def test_the_status_of_a_table_is_told_without_training(digits, command, capsys, tmp_path):
  command(table.main, *SIX_STEPS, "--status", f"--workdir={tmp_path / 'absent'}")
  said = capsys.readouterr()
  assert f"there is no store {tmp_path / 'absent'} yet" in said.err
  assert "Phases: 3, finished 0, begun 0, not begun 3. Training left: not known." in said.out
  assert list(tmp_path.glob("*/")) == []
