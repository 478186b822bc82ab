"""A row's options are chosen on what is held out, and used from then on."""

import csv
import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from configs import digits_isats
from jaxkd import data, main, tune
from jaxkd.common.errors import ConfigError
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import experiment, rows
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import loop, sharding
from jaxkd.training.loop import NonFiniteError
from jaxkd.tuning import grid, tuned
from jaxkd.tuning.report import ACCURACY, write
from jaxkd.tuning.search import Point, best, search

GRID = {"ats.tau1": (2.0, 4.0), "ats.tau2": (1.0,)}
SEEDS = (0, 1)


class Search:
  """The command, run once: its config file, workdir and flags."""

  def __init__(self, folder):
    file = folder / "digits.py"
    shutil.copy(digits_isats.__file__, file)
    self.choices, self.workdir = folder / tuned.FILE, folder / "runs"
    self.flags = (
      f"--workdir={self.workdir}",
      f"--config={file}:teacher=mlp,student=mlp",
      "--config.rows=ats",
      "--config.seeds=0,1",
      "--config.teacher.epochs=1",
      "--config.student.epochs=0.5",
    )
    self.grid = tuple(
      f"--grid={option}={','.join(f'{value:g}' for value in values)}"
      for option, values in GRID.items()
    )

  def config(self, **ats):
    """The experiment of the flags, with other options of ats."""
    config = digits_isats.get_config("teacher=mlp,student=mlp")
    config.rows, config.seeds = ("ats",), SEEDS
    config.teacher.epochs, config.student.epochs = 1.0, 0.5
    config.ats.update(ats)
    return config

  def accuracies(self, **ats):
    """What the store has of the students with such options."""
    config = self.config(**ats)
    config.data.validation = 0.1
    return [
      PhaseFolder.of(self.workdir, phase).result()["test"]["accuracy"]
      for phase in rows.phases(config, "ats")
    ]

  def results(self):
    return {path: path.stat().st_mtime_ns for path in self.workdir.glob("*/result.*")}

  def chosen(self):
    (choice,) = json.loads(self.choices.read_text())
    return choice["options"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory, command):
  done = Search(tmp_path_factory.mktemp("tune"))
  command(tune.main, *done.flags, *done.grid)
  return done


def test_the_best_on_validation_is_chosen(searched):
  means = {
    (tau1, tau2): np.mean(searched.accuracies(tau1=tau1, tau2=tau2))
    for tau1 in GRID["ats.tau1"]
    for tau2 in GRID["ats.tau2"]
  }
  assert len(set(means.values())) > 1
  tau1, tau2 = max(means, key=means.get)
  assert searched.chosen() == {"ats.tau1": tau1, "ats.tau2": tau2}
  (folder,) = searched.workdir.glob("tune-digits_isats-*")
  with open(folder / "table.csv") as file:
    lines = list(csv.DictReader(file))
  assert [line["remark"] for line in lines].count("chosen") == 1
  for line in lines:
    point = float(line["ats.tau1"]), float(line["ats.tau2"])
    assert float(line[ACCURACY]) == pytest.approx(100 * means[point], abs=1e-3)
    assert (line["remark"] == "chosen") == (point == (tau1, tau2))
  assert (folder / "grid.png").read_bytes().startswith(b"\x89PNG")
  page = (folder / "report.html").read_text()
  assert page.count("<svg") == 1
  assert "mlp teaches mlp" in page


def test_the_choice_is_made_on_what_nobody_was_trained_on(searched):
  config = searched.config(tau1=2.0, tau2=1.0)
  config.data.validation = 0.1
  spec = data.SPECS["digits"]
  rest, held_out = data.holdout(data.load(spec)[0], 0.1)
  (phase, _) = rows.phases(config, "ats")
  for trained in phase.with_teachers():
    entry = PhaseFolder.of(searched.workdir, trained)
    steps = round(trained.optim["epochs"] * len(rest.labels) / 64)
    assert entry.result()["steps"] == steps
  model = rows.network(phase, spec)
  nnx.update(model, *loop.load_network(entry, spec, sharding.mesh())[1])
  logits = model(data.normalize(jnp.asarray(held_out.images), spec))
  correct = np.argmax(logits, axis=-1) == held_out.labels
  assert entry.result()["test"]["accuracy"] == pytest.approx(correct.mean())


def test_a_search_is_not_trained_again(searched, command):
  before, chosen = searched.results(), searched.chosen()
  command(tune.main, *searched.flags, *searched.grid)
  assert searched.results() == before
  assert searched.chosen() == chosen


@pytest.mark.parametrize(("flag", "own"), [("", {}), ("--config.ats.tau1=5", {"tau1": 5.0})])
def test_a_run_has_the_choice_unless_flags_say_otherwise(
  flag, own, searched, command, monkeypatch, capsys
):
  runs = []
  monkeypatch.setattr(experiment, "run", lambda config, workdir: runs.append(config))
  command(main.main, *searched.flags, *filter(None, [flag]))
  (config,) = runs
  tau1, tau2 = searched.chosen().values()
  wanted = searched.config(**{"tau1": tau1, "tau2": tau2, **own})
  assert rows.phases(config, "ats") == rows.phases(wanted, "ats")
  said = capsys.readouterr().err
  assert f"ats.tau2 = {tau2:g}, chosen in {searched.choices}" in said
  assert (f"ats.tau1 = {tau1:g}" in said) == (not own)


def test_a_report_says_what_was_tuned(searched):
  config = searched.config()
  config.data.validation = 0.1
  config = tuned.with_values(config, "ats", searched.chosen())
  folder = experiment.run(config, searched.workdir)
  tau1, tau2 = searched.chosen().values()
  said = f"ats has ats.tau1 = {tau1:g}, ats.tau2 = {tau2:g}."
  assert said in (folder / "report.md").read_text()


def test_a_teacher_that_may_know_the_answers_is_told_of(searched, tmp_path):
  config = searched.config()
  config.seeds = (0,)
  config.data.validation = 0.1
  teacher = PhaseFolder.of(searched.workdir, rows.teacher(config))
  config.teacher.checkpoint = str(teacher.path)
  # The teacher has seen a part of the second validation split.
  for share, known in ((0.1, False), (0.2, True)):
    config.data.validation = share
    found = [Point({"ats.tau1": 4.0}, rows.phases(config, "ats"), (0.5,))]
    folder = write(config, "ats", {"ats.tau1": (4.0,)}, found, tmp_path)
    report = (folder / "report.md").read_text()
    assert ("may have been trained on the examples that are evaluated" in report) == known


def test_a_point_that_is_not_finite_is_left_out(tiny_config, tmp_path, monkeypatch, capsys):
  tiny_config.data.validation = 0.1
  values = {"regt.beta": (5.0, 0.01)}

  def train(entries, *_):
    for entry in entries:
      if entry.phase.loss.get("beta") == 5.0:
        raise NonFiniteError("not finite", entry)
      entry.finish({"test": {"accuracy": 0.5}})

  monkeypatch.setattr(experiment, "train", train)
  found = search(tiny_config, "regt", values, tmp_path)
  # The first teacher could not be trained, so its student wasn't.
  assert [point.accuracies for point in found] == [None, (0.5,)]
  assert best(found).values == {"regt.beta": 0.01}
  assert "the other phases go on" in capsys.readouterr().err
  folder = write(tiny_config, "regt", values, found, tmp_path)
  with open(folder / "table.csv") as file:
    remarks = [line["remark"] for line in csv.DictReader(file)]
  assert remarks == ["not finite", "chosen"]
  assert (folder / "grid.png").exists()


def test_where_no_point_is_finite_nothing_is_chosen(tiny_config, tmp_path):
  tiny_config.data.validation = 0.1
  with pytest.raises(NonFiniteError, match="not finite at step"):
    search(tiny_config, "regt", {"regt.beta": (1e38,)}, tmp_path)


def test_every_point_is_checked_before_anything_is_trained(tiny_config, tmp_path):
  tiny_config.data.validation = 0.1
  with pytest.raises(ConfigError, match=r"config.fgcr.alpha is 2.0, must be in"):
    search(tiny_config, "fgcr", {"fgcr.alpha": (0.5, 2.0)}, tmp_path)
  tiny_config.data.validation = 0.0
  with pytest.raises(ConfigError, match=r"data.validation is 0"):
    search(tiny_config, "fgcr", {"fgcr.alpha": (0.5,)}, tmp_path)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  ("row", "texts", "message"),
  [
    ("ats", ["ats.tua1=1"], r"'ats.tua1=1': .*did you mean 'ats.tau1'\?"),
    ("ats", ["fgcr.alpha=1"], r"an option of row 'ats' must be one of ats.lam"),
    ("ats", ["ats.tau1=warm"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", ["ats.tau1"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", ["ats.tau1=1,"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", [""], r"--grid is '': .* must be one of"),
    ("ats", ["ats.tau1=1,1.0"], r"must be without repetitions"),
    ("ats", ["ats.tau1=1", "ats.tau1=2"], r"--grid has ats.tau1 twice"),
    ("fitnet", ["fitnet.stage=0.5"], r"must be fitnet.stage=NUMBER"),
    ("dkd", [], r"--grid is missing: .* its options are dkd.alpha, dkd.beta"),
    ("nokd", [], r"row 'nokd' has no options to tune"),
  ],
)
def test_a_wrong_grid_is_one_line(row, texts, message, tiny_config):
  with pytest.raises(ConfigError, match=message) as raised:
    grid.parse(texts, tiny_config, row)
  assert "\n" not in str(raised.value)


@pytest.mark.parametrize("row", grid.GRIDS)
def test_the_grid_of_a_row_is_of_its_options(row, tiny_config):
  found = grid.parse([], tiny_config, row)
  assert found.keys() <= grid.options(tiny_config, row).keys()
  tiny_config.rows = (row,)
  for values in grid.points(found):
    jaxkd_config.validate(tuned.with_values(tiny_config, row, values))


def test_one_row_is_tuned(command, capsys, tmp_path):
  with pytest.raises(SystemExit):
    command(tune.main, f"--config={digits_isats.__file__}")
  assert "must be one to tune" in capsys.readouterr().err


def test_the_file_keeps_a_choice_for_each_experiment(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  longer = tiny_config.copy_and_resolve_references()
  longer.student.epochs = 2.0
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0}, note="first")
  tuned.write(longer, path, "ats", {"ats.tau1": 6.0})
  tuned.write(tiny_config, path, "kd", {"kd.tau": 2.0})
  # In place of the first, whatever was in its grid.
  tuned.write(tiny_config, path, "ats", {"ats.lam": 0.9})
  kept = [(choice["row"], choice["options"]) for choice in json.loads(path.read_text())]
  assert kept == [("ats", {"ats.tau1": 6.0}), ("kd", {"kd.tau": 2.0}), ("ats", {"ats.lam": 0.9})]
  for config, values in ((tiny_config, {"ats.lam": 0.9}), (longer, {"ats.tau1": 6.0})):
    config.rows = ("ats+ens",)
    config.seeds = (3, 4)
    tuned.apply(config, path)
    assert tuned.of(config) == {"ats": values}


def test_a_choice_is_of_its_row_alone(tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "kd", {"kd.tau": 2.0})
  tiny_config.rows = ("takd", "kd")
  tuned.apply(tiny_config, path)
  (chain,) = rows.phases(tiny_config, "takd")
  (student,) = rows.phases(tiny_config, "kd")
  assert chain.loss["tau"] == 4.0
  assert student.loss["tau"] == 2.0


@pytest.mark.parametrize(
  ("option", "value"),
  [("student.epochs", 3.0), ("teacher.epochs", 3.0), ("data.batch_size", 128), ("ats.lam", 0.9)],
)
def test_another_experiment_does_not_have_the_choice(option, value, tiny_config, tmp_path, capsys):
  path = tmp_path / tuned.FILE
  tuned.write(tiny_config, path, "ats", {"ats.tau1": 2.0})
  tiny_config.rows = ("ats",)
  tiny_config.update_from_flattened_dict({option: value})
  tuned.apply(tiny_config, path)
  assert not tiny_config.tuned
  assert "is for other options" in capsys.readouterr().err


@pytest.mark.parametrize(
  "text",
  [
    "{",
    "{}1",
    '{"row": "ats"}',
    '[{"row": "ats", "options": {"ats.tau3": 1}, "trains": ""}]',
    '[{"row": "ats", "options": {"ats.tau1": "warm"}, "trains": ""}]',
    '[{"row": "ats", "options": 1, "trains": ""}]',
  ],
)
def test_a_file_of_something_else_is_named(text, tiny_config, tmp_path):
  path = tmp_path / tuned.FILE
  path.write_text(text)
  with pytest.raises(ConfigError, match=r"tuned.json is not a file of choices"):
    tuned.apply(tiny_config, path)
