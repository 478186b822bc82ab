"""Students that train together end as if trained alone."""

import shutil

import jax
import numpy as np
import pytest

from jaxkd.runs import planning, teachers
from jaxkd.runs.cohorts import cohorts
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.experiment import run as train
from jaxkd.runs.queue import Queue
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import validate
from jaxkd.training import sharding

# A method without an adapter, one with an adapter, and one with constants of the teacher.
TAUGHT = ("kd", "crd", "fgcr")
ROWS = (*TAUGHT, "nokd")


@pytest.fixture
def config(tiny_config):
  return config_of_taught_rows(tiny_config)


def config_of_taught_rows(config):
  config.rows, config.seeds = ROWS, (0, 1)
  config.data.seed = 0
  config.crd.negatives = 128
  return config


def folders_of(workdir, config):
  return {
    (row, seed): PhaseFolder.of(workdir, phase)
    for row in config.rows
    for seed, phase in zip(config.seeds, planning.phases(config, row), strict=True)
  }


def run(config, workdir, cohort):
  config.run.cohort = cohort
  validate(config)
  assert not train([Experiment.of(config, workdir)])
  return folders_of(workdir, config)


@pytest.fixture(scope="module")
def both(make_tiny_config, tmp_path_factory):
  """The students' folders, trained alone and together."""
  config = config_of_taught_rows(make_tiny_config())
  return run(config, tmp_path_factory.mktemp("alone"), 1), run(
    config, tmp_path_factory.mktemp("together"), 4
  )


def params(folder):
  _, variables = teachers.load_network(folder, sharding.mesh())
  return variables.params


def compare(actual, expected, check):
  jax.tree.map(check, params(actual), params(expected))


def assert_close(actual, expected, rtol=1e-4):
  compare(
    actual, expected, lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10)
  )


def test_students_of_a_cohort_end_as_if_trained_alone(both):
  for key, alone in both[0].items():
    together = both[1][key]
    assert_close(together, alone)
    ours, theirs = together.logged(), alone.logged()
    assert len(ours) == len(theirs) == 2
    for a, b in zip(ours, theirs, strict=True):
      assert a.keys() == b.keys()
      for line in (a, b):
        line.pop("images_per_second", None)
      assert a == pytest.approx(b, rel=1e-3, abs=1e-5)


def test_students_of_different_rows_and_seeds_differ(both):
  weights = {key: np.asarray(jax.tree.leaves(params(folder))[0]) for key, folder in both[1].items()}
  keys = list(weights)
  for index, key in enumerate(keys):
    for other in keys[:index]:
      assert not np.array_equal(weights[key], weights[other])


def test_a_cohort_resumes_if_killed_while_it_saves_its_checkpoints(config, both, tmp_path, capsys):
  whole = both[1]["kd", 0].path.parent
  workdir = tmp_path / "runs"
  shutil.copytree(whole, workdir)
  killed = folders_of(workdir, config)
  behind = killed["crd", 1]
  newest = max(behind.steps)
  assert len(behind.steps) == 3
  shutil.rmtree(behind.checkpoints / str(newest))
  for key in (("kd", 0), ("kd", 1), ("crd", 0), ("crd", 1)):
    (killed[key].path / "result.json").unlink()
  run(config, workdir, 4)
  assert "kd, seed 0, and 3 more] resumes at step" in capsys.readouterr().err
  for key, folder in killed.items():
    compare(folder, both[1][key], np.testing.assert_array_equal)
    assert [line["step"] for line in folder.logged()] == [6, 11]
    assert folder.result() == both[1][key].result()


def test_a_student_that_another_run_trained_further_meanwhile_leaves_the_cohort(
  config, both, tmp_path, capsys, monkeypatch
):
  config.rows, config.seeds = ("kd", "crd"), (0,)
  claim = Queue._claim

  def claim_late(self, phase, stack):
    # Another run has trained this student and stopped, since the cohort was formed.
    if phase.objective["name"] == "crd" and not (tmp_path / phase.folder).exists():
      shutil.copytree(both[1]["crd", 0].path, tmp_path / phase.folder)
      (tmp_path / phase.folder / "result.json").unlink()
    return claim(self, phase, stack)

  monkeypatch.setattr(Queue, "_claim", claim_late)
  folders = run(config, tmp_path, 2)
  told = capsys.readouterr().err
  assert "and 1 more" not in told
  assert "crd] resumes at step 11" in told
  compare(folders["crd", 0], both[1]["crd", 0], np.testing.assert_array_equal)
  assert folders["kd", 0].finished


def test_a_student_that_is_not_finite_does_not_stop_the_others(config, tmp_path):
  config.rows, config.seeds = ("dkd", "kd"), (0,)
  config.dkd.beta = 1e38
  config.run.cohort = 2
  failed = train([Experiment.of(config, tmp_path)])
  folders = folders_of(tmp_path, config)
  ((phase, error),) = failed.items()
  assert phase == folders["dkd", 0].phase
  assert "mlp-dkd" in str(error)
  assert folders["kd", 0].finished
  assert not folders["dkd", 0].finished


def test_students_that_share_teachers_and_an_order_form_a_cohort(config, tmp_path):
  config.rows = ("nokd", *TAUGHT, "reskd")

  def groups(size=9, interval=4):
    folders = folders_of(tmp_path, config)
    names = {folder.phase: name for name, folder in folders.items()}
    steps = {folder.phase: folder.steps for folder in folders.values()}
    return [{names[phase] for phase in group} for group in cohorts(steps, size, interval)]

  taught = {(row, seed) for row in TAUGHT for seed in (0, 1)}
  # Each residual student has another base.
  apart = [{("reskd", seed)} for seed in (0, 1)]
  assert groups() == [{("nokd", 0), ("nokd", 1)}, taught, *apart]
  assert {len(group) for group in groups(size=4)} == {1, 2, 4}
  assert all(len(group) == 1 for group in groups(size=1))

  # Each seed has its own order, so only the rows of one seed form a cohort.
  config.data.seed = None
  rows = [{("nokd", 0)}, {("nokd", 1)}, *({(row, seed) for row in TAUGHT} for seed in (0, 1))]
  assert groups()[:4] == rows
  config.data.seed = 0

  # A student that is far ahead trains alone, so that it loses no steps.
  ahead = folders_of(tmp_path, config)["crd", 0]
  (ahead.checkpoints / "8").mkdir(parents=True)
  assert groups()[1:3] == [taught - {("crd", 0)}, {("crd", 0)}]
  # Nor does it start over with those that have not begun.
  assert groups(interval=8)[1:3] == [taught - {("crd", 0)}, {("crd", 0)}]
  for row, seed in taught:
    (folders_of(tmp_path, config)[row, seed].checkpoints / "4").mkdir(parents=True)
  assert groups()[1] == taught
  assert groups(interval=3)[1:3] == [taught - {("crd", 0)}, {("crd", 0)}]


def test_teachers_and_other_networks_train_one_after_the_other(config):
  config.teacher.epochs = config.student.epochs
  rows = [planning.student(config, row, 0) for row in ("kd", "regt")]
  alone = planning.phases(config, "nokd")
  phases = [*planning.with_teachers(rows), *alone]
  groups = cohorts({phase: {0} for phase in phases}, 9, 4)
  assert groups == [[rows[0].teachers[0]], [rows[0]], [rows[1].teachers[0]], [rows[1]], [*alone]]
