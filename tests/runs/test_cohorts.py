"""Students that train together end as they would have alone."""

import json
import shutil

import jax
import numpy as np
import pytest

from jaxkd import data
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import experiment, rows
from jaxkd.runs.cohorts import cohorts
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import loop, sharding
from jaxkd.training.loop import NonFiniteError

SPEC = data.SPECS["digits"]
TAUGHT = ("kd", "ats", "fgcr")


@pytest.fixture
def config(tiny_config):
  tiny_config.rows, tiny_config.seeds = TAUGHT, (0, 1)
  tiny_config.data.seed = 0
  return tiny_config


def entries_of(workdir, config):
  return {
    (row, seed): PhaseFolder.of(workdir, phase)
    for row in config.rows
    for seed, phase in zip(config.seeds, rows.phases(config, row), strict=True)
  }


def run(config, workdir, cohort):
  config.run.cohort = cohort
  jaxkd_config.validate(config)
  experiment.run(config, workdir)
  return entries_of(workdir, config)


@pytest.fixture(scope="module")
def workdirs(tmp_path_factory):
  return [tmp_path_factory.mktemp(name) for name in ("alone", "together")]


@pytest.fixture
def both(config, workdirs):
  alone, together = workdirs
  return run(config, alone, 1), run(config, together, 4)


def lines(entry):
  return [json.loads(line) for line in entry.metrics.read_text().splitlines()]


def params(entry):
  _, variables = loop.load_network(entry, SPEC, sharding.mesh())
  return variables.params


def compare(actual, expected, check):
  jax.tree.map(check, params(actual), params(expected))


def assert_close(actual, expected, rtol=1e-4):
  compare(
    actual,
    expected,
    lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10),
  )


def test_together_is_as_alone(both):
  for key, alone in both[0].items():
    together = both[1][key]
    assert_close(together, alone)
    ours, theirs = lines(together), lines(alone)
    assert len(ours) == len(theirs) == 2
    for a, b in zip(ours, theirs, strict=True):
      assert a.keys() == b.keys()
      del a["images_per_second"], b["images_per_second"]
      assert a == pytest.approx(b, rel=1e-3, abs=1e-5)


def test_students_differ_in_what_is_their_own(both):
  weights = {key: np.asarray(jax.tree.leaves(params(entry))[0]) for key, entry in both[1].items()}
  keys = list(weights)
  for index, key in enumerate(keys):
    for other in keys[:index]:
      assert not np.array_equal(weights[key], weights[other])


def test_an_adapter_and_its_memory_are_ones_own(config, both, tmp_path):
  config.rows, config.seeds = ("kd", "crd"), (0,)
  config.crd.negatives = 128
  together = run(config, tmp_path, 2)
  assert_close(together["kd", 0], both[0]["kd", 0])
  config.rows = ("crd",)
  alone = run(config, both[0]["kd", 0].path.parent, 1)
  assert_close(together["crd", 0], alone["crd", 0])


def test_killed_between_two_checkpoints_of_a_step(config, both, tmp_path, capsys):
  whole = both[1]["kd", 0].path.parent
  workdir = tmp_path / "runs"
  shutil.copytree(whole, workdir)
  killed = entries_of(workdir, config)
  behind = killed["ats", 1]
  newest = max(behind.steps)
  assert len(behind.steps) == 3
  shutil.rmtree(behind.checkpoints / str(newest))
  for key in (("kd", 0), ("kd", 1), ("ats", 0), ("ats", 1)):
    (killed[key].path / "result.json").unlink()
  run(config, workdir, 4)
  assert "kd and 3 more] goes on from step" in capsys.readouterr().err
  for key, entry in killed.items():
    compare(entry, both[1][key], np.testing.assert_array_equal)
    assert [line["step"] for line in lines(entry)] == [6, 11]
    assert entry.result() == both[1][key].result()


def test_one_that_is_not_finite_does_not_stop_the_others(config, tmp_path):
  config.rows, config.seeds = ("dkd", "kd"), (0,)
  config.dkd.beta = 1e38
  with pytest.raises(NonFiniteError, match="mlp-dkd") as caught:
    run(config, tmp_path, 2)
  entries = entries_of(tmp_path, config)
  assert caught.value.entry.phase == entries["dkd", 0].phase
  assert entries["kd", 0].finished
  assert not entries["dkd", 0].finished


def test_what_is_put_together(config, tmp_path):
  config.rows = ("nokd", *TAUGHT, "reskd")

  def groups(size=9, interval=4):
    entries = list(entries_of(tmp_path, config).items())
    names = {entry: name for name, entry in entries}
    steps = {entry: entry.steps for _, entry in entries}
    return [{names[entry] for entry in group} for group in cohorts(steps, size, interval)]

  taught = {(row, seed) for row in TAUGHT for seed in (0, 1)}
  # The residual students have another base each.
  apart = [{(row, seed)} for row in ("nokd", "reskd") for seed in (0, 1)]
  assert groups() == [*apart[:2], taught, *apart[2:]]
  assert {len(group) for group in groups(size=4)} == {1, 2, 4}
  assert all(len(group) == 1 for group in groups(size=1))

  # Each network its own order: only the rows of a seed are together.
  config.data.seed = None
  assert groups()[2:4] == [{(row, seed) for row in TAUGHT} for seed in (0, 1)]
  config.data.seed = 0

  # One that is far ahead would lose what it has.
  ahead = entries_of(tmp_path, config)["ats", 0]
  (ahead.checkpoints / "8").mkdir(parents=True)
  assert groups()[2:4] == [taught - {("ats", 0)}, {("ats", 0)}]
  assert groups(interval=8)[2] == taught
