"""Given weights are evaluated as they are with `epochs=0`; training that ruins them says so."""

import contextlib
import dataclasses
import io
import json
import shutil

import jax
import numpy as np
import pytest

from jaxkd import data, export
from jaxkd.common.cluster import StopRequest
from jaxkd.common.errors import ConfigError
from jaxkd.models import weights
from jaxkd.reports import experiment as report
from jaxkd.reports import paper_table
from jaxkd.runs import experiment, paper, planning, queue
from jaxkd.runs.store import PhaseFolder, StoreError
from jaxkd.runs.validation import validate
from jaxkd.training.loop import NonFiniteError
from jaxkd.tuning import report as search
from jaxkd.tuning.search import Point

SPEC = data.SPECS["digits"]
TRAIN, TEST = data.load(SPEC)
OPTIONS = {"depth": 1, "width": 64}


def inputs(split):
  images = np.asarray(split.images, np.float64) / 255
  return ((images - SPEC.mean) / SPEC.std).reshape(len(images), -1)


def classifier(seed):
  """Returns the weights of an mlp: random features and the least-squares classifier of them."""
  random = np.random.default_rng(seed)
  kernel, bias = random.normal(size=(64, 64)) / 8, random.normal(size=64)
  hidden = np.maximum(inputs(TRAIN) @ kernel.T + bias, 0)
  hidden = np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)
  targets = 10 * np.eye(10)[np.asarray(TRAIN.labels)]
  last = np.linalg.lstsq(hidden, targets, rcond=None)[0].T
  tensors = kernel, bias, last[:, :-1], last[:, -1]
  names = "hidden.0.weight", "hidden.0.bias", "classifier.weight", "classifier.bias"
  return {n: np.ascontiguousarray(t, np.float32) for n, t in zip(names, tensors, strict=True)}


def accuracy(tensors, split):
  """Returns the share of examples that float64 NumPy classifies as labelled."""
  kernel, bias, *last = (tensor.astype(np.float64) for tensor in tensors.values())
  logits = np.maximum(inputs(split) @ kernel.T + bias, 0) @ last[0].T + last[1]
  return np.mean(logits.argmax(axis=1) == np.asarray(split.labels))


LARGE, SMALL = map(classifier, range(2))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
  """Files of weights by name."""
  folder = tmp_path_factory.mktemp("weights")
  found = {"large": LARGE, "small": SMALL}
  found["broken"] = {**LARGE, "classifier.bias": np.full(10, np.nan, np.float32)}
  found["five"] = {**LARGE, "classifier.weight": np.ones((5, 64), np.float32)}
  found["five"]["classifier.bias"] = np.ones(5, np.float32)
  for name, tensors in found.items():
    weights.write(folder / f"{name}.safetensors", tensors)
  paths = {name: str(folder / f"{name}.safetensors") for name in found}
  with contextlib.suppress(ImportError):
    import torch

    paths["small"] = str(folder / "small.pth")
    torch.save({"state_dict": {n: torch.tensor(t) for n, t in SMALL.items()}}, paths["small"])
  return paths


def of_given(config, **sections):
  """Changes a config so that these sections are given the weights of a file."""
  for section, file in sections.items():
    config[section].options, config[section].init_from = OPTIONS, file
    config[section].epochs = 0.0
  return config


@pytest.fixture(scope="module")
def trained(make_tiny_config, files, tmp_path_factory):
  """Students of a given teacher and of a given assistant, and the lines on stderr of two runs."""
  config = of_given(make_tiny_config(), teacher=files["large"], small_teacher=files["small"])
  config.rows, config.student.epochs = ("kd", "takd"), 3.0
  config.run.eval_every_epochs, config.run.checkpoint_every_steps = 0.75, 100
  config.takd.assistants = ("small_teacher",)
  validate(config)
  one = experiment.Experiment.of(config, tmp_path_factory.mktemp("given"))
  said = []
  for _ in range(2):
    with contextlib.redirect_stderr(io.StringIO()) as lines:
      assert not experiment.run([one])
    said.append(lines.getvalue())
  return one, said


def given_phases(one):
  """Returns the phases that were given, with their weights."""
  (large,), (small,) = (phases[0].teachers for phases in one.rows.values())
  return [(large, LARGE), (small, SMALL)]


def test_given_weights_have_the_accuracy_that_numpy_finds(trained):
  one, _ = trained
  for phase, tensors in given_phases(one):
    folder = one.folder(phase)
    result = folder.result()
    assert result["steps"] == 0
    for name, split in (("train", TRAIN), ("test", TEST)):
      assert accuracy(tensors, split) > 0.8
      # One example is 7e-4 or more.
      assert result[name]["accuracy"] == pytest.approx(accuracy(tensors, split), abs=1e-6)
    (line,) = folder.logged()
    assert line.keys() == {"step", "epoch", "test_loss", "test_accuracy"}
    assert (line["step"], line["test_accuracy"]) == (0, result["test"]["accuracy"])


def test_an_export_of_given_weights_has_the_given_arrays(trained, tmp_path):
  one, _ = trained
  for phase, tensors in given_phases(one):
    out = tmp_path / f"{phase.identity}.safetensors"
    export.main([str(one.folder(phase).path), str(out)])
    jax.tree.map(np.testing.assert_array_equal, weights.read(out), tensors)


def test_a_student_learns_from_the_given_teacher(trained, make_tiny_config, tmp_path):
  one, _ = trained
  ((teacher, _), *_) = given_phases(one)
  (student,) = one.rows["kd"]
  config = make_tiny_config()
  config.rows, config.teacher.checkpoint = ("kd",), str(one.folder(teacher).path)
  config.student.epochs = 3.0
  # A finished phase that is given as a folder is the same teacher.
  assert planning.student(config, "kd", 0) == student
  # Its loss is that of the teacher's labels: another teacher gives another.
  others = [one.folder(phases[0]).logged()[-1]["train_soft"] for phases in one.rows.values()]
  assert len(set(others)) == len(others)
  # Chance is 0.1.
  assert one.folder(student).accuracy > 0.3


def test_progress_says_that_given_weights_are_not_trained(trained):
  _, (first, second) = trained
  shown = [line for line in first.splitlines() if "given, not trained" in line]
  assert len(shown) == 2
  assert f"test accuracy {accuracy(LARGE, TEST):.2%}" in shown[0]
  reused = [line for line in second.splitlines() if line.startswith("reused: ")]
  # The teachers of a finished student are not needed.
  assert len(reused) == 2
  assert all(", trained 2" in line for line in reused)


def test_a_further_student_reuses_the_given_teacher(trained, tmp_path, capsys):
  one, _ = trained
  ((teacher, _), *_) = given_phases(one)
  shutil.copytree(one.folder(teacher).path, tmp_path / teacher.folder)
  again = dataclasses.replace(one, workdir=tmp_path, rows={"kd": one.rows["kd"]})
  assert not experiment.run([again])
  assert f"reused: {teacher.folder}, evaluated 2" in capsys.readouterr().err


def test_the_report_says_that_given_weights_are_not_trained(trained):
  one, _ = trained
  lines = {line["row"]: line for line in report.table(one, {})}
  for row, tensors in (("kd", LARGE), ("takd", SMALL)):
    line = lines[f"teacher of {row}"]
    assert line["objective"] == "given, not trained"
    assert line["accuracy (%)"] == f"{100 * accuracy(tensors, TEST):.2f}"
    assert lines[row]["objective"] == "kd"
  folder = report.write(one)
  page = (folder / "report.html").read_text()
  assert "given, not trained" in page
  for section in ("teacher", "small_teacher"):
    assert f" mlp is given: {one.config[section].init_from}." in page
  # The curves are of the students, which are trained.
  assert (folder / "curves.csv").read_text().count("kd,0,") > 3
  said = paper_table.caption({"mlp": one.config})
  assert "Teachers: given, not trained; students: 3 epochs; on 100% of" in said


def test_the_report_of_a_search_says_that_the_teacher_is_given(trained, tmp_path):
  one, _ = trained
  config = one.config.copy_and_resolve_references()
  config.data.validation = 0.1
  found = [Point({"ats.tau1": 4.0}, planning.phases(config, "ats"), (0.5,))]
  text = (
    search.write(config, "ats", {"ats.tau1": (4.0,)}, found, tmp_path) / "report.md"
  ).read_text()
  assert "Teachers: mlp, given, not trained, seed 0." in text
  # Nobody knows which images its weights have seen.
  assert "may have been trained on the examples that are evaluated" in text


def test_a_given_network_is_a_difference_from_the_paper(tiny_config, files):
  of_given(tiny_config, teacher=files["large"])
  tiny_config.data.name = "cifar100"
  assert "teacher: given, not trained" in paper.differences(tiny_config)


def test_a_given_teacher_without_its_checkpoint_is_named(trained, tmp_path):
  one, _ = trained
  ((teacher, _), *_) = given_phases(one)
  shutil.copytree(one.folder(teacher).path, tmp_path / teacher.folder)
  shutil.rmtree(tmp_path / teacher.folder / "checkpoints" / "0")
  again = dataclasses.replace(one, workdir=tmp_path, rows={"kd": one.rows["kd"]})
  with pytest.raises(StoreError, match="no checkpoint of step 0 to teach with"):
    experiment.run([again])


@pytest.fixture
def student(tiny_config, files):
  """An experiment whose student is given."""
  tiny_config.rows = ("nokd",)
  return of_given(tiny_config, student=files["large"])


def test_a_given_student_is_reported_and_a_killed_evaluation_is_repeated(student, tmp_path):
  validate(student)
  one = experiment.Experiment.of(student, tmp_path)
  assert not experiment.run([one])
  (line,) = report.table(one, {})
  assert line["objective"] == "given, not trained"
  assert line["accuracy (%)"] == f"{100 * accuracy(LARGE, TEST):.2f}"
  assert report.write(one)
  folder = one.folder(one.students[0])
  before, result = folder.logged(), folder.result()
  # Killed with a whole line, and with half of another one.
  for half in ("", '{"step": 0, "epo'):
    (folder.path / "result.json").unlink()
    with open(folder.path / "metrics.jsonl", "a") as file:
      file.write(half)
    assert not experiment.run([one])
    assert folder.logged() == before
    assert folder.result() == result


def test_the_rate_of_a_network_that_is_not_trained_does_not_matter(student):
  given = planning.student(student, "nokd", 0)
  assert given.schedule["epochs"] == 0
  student.student.learning_rate = 1.0
  assert planning.student(student, "nokd", 0) == given
  student.student.epochs = 1.0
  assert planning.student(student, "nokd", 0) != given


def test_weights_that_are_not_finite_have_no_accuracy(student, files, tmp_path):
  student.student.init_from = files["broken"]
  validate(student)
  one = experiment.Experiment.of(student, tmp_path)
  (error,) = experiment.run([one]).values()
  assert isinstance(error, NonFiniteError)
  assert str(error).startswith("the loss of the weights given to ")
  assert not one.folder(one.students[0]).finished


@pytest.mark.parametrize(
  ("rows", "sections", "message"),
  [
    (("kd",), {"teacher": ""}, "config.teacher.epochs is 0.0, must be > 0 for the network 'mlp'"),
    (("stkd",), {"teacher": "large", "small_teacher": ""}, "config.small_teacher.epochs is 0"),
    # Another teacher of several is trained as the large one is.
    (("multi",), {"teacher": "large"}, "config.teacher.epochs is 0.0, .* network 'resnet8'"),
    (("regt",), {"teacher": "large"}, "config.teacher.epochs is 0.0, must be > 0 for regt, which"),
    (("eskd",), {"teacher": "large"}, "config.teacher.epochs is 0.0, must be > 0 for a row that"),
    (("kd",), {"teacher": "five"}, "init_from, of .*: the weights are for 5 classes, not 10"),
  ],
  ids=["teacher", "small teacher", "several", "regt", "eskd", "other classes"],
)
def test_given_weights_that_would_not_be_used_as_they_are_are_refused(
  tiny_config, files, rows, sections, message
):
  tiny_config.rows, tiny_config.multi.networks = rows, ("teacher", "resnet8")
  of_given(tiny_config, **{name: file and files[file] for name, file in sections.items()})
  with pytest.raises(ConfigError, match=message) as caught:
    validate(tiny_config)
  assert "\n" not in str(caught.value)


def test_epochs_below_a_step_are_refused_before_anything_is_trained(tiny_config, files, tmp_path):
  of_given(tiny_config, teacher=files["large"])
  tiny_config.rows, tiny_config.teacher.epochs = ("kd",), 0.001
  validate(tiny_config)
  message = (
    r"^epochs of digits-mlp-cross_entropy is 0.001, must be at least 0.045, one step, or 0 to "
    "evaluate the weights of init_from as they are$"
  )
  with pytest.raises(ConfigError, match=message):
    experiment.run([experiment.Experiment.of(tiny_config, tmp_path)])
  assert not any(tmp_path.iterdir())


def tuned(config, rate):
  """Changes a config so that its given student is trained for two steps."""
  config.student.epochs, config.student.learning_rate = 0.1, rate
  config.run.eval_every_epochs = 1.0
  return config


def test_training_that_ruins_given_weights_is_said(student, run_experiment, tmp_path, capsys):
  run_experiment(tuned(student, 5.0), tmp_path)
  first, last = PhaseFolder.of(tmp_path, planning.student(student, "nokd", 0)).logged()
  assert (first["step"], last["step"]) == (0, 2)
  assert first["test_accuracy"] == pytest.approx(accuracy(LARGE, TEST), abs=1e-6)
  assert last["test_accuracy"] < first["test_accuracy"] - 0.05
  said = capsys.readouterr().err
  assert f"given weights, test accuracy {first['test_accuracy']:.2%}" in said
  (line,) = [line for line in said.splitlines() if "far below" in line]
  assert "step 2/2: train loss" in line
  assert f"{last['test_accuracy']:.2%}, far below the {first['test_accuracy']:.2%} of" in line
  assert "a lower learning_rate or a longer optim.warmup keeps more of them, epochs=0" in line


def test_harmless_training_of_given_weights_is_not_warned_of(
  student, run_experiment, tmp_path, capsys
):
  run_experiment(tuned(student, 1e-9), tmp_path)
  first, last = PhaseFolder.of(tmp_path, planning.student(student, "nokd", 0)).logged()
  assert last["test_accuracy"] == first["test_accuracy"]
  said = capsys.readouterr().err
  assert "given weights, test accuracy" in said
  assert "far below" not in said


def test_a_resumed_run_still_knows_the_given_accuracy(
  student, run_experiment, tmp_path, capsys, monkeypatch
):
  tuned(student, 5.0)
  student.run.steps_per_dispatch = 1
  run_experiment(student, tmp_path / "whole")
  original = queue.train

  def stopped(job, _):
    stop = StopRequest()
    stop.set()
    return original(job, stop)

  with monkeypatch.context() as patch:
    patch.setattr(queue, "train", stopped)
    with pytest.raises(Exception, match="stopped at step 1 of 2"):
      run_experiment(student, tmp_path / "resumed")
  capsys.readouterr()
  run_experiment(student, tmp_path / "resumed")
  said = capsys.readouterr().err
  assert "resumes at step 1/2" in said
  assert "far below" in said
  assert "given weights, test accuracy" not in said
  phase = planning.student(student, "nokd", 0)
  whole, resumed = (
    [
      {name: value for name, value in line.items() if name != "images_per_second"}
      for line in PhaseFolder.of(tmp_path / w, phase).logged()
    ]
    for w in ("whole", "resumed")
  )
  assert json.dumps(resumed) == json.dumps(whole)
