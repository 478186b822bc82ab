"""The benchmark command measures the package's own step, and refuses what it can't measure."""

import dataclasses
import json
import re

import jax
import numpy as np
import pytest

from jaxkd import benchmark
from jaxkd.benchmarks import column, growth, losses, programs, steps, topology
from jaxkd.benchmarks.case import Case
from jaxkd.benchmarks.workload import Workload
from jaxkd.common.backend import backend, traced_for
from jaxkd.training import sharding

MLP = Workload((("mlp", "mlp"),), batch_sizes=(8,), repeats=1, pytorch=())


@pytest.fixture
def run(command, tmp_path):
  def run(*argv):
    command(benchmark.main, *argv, f"--workdir={tmp_path}", words=True)
    return next(tmp_path.glob("benchmark-*"))

  return run


def test_a_report_has_times_hardware_and_command(run, capsys):
  argv = ("step", "--networks=mlp:mlp", "--batch=8", "--repeats=1", "--pytorch=")
  folder = run(*argv)
  found = json.loads((folder / "benchmark.json").read_text())
  [line] = found["parts"]["step"]
  assert line["pair"] == "mlp to mlp"
  assert line["step (ms)"] > 0
  assert line["networks (ms)"] > 0
  assert {"command", "hardware", "versions", "date"} <= set(found)
  assert "A training step" in capsys.readouterr().out
  assert (folder / "step.csv").read_text().startswith("pair,dtype,batch,step (ms),± step (ms)")


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["stpe"], "the part is 'stpe', must be .*step"),
    (["--networks=:mlp"], "--networks has ''"),
    (["--networks=mlp:vgg88"], "--networks has 'vgg88', must be .*vgg8"),
    (["--dtypes=float16"], "--dtypes has 'float16', must be float32 or bfloat16"),
    (["--batch=0"], "--batch has '0'"),
    (["--images=mnist"], "--images is 'mnist', must be .*"),
    (["--batch=999999999999"], "--batch has '999999999999', must be .* to 65,536"),
    (["--networks="], "--networks is empty"),
    (["step", "--topology=h100"], "only the part compile takes it"),
    (["--pytorch=jit"], "--pytorch has 'jit'"),
    (["compile"], "--topology is missing"),
    (["step", "compile", "--topology=h100"], "compile must be the only part"),
    (["--batch=8", "--batch_norm_groups=3"], "--batch_norm_groups is 3, must be a divisor of 8"),
    (["--config=configs/digits_isats.py"], "--config is given"),
  ],
)
def test_a_mistake_is_refused(run, argv, message, capsys):
  with pytest.raises(SystemExit):
    run(*argv)
  [line] = capsys.readouterr().err.splitlines()
  assert re.search(message, line)


def test_the_step_that_is_timed_trains():
  mesh = sharding.mesh()
  case = Case("mlp", "mlp", batch_size=8)
  program = programs.lower(case, mesh, sharding.replicate(mesh))
  compiled = program.lowered.compile()
  before = jax.device_get(program.arguments[0][0].variables.params)
  states, *rest = program.arguments
  # The rate of the first step is 0.
  for _ in range(2):
    states, _ = compiled(states, *rest, np.int32(1))
  after = jax.device_get(states[0].variables.params)
  assert int(states[0].step) == 2
  assert all((a != b).any() for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))


def test_a_step_from_predictions_needs_no_teacher_and_a_lone_network_has_neither():
  pair, alone = steps.step(dataclasses.replace(MLP, pairs=(("mlp", "mlp"), (None, "mlp"))))
  assert min(pair["from predictions (ms)"], pair["labels alone (ms)"]) > 0
  assert (alone["pair"], alone["step (ms)"] > 0) == ("mlp", True)
  assert not {"from predictions (ms)", "labels alone (ms)"} & set(alone)


def test_a_cohort_has_the_speed_up_of_its_students(monkeypatch):
  monkeypatch.setattr(steps, "COHORTS", (1, 2))
  one, two = steps.cohort(MLP)
  assert (one["students"], two["students"]) == (1, 2)
  assert two["speed-up"] == pytest.approx(2 * one["step (ms)"] / two["step (ms)"])


def test_losses_state_their_memory(monkeypatch):
  monkeypatch.setattr(losses, "CLASSES", (10,))
  lines = {line["loss"]: line for line in losses.loss(MLP)}
  assert lines["isats"]["temporary memory (MB)"] > 0
  assert lines["kd"]["microseconds"] > 0


@pytest.mark.parametrize(
  ("times", "sentence"),
  [
    ([5.0, 5.2, 4.9, 5.1], "does not depend on classes: 5.05 ms, within 3%"),
    ([7.0, 11.0, 19.0, 35.0], "grows like a straight line: 3 ms + 2 ms x classes, within 0%"),
    ([7.2, 10.8, 19.5, 34.0], "grows like a straight line: 3"),
    ([1.0, 4.0, 16.0, 64.0], "is not a straight line: it differs by up to "),
    # As few kernels as possible, until a larger array takes other ones.
    ([5.0, 5.0, 5.0, 20.0], "is not a straight line: it differs by up to "),
    ([35.0, 19.0, 11.0, 7.0], "is not a straight line: it differs by up to "),
  ],
)
def test_a_sentence_says_how_times_grow(times, sentence):
  assert f"The time of the step {sentence}" in growth.described(
    "step", "classes", [2, 4, 8, 16], times
  )


def test_growth_has_each_value_and_a_sentence_for_each_series(monkeypatch):
  for name in ("BATCHES", "CLASS_COUNTS"):
    monkeypatch.setattr(growth, name, (8, 16))
  for name in ("STUDENTS", "RESIDENT", "EVALUATED"):
    monkeypatch.setattr(growth, name, (1, 2))
  cases = []

  def step(case, workload, mesh=None):
    cases.append((case, mesh.size if mesh else jax.device_count()))
    return lambda: None

  # Other tests time real steps.
  monkeypatch.setattr(growth, "ours", step)
  lines = list(growth.growth(MLP))
  base = next(MLP.cases())
  for field, values in {
    "batch_size": (8, 16),
    "classes": (8, 16),
    "students": (1, 2),
    "images": (8, 16),
  }.items():
    for value in values:
      assert cases.pop(0) == (dataclasses.replace(base, **{field: value}), jax.device_count())
  assert [(case.batch_size, devices) for case, devices in cases] == [(8, 1), (16, 2)]
  assert [(line["measured"], line["quantity"], line["value"]) for line in lines[::2]] == [
    ("step", "images in a batch", 8),
    ("step", "classes", 8),
    ("ISATS loss", "classes", 8),
    ("step", "students", 1),
    ("step", "images on the devices", 8),
    ("gather of a batch", "images on the devices", 8),
    ("evaluation", "images in the split", 8),
    ("step", "devices with 8 images each", 1),
  ]
  for first, second in zip(lines[::2], lines[1::2], strict=True):
    assert second["times as long for twice as much"] == second["ms"] / first["ms"]
    assert second["growth"].startswith(f"The time of the {second['measured']} ")


def test_a_column_adds_up_its_steps(monkeypatch):
  seconds = {1: 1.0, column.COHORT: 6.0}

  def timed(case, _):
    # A teacher takes a quarter of a second.
    step = seconds.get(case.students, case.students / 2)
    return {"step": step - 0.25 * case.predictions}

  monkeypatch.setattr(column, "_seconds", timed)
  both = dataclasses.replace(MLP, dtypes=("float32", "bfloat16"))
  alone, together, recalled, *others = column.column(both)
  assert [line["dtype"] for line in (alone, *others)] == ["float32", *["bfloat16"] * 3]
  # In a step of n students each takes half as long as alone, and n = 1 as long as alone.
  assert together["hours"] < alone["hours"]
  # 240 epochs of 50,000 images in batches of 128: 93,750 steps of a second for each full phase.
  assert alone["hours"] * 3600 / 93_750 == pytest.approx(alone["phases"], rel=0.05)
  # Six groups of students and TAKD's assistant save the quarter in each of their steps, and the
  # predictions of five teachers cost it in 8 of 240 epochs.
  saved = (together["hours"] - recalled["hours"]) * 3600 / 93_750 / 0.25
  assert saved == pytest.approx(7 - 5 * 8 / 240)


def test_programs_are_traced_for_a_missing_accelerator():
  with traced_for("tpu"):
    assert backend() == "tpu"
  assert backend() == "cpu"


@pytest.mark.parametrize(
  ("name", "wheel", "chips"), [("h100", "jax_cuda12_plugin", 1), ("v5e:2x4", "libtpu", 8)]
)
def test_a_step_is_compiled_for_a_missing_accelerator(name, wheel, chips):
  pytest.importorskip(wheel)
  (line,) = topology.compilation(MLP, name)
  assert (line["devices"], line["collectives"] > 0) == (chips, chips > 1)
  assert min(line[key] for key in ("arguments (MB)", "temporary memory (MB)", "kernels")) > 0
  if chips > 1:
    odd = dataclasses.replace(MLP, batch_sizes=(12,))
    with pytest.raises(topology.ConfigError, match="--batch has 12, must be a multiple of 8"):
      next(topology.compilation(odd, name))


def test_an_unknown_topology_is_refused():
  with pytest.raises(topology.ConfigError, match="--topology is 'v5:x', must be h100 or"):
    topology.devices("v5:x")
