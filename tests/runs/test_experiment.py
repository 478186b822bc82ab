"""Whole rows on tiny real data, and what they leave behind."""

import csv
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxkd.common.errors import ConfigError
from jaxkd.runs import config as jaxkd_config
from jaxkd.models import weights
from jaxkd import data
from jaxkd.runs import experiment
from jaxkd import losses
from jaxkd.runs import rows
from jaxkd.training import sharding
from jaxkd.training import loop
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.store import StoreError
from jaxkd.training.loop import NonFiniteError

SPEC = data.SPECS["digits"]
_, TEST = data.load(SPEC)
STEPS = round(0.5 * 1437 / 64)
# What these compare are maps; the tiny networks have none.
ON_MAPS = ("at", "fitnet")


@pytest.fixture
def all_rows(tiny_config):
  tiny_config.rows = tuple(row for row in rows.ROWS if row not in ON_MAPS)
  tiny_config.multi.networks = ("mlp",)
  tiny_config.multi.weights = (1.0,)
  tiny_config.multi.contrast = 0.1
  tiny_config.crd.negatives = 128
  tiny_config.paper.accuracies = {"kd": 90.0}
  tiny_config.paper.data = "digits"
  tiny_config.paper.teacher = tiny_config.paper.student = "mlp"
  return tiny_config


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
  return tmp_path_factory.mktemp("runs")


@pytest.fixture
def report(all_rows, workdir, monkeypatch):
  # Otherwise the paper's accuracy is not shown beside half an epoch.
  monkeypatch.setattr(experiment.experiment, "differences", lambda _: [])
  jaxkd_config.validate(all_rows)
  return experiment.run(all_rows, workdir)


def lines(entry):
  return [json.loads(line) for line in entry.metrics.read_text().splitlines()]


def trained(workdir, phase):
  """The phase's network, as its checkpoint has it."""
  model = rows.network(phase, SPEC)
  entry = PhaseFolder.of(workdir, phase)
  nnx.update(model, *loop.load_network(entry, SPEC, sharding.mesh())[1])
  return model


def test_every_row_trains_and_is_reported(all_rows, report):
  with open(report / "table.csv") as file:
    table = {line["row"]: line for line in csv.DictReader(file)}
  for row in all_rows.rows:
    accuracy = float(table[row]["accuracy (%)"])
    assert 0 < accuracy < 100
  assert table["kd"]["paper (%)"] == "90.00"
  assert float(table["kd"]["ours - paper"]) == pytest.approx(
    float(table["kd"]["accuracy (%)"]) - 90, abs=0.011
  )
  teacher = table[
    "teacher of kd, sckd, dist, ats, fgcr, isats, reskd, dkd, rkd, crd, multi"
  ]
  result = PhaseFolder.open(
    PhaseFolder.of(report.parent, rows.teacher(all_rows)).path
  ).result()
  at_four = losses.ISATS_GRID.index(4.0)
  assert float(teacher["derived variance at 4"]) == pytest.approx(
    result["train"]["derived_variance"][at_four], rel=1e-3
  )
  for name in ("curves", "derived"):
    assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert f"{name}.png" in (report / "report.md").read_text()
  page = (report / "report.html").read_text()
  assert page.count("<svg") == 2
  # The distribution of ISATS's temperatures, as logged last.
  isats = PhaseFolder.of(report.parent, rows.ROWS["isats"](all_rows, 0))
  last = lines(isats)[-1]
  shares = [last[f"train_tau_star_{tau:g}"] for tau in losses.ISATS_GRID]
  words = (report / "report.md").read_text().replace("|", " ").split()
  found = " ".join(["isats", *(f"{share:.1%}" for share in shares)])
  assert found in " ".join(words)
  assert "τ* = 8" in page
  # Nothing is fetched: it opens from disk, anywhere.
  assert "src=" not in page
  assert 'href="http' not in page


def test_a_line_per_evaluation_with_every_term(all_rows, report):
  entry = PhaseFolder.of(report.parent, rows.ROWS["isats"](all_rows, 0))
  # Evaluated twice in half an epoch.
  assert [line["step"] for line in lines(entry)] == [6, STEPS]
  for line in lines(entry):
    assert line["train_loss"] == pytest.approx(
      line["train_hard"] + line["train_soft"], rel=1e-5
    )
    shares = [line[f"train_tau_star_{tau:g}"] for tau in losses.ISATS_GRID]
    assert sum(shares) == pytest.approx(1)
    assert 0 <= line["train_accuracy"] <= 1
    assert line["images_per_second"] > 0
  result = entry.result()
  assert result["steps"] == STEPS
  assert result["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
  assert result["test"]["accuracy"] == lines(entry)[-1]["test_accuracy"]
  assert "1,210" in (entry.path / "parameters.txt").read_text()


def test_a_contrast_is_part_of_the_loss(all_rows, report):
  for row, terms in (
    ("crd", ("cross_entropy", "contrast")),
    ("multi", ("hard", "soft", "contrast")),
  ):
    entry = PhaseFolder.of(report.parent, rows.ROWS[row](all_rows, 0))
    for line in lines(entry):
      assert line["train_contrast"] > 0
      assert line["train_loss"] == pytest.approx(
        sum(line[f"train_{term}"] for term in terms), rel=1e-5
      )


def test_the_second_seed_trains_only_what_is_missing(
  all_rows, report, monkeypatch
):
  all_rows.rows, all_rows.seeds = ("nokd", "kd", "kd+ens"), (0, 1)
  phases = []
  original = experiment.train
  monkeypatch.setattr(
    experiment,
    "train",
    lambda entries, *args, **kwargs: (
      phases.extend(entry.phase for entry in entries),
      original(entries, *args, **kwargs),
    ),
  )
  both = experiment.run(all_rows, report.parent)
  assert both != report
  assert phases == [
    rows.ROWS["nokd"](all_rows, 1),
    rows.ROWS["kd"](all_rows, 1),
  ]
  with open(both / "table.csv") as file:
    table = {line["row"]: line for line in csv.DictReader(file)}
  assert " ± " in table["kd"]["accuracy (%)"]
  assert table["kd+ens"]["seeds"] == "2, 2 together"
  alone = table["kd"]["accuracy (%)"]
  assert table["kd+ens"]["each alone (%)"] == alone

  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  probs = [
    np.asarray(losses.softmax(trained(report.parent, phase)(images)))
    for phase in rows.phases(all_rows, "kd")
  ]
  correct = np.argmax(sum(probs), axis=-1) == TEST.labels
  assert table["kd+ens"]["accuracy (%)"] == f"{100 * correct.mean():.2f}"


def test_a_teacher_from_elsewhere_teaches(all_rows, report, tmp_path):
  elsewhere = PhaseFolder.of(report.parent, rows.teacher(all_rows)).path
  all_rows.rows = ("kd",)
  all_rows.teacher.checkpoint = str(elsewhere)
  # What the teacher would have been is of no importance now.
  all_rows.teacher.epochs = 99.0
  jaxkd_config.validate(all_rows)
  experiment.run(all_rows, tmp_path)
  student = rows.ROWS["kd"](all_rows, 0)
  assert PhaseFolder.of(tmp_path, student).finished
  # The same teacher, the same student: under the same name in both stores.
  assert PhaseFolder.of(report.parent, student).finished
  assert not any("-cross_entropy-" in path.name for path in tmp_path.iterdir())


def test_rows_that_compare_maps_train_too(tiny_config, tmp_path):
  tiny_config.rows = ON_MAPS
  for network in (tiny_config.teacher, tiny_config.student):
    network.name, network.options, network.epochs = "resnet8", {}, 0.1
  jaxkd_config.validate(tiny_config)
  report = experiment.run(tiny_config, tmp_path)
  with open(report / "table.csv") as file:
    rows = [line["row"] for line in csv.DictReader(file)]
  assert rows == ["teacher of at, fitnet", "at", "fitnet"]


def test_rows_that_compare_z_scores_train_too(tiny_config, tmp_path):
  tiny_config.rows = ("kd", "ats", "isats", "fgcr", "sckd", "dkd", "multi")
  tiny_config.multi.label = "isats"
  for row in tiny_config.rows:
    tiny_config[row].standardize = True
  jaxkd_config.validate(tiny_config)
  experiment.run(tiny_config, tmp_path)
  for row in tiny_config.rows:
    entry = PhaseFolder.of(tmp_path, rows.ROWS[row](tiny_config, 0))
    assert entry.phase.loss["standardize"] is True
    (term,) = {"train_soft", "train_decoupled"} & lines(entry)[-1].keys()
    assert lines(entry)[-1][term] > 0


def test_a_residual_predicts_with_its_base(all_rows, report):
  residual = rows.ROWS["reskd"](all_rows, 0)
  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  logits = jnp.zeros((len(TEST.labels), 10))
  for phase in (residual, residual.teachers[1]):
    logits += trained(report.parent, phase)(images)
  loss = jnp.mean(losses.cross_entropy(logits, jnp.asarray(TEST.labels)))
  result = PhaseFolder.of(report.parent, residual).result()["test"]
  assert result["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_residual_students_and_their_bases_predict_together(
  tiny_config, tmp_path
):
  tiny_config.rows, tiny_config.seeds = ("reskd", "reskd+ens"), (0, 1)
  jaxkd_config.validate(tiny_config)
  report = experiment.run(tiny_config, tmp_path)
  with open(report / "table.csv") as file:
    table = {line["row"]: line for line in csv.DictReader(file)}
  assert " ± " in table["reskd"]["accuracy (%)"]
  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  probs = 0
  for residual in rows.phases(tiny_config, "reskd"):
    _, base = residual.teachers
    logits = trained(tmp_path, residual)(images) + trained(tmp_path, base)(
      images
    )
    probs += np.asarray(losses.softmax(logits))
  correct = np.argmax(probs, axis=-1) == TEST.labels
  assert table["reskd+ens"]["accuracy (%)"] == f"{100 * correct.mean():.2f}"


def test_a_loss_that_is_not_finite_stops_before_the_checkpoint(
  tiny_config, tmp_path
):
  tiny_config.rows = ("nokd",)
  tiny_config.student.learning_rate = 1e30
  tiny_config.student.epochs = 2.0
  tiny_config.optim.warmup = 0.2
  with pytest.raises(
    NonFiniteError, match=r"not finite at step \d+ of .*digits-mlp"
  ):
    experiment.run(tiny_config, tmp_path)
  entry = PhaseFolder.of(tmp_path, rows.ROWS["nokd"](tiny_config, 0))
  assert not entry.finished
  assert not any(
    path.name.isdecimal() and int(path.name) >= 4
    for path in entry.checkpoints.iterdir()
  )


def test_what_is_validated_on_depends_on_no_loader(tiny_config):
  tiny_config.data.validation = 0.2
  splits = {}
  for loader in ("resident", "streamed"):
    tiny_config.run.loader = loader
    dataset = experiment.load_dataset(tiny_config, sharding.mesh())
    splits[loader] = dataset.train, dataset.test
  for arrays, examples in zip(*splits.values(), strict=True):
    assert isinstance(examples, data.Examples)
    np.testing.assert_array_equal(examples.load().images, arrays.images)
    np.testing.assert_array_equal(examples.labels, arrays.labels)
  assert [data.size(split) for split in splits["streamed"]] == [1149, 288]


def test_batches_larger_than_the_split_are_refused(tiny_config, tmp_path):
  tiny_config.data.batch_size = 1440
  with pytest.raises(
    ConfigError, match=r"data.batch_size is 1440, .* 1437"
  ):
    experiment.run(tiny_config, tmp_path)
  assert not list(tmp_path.iterdir())


def test_a_share_of_the_training_split_is_trained_on(tiny_config):
  whole = rows.ROWS["nokd"](tiny_config, 0)
  tiny_config.data.train_share = 0.25
  assert rows.ROWS["nokd"](tiny_config, 0) != whole
  dataset = experiment.load_dataset(tiny_config, sharding.mesh())
  train_split, _ = data.load(SPEC)
  expected = np.bincount(train_split.labels) / 4
  counts = np.bincount(np.asarray(dataset.train.labels))
  np.testing.assert_allclose(counts, expected, atol=1)
  assert dataset.test.labels.shape == TEST.labels.shape


def test_a_network_starts_from_given_weights(tiny_config, tmp_path):
  # So little is learnt in a step at this rate that the start can be seen.
  tiny_config.student.learning_rate = 1e-9
  tiny_config.student.epochs = 0.01
  tiny_config.rows = ("nokd",)
  model = rows.network(rows.ROWS["nokd"](tiny_config, 7), SPEC)
  file = tmp_path / "weights.safetensors"
  weights.write(file, weights.to_torch(model))
  untouched = rows.ROWS["nokd"](tiny_config, 0)
  tiny_config.student.init_from = str(file)
  jaxkd_config.validate(tiny_config)
  experiment.run(tiny_config, tmp_path)
  phase = rows.ROWS["nokd"](tiny_config, 0)
  assert phase != untouched
  _, variables = loop.load_network(
    PhaseFolder.of(tmp_path, phase), SPEC, sharding.mesh()
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    variables.params,
    nnx.state(model, nnx.Param),
  )


def test_an_assistant_starts_from_given_weights(tiny_config, tmp_path):
  tiny_config.rows = ("takd",)
  for network in (
    tiny_config.teacher,
    tiny_config.small_teacher,
    tiny_config.student,
  ):
    network.epochs, network.learning_rate = 0.01, 1e-9
  tiny_config.takd.assistants = ("small_teacher",)
  model = rows.network(rows.ROWS["stkd"](tiny_config, 7), SPEC)
  file = tmp_path / "weights.safetensors"
  weights.write(file, weights.to_torch(model))
  tiny_config.takd.init_from = (str(file),)
  jaxkd_config.validate(tiny_config)
  experiment.run(tiny_config, tmp_path)
  (assistant,) = rows.ROWS["takd"](tiny_config, 0).teachers
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    nnx.state(trained(tmp_path, assistant), nnx.Param),
    nnx.state(model, nnx.Param),
  )


@pytest.mark.parametrize("section", ["takd", "multi"])
def test_weights_of_other_networks_are_checked_too(
  section, tiny_config, tmp_path
):
  file = tmp_path / "weights.safetensors"
  weights.write(file, {"head.weight": np.zeros((3, 3), np.float32)})
  tiny_config.multi.networks = ("small_teacher",)
  tiny_config.multi.weights = (1.0,)
  tiny_config[section].init_from = (str(file),)
  with pytest.raises(
    ConfigError, match=rf"^config.{section}.init_from: .*left over"
  ):
    jaxkd_config.validate(tiny_config)


def test_weights_that_do_not_fit_are_named_before_anything_is_trained(
  tiny_config, tmp_path
):
  file = tmp_path / "weights.safetensors"
  weights.write(file, {"head.weight": np.zeros((3, 3), np.float32)})
  tiny_config.student.init_from = str(file)
  tiny_config.rows = ("nokd",)
  with pytest.raises(
    ConfigError, match=r"^config.student.init_from: .*left over"
  ):
    jaxkd_config.validate(tiny_config)


def test_a_teacher_without_its_last_checkpoint_is_named(
  all_rows, report, tmp_path
):
  teacher = PhaseFolder.of(report.parent, rows.teacher(all_rows))
  copy = PhaseFolder.of(tmp_path, teacher.phase)
  shutil.copytree(teacher.path, copy.path)
  shutil.rmtree(copy.checkpoints / str(teacher.result()["steps"]))
  assert len(copy.steps) > 1
  all_rows.rows = ("kd",)
  with pytest.raises(StoreError, match=r"no checkpoint of step \d+ to teach"):
    experiment.run(all_rows, tmp_path)


def test_what_another_run_trains_is_waited_for(
  tiny_config, tmp_path, monkeypatch
):
  tiny_config.rows = ("nokd", "kd")
  teacher = PhaseFolder.of(tmp_path, rows.teacher(tiny_config))
  teacher.create()
  held = teacher.lock()
  held.__enter__()
  student = PhaseFolder.of(tmp_path, rows.ROWS["kd"](tiny_config, 0))
  alone = PhaseFolder.of(tmp_path, rows.ROWS["nokd"](tiny_config, 0))
  seen = []

  def sleep(_):
    # All that doesn't need the teacher has been trained meanwhile.
    seen.append((alone.finished, student.finished))
    held.__exit__(None, None, None)

  monkeypatch.setattr(experiment.time, "sleep", sleep)
  experiment.run(tiny_config, tmp_path)
  assert seen == [(True, False)]
  assert student.finished
