"""`jaxkd.tune` chooses a row's options on held-out examples; later runs use the choice."""

import csv
import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from configs import digits_isats
from jaxkd import data, main, tune
from jaxkd.reports import guidance
from jaxkd.runs import inventory, planning, row_options, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import sharding
from jaxkd.tuning import tuned
from jaxkd.tuning.report import VALIDATION_ACCURACY, write
from jaxkd.tuning.search import Point

GRID = {"ats.tau1": (2.0, 4.0), "ats.tau2": (1.0,)}
SEEDS = (0, 1)


class Search:
  """The command, run once: its workdir and flags."""

  def __init__(self, workdir):
    self.choices, self.workdir = workdir / tuned.FILE, workdir
    self.flags = (
      f"--workdir={self.workdir}",
      f"--config={digits_isats.__file__}:teacher=mlp,student=mlp",
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
    """Returns the accuracies of the students with these options of ats, from the store."""
    config = self.config(**ats)
    config.data.validation = 0.1
    return [
      PhaseFolder.of(self.workdir, phase).result()["validation"]["accuracy"]
      for phase in planning.phases(config, "ats")
    ]

  def misguided(self, tau1, tau2):
    """Returns the mean share of labels that favour a wrong class, as the students logged it."""
    config = self.config(tau1=tau1, tau2=tau2)
    config.data.validation = 0.1
    folders = [PhaseFolder.of(self.workdir, phase) for phase in planning.phases(config, "ats")]
    return np.mean([folder.logged()[-1]["train_misguided"] for folder in folders])

  def results(self):
    return {path: path.stat().st_mtime_ns for path in self.workdir.glob("*/result.*")}

  def chosen(self):
    (choice,) = json.loads(self.choices.read_text())["choices"]
    return choice["options"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory, command):
  done = Search(tmp_path_factory.mktemp("tune"))
  command(tune.main, *done.flags, *done.grid)
  return done


def test_the_point_with_the_best_validation_accuracy_is_chosen(searched):
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
    assert float(line[VALIDATION_ACCURACY]) == pytest.approx(100 * means[point], abs=1e-3)
    assert (line["remark"] == "chosen") == (point == (tau1, tau2))
    assert float(line[guidance.MISGUIDED]) == pytest.approx(searched.misguided(*point))
  assert (folder / "grid.png").read_bytes().startswith(b"\x89PNG")
  page = (folder / "report.html").read_text()
  assert page.count("<svg") == 1
  assert "mlp teaches mlp" in page
  # The report names the phases of all points, which so are not taken for unused.
  assert inventory.entries(searched.workdir)
  assert not inventory.unused(searched.workdir, days=0)


def test_no_network_is_trained_on_the_validation_split(searched):
  config = searched.config(tau1=2.0, tau2=1.0)
  config.data.validation = 0.1
  spec = data.SPECS["digits"]
  rest, held_out = data.holdout(data.load(spec)[0], 0.1)
  (phase, _) = planning.phases(config, "ats")
  for trained in phase.with_teachers():
    folder = PhaseFolder.of(searched.workdir, trained)
    steps = round(trained.schedule["epochs"] * len(rest.labels) / 64)
    assert folder.result()["steps"] == steps
  model = planning.network(phase)
  nnx.update(model, *teachers.load_network(folder, sharding.mesh())[1])
  logits = model(data.normalize(jnp.asarray(held_out.images), spec))
  correct = np.argmax(logits, axis=-1) == held_out.labels
  assert folder.result()["validation"]["accuracy"] == pytest.approx(correct.mean())


def test_a_finished_search_trains_nothing(searched, command):
  before, chosen = searched.results(), searched.chosen()
  command(tune.main, *searched.flags, *searched.grid)
  assert searched.results() == before
  assert searched.chosen() == chosen


@pytest.mark.parametrize(("flag", "own"), [("", {}), ("--config.ats.tau1=5", {"tau1": 5.0})])
def test_a_run_uses_the_choice_unless_flags_say_otherwise(
  flag, own, searched, command, monkeypatch, capsys
):
  runs = []
  monkeypatch.setattr(main.timed, "train", lambda experiments: runs.extend(experiments) or {})
  command(main.main, *searched.flags, *filter(None, [flag]))
  (one,) = runs
  tau1, tau2 = searched.chosen().values()
  wanted = searched.config(**{"tau1": tau1, "tau2": tau2, **own})
  assert one.rows["ats"] == planning.phases(wanted, "ats")
  said = capsys.readouterr().err
  assert f"ats.tau2 = {tau2:g}, chosen in {searched.choices}" in said
  assert (f"ats.tau1 = {tau1:g}" in said) == (not own)


def test_a_report_states_the_tuned_options(searched, run_experiment):
  config = searched.config()
  config.data.validation = 0.1
  config = row_options.with_values(config, "ats", searched.chosen())
  folder = run_experiment(config, searched.workdir)
  tau1, tau2 = searched.chosen().values()
  said = f"ats has ats.tau1 = {tau1:g}, ats.tau2 = {tau2:g}."
  assert said in (folder / "report.md").read_text()


def test_a_teacher_that_may_have_seen_the_validation_split_is_reported(searched, tmp_path):
  config = searched.config()
  config.seeds = (0,)
  config.data.validation = 0.1
  teacher = PhaseFolder.of(searched.workdir, planning.teacher(config))
  config.teacher.checkpoint = str(teacher.path)
  # The teacher has seen a part of the second validation split.
  for share, known in ((0.1, False), (0.2, True)):
    config.data.validation = share
    found = [Point({"ats.tau1": 4.0}, planning.phases(config, "ats"), (0.5,))]
    folder = write(config, "ats", {"ats.tau1": (4.0,)}, found, tmp_path)
    report = (folder / "report.md").read_text()
    assert ("may have been trained on the examples that are evaluated" in report) == known


def test_a_config_of_several_rows_is_refused(command, capsys, tmp_path):
  with pytest.raises(SystemExit):
    command(tune.main, f"--config={digits_isats.__file__}")
  assert "must be one to tune" in capsys.readouterr().err
