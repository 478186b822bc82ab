"""Rows of tiny networks on digits: training, phase folders and reports."""

import collections
import csv
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxkd import data, losses
from jaxkd.common.errors import ConfigError
from jaxkd.models import weights
from jaxkd.runs import experiment, inventory, paper, planning, queue, teachers
from jaxkd.runs.store import PhaseFolder, StoreError
from jaxkd.runs.validation import validate
from jaxkd.training import sharding
from jaxkd.training.loop import NonFiniteError
from jaxkd.training.step import Evaluator, Learner

SPEC = data.SPECS["digits"]
_, TEST = data.load(SPEC)
STEPS = round(0.5 * 1437 / 64)
# The paper's rows, and one of each further chain of phases and kind of objective; test_every_method
# trains the others.
ROWS = (*paper.TABLES["2"], "reskd", "multi", "dkd", "rkd", "crd", "dgkd", "ban", "dml")


def config_of_all_rows(config):
  config.multi.networks = ("mlp",)
  config.multi.weights = (1.0,)
  config.multi.contrast = 0.1
  config.multi.contrast_negatives = config.crd.negatives = 128
  config.rows = ROWS
  # Students of a teacher train together: fewer programs to compile.
  config.run.cohort = 20
  return config


@pytest.fixture
def all_rows(tiny_config):
  return config_of_all_rows(tiny_config)


@pytest.fixture(scope="module")
def report(make_tiny_config, run_experiment, tmp_path_factory):
  """The report of all rows, trained once; its parent is the store."""
  config = config_of_all_rows(make_tiny_config())
  validate(config)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(paper, "accuracies", lambda *_: {"kd": 90.0})
    patch.setattr(paper, "differences", lambda _: [])
    return run_experiment(config, tmp_path_factory.mktemp("runs"))


def table_of(report):
  with open(report / "table.csv", newline="") as file:
    return {line["row"]: line for line in csv.DictReader(file)}


def trained(workdir, phase):
  """Returns the network of a phase with its trained weights."""
  model = planning.network(phase)
  folder = PhaseFolder.of(workdir, phase)
  nnx.update(model, *teachers.load_network(folder, sharding.mesh())[1])
  return model


def test_every_row_trains_and_is_reported(all_rows, report):
  table = table_of(report)
  for row in all_rows.rows:
    accuracy = float(table[row]["accuracy (%)"])
    assert 0 < accuracy < 100
  assert table["kd"]["paper (%)"] == "90.00"
  assert float(table["kd"]["ours - paper"]) == pytest.approx(
    float(table["kd"]["accuracy (%)"]) - 90, abs=0.011
  )
  (teacher,) = (line for name, line in table.items() if name.startswith("teacher of kd, "))
  result = PhaseFolder.of(report.parent, planning.teacher(all_rows)).result()
  at_four = losses.ISATS_GRID.index(4.0)
  assert float(teacher["derived variance at 4"]) == pytest.approx(
    result["train"]["derived_variance"][at_four], rel=1e-3
  )
  for name in ("curves", "derived"):
    assert (report / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert f"{name}.png" in (report / "report.md").read_text()
  page = (report / "report.html").read_text()
  assert page.count("<svg") == 2
  # The report has the last logged shares of the temperatures of ISATS.
  isats = PhaseFolder.of(report.parent, planning.student(all_rows, "isats", 0))
  last = isats.logged()[-1]
  shares = [last[f"train_tau_star_{tau:g}"] for tau in losses.ISATS_GRID]
  words = (report / "report.md").read_text().replace("|", " ").split()
  found = " ".join(["isats", *(f"{share:.1%}" for share in shares)])
  assert found in " ".join(words)
  assert "τ* = 8" in page
  # The page refers to no other address: it opens from disk.
  assert "src=" not in page
  assert 'href="http' not in page
  # The report names its phases, which so are not taken for unused.
  assert inventory.entries(report.parent)
  assert not inventory.unused(report.parent, days=0)


def test_each_evaluation_logs_every_term(all_rows, report):
  folder = PhaseFolder.of(report.parent, planning.student(all_rows, "isats", 0))
  lines = folder.logged()
  # Half an epoch has two evaluations.
  assert [line["step"] for line in lines] == [6, STEPS]
  for line in lines:
    assert line["train_loss"] == pytest.approx(line["train_hard"] + line["train_soft"], rel=1e-5)
    shares = [line[f"train_tau_star_{tau:g}"] for tau in losses.ISATS_GRID]
    assert sum(shares) == pytest.approx(1)
    assert 0 <= line["train_accuracy"] <= 1
  # The first call of the device compiles, so that its speed says nothing.
  assert "images_per_second" not in lines[0]
  assert lines[1]["images_per_second"] > 0
  result = folder.result()
  assert result["steps"] == STEPS
  assert result["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
  assert result["class_names"] == [str(digit) for digit in range(10)]
  assert result["test"]["accuracy"] == lines[-1]["test_accuracy"]
  assert "1,210" in (folder.path / "parameters.txt").read_text()


def test_a_contrastive_term_is_part_of_the_loss(all_rows, report):
  for row, terms in (
    ("crd", ("cross_entropy", "contrast")),
    ("multi", ("hard", "soft", "contrast")),
  ):
    for line in PhaseFolder.of(report.parent, planning.student(all_rows, row, 0)).logged():
      assert line["train_contrast"] > 0
      assert line["train_loss"] == pytest.approx(
        sum(line[f"train_{term}"] for term in terms), rel=1e-5
      )


def test_a_second_seed_trains_only_the_missing_phases(
  all_rows, report, run_experiment, monkeypatch, capsys
):
  all_rows.rows, all_rows.seeds = ("nokd", "kd", "kd+ens"), (0, 1)
  trained_folders = []
  original = queue.train

  def train(job, stop):
    trained_folders.extend(student.folder.name for student in job.students)
    return original(job, stop)

  monkeypatch.setattr(queue, "train", train)
  both = run_experiment(all_rows, report.parent)
  assert both != report
  assert trained_folders == [planning.student(all_rows, row, 1).folder for row in ("nokd", "kd")]
  # The reused phases are named, with the date of their training.
  said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("reused: ")]
  reused = [planning.student(all_rows, row, 0) for row in ("nokd", "kd")]
  wanted = [*reused, planning.teacher(all_rows)]
  assert sorted(said) == sorted(
    f"reused: {phase.folder}, trained {PhaseFolder.of(report.parent, phase).result()['finished']}"
    for phase in wanted
  )

  table = table_of(both)
  assert " ± " in table["kd"]["accuracy (%)"]
  assert table["kd+ens"]["seeds"] == "2, 2 together"
  alone = table["kd"]["accuracy (%)"]
  assert table["kd+ens"]["each alone (%)"] == alone

  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  probs = [
    np.asarray(losses.softmax(trained(report.parent, phase)(images)))
    for phase in planning.phases(all_rows, "kd")
  ]
  correct = np.argmax(sum(probs), axis=-1) == TEST.labels
  assert table["kd+ens"]["accuracy (%)"] == f"{100 * correct.mean():.2f}"


def test_a_teacher_from_another_store_teaches(all_rows, report, run_experiment, tmp_path):
  elsewhere = PhaseFolder.of(report.parent, planning.teacher(all_rows)).path
  all_rows.rows = ("kd",)
  all_rows.teacher.checkpoint = str(elsewhere)
  # The options of the config's own teacher have no effect now.
  all_rows.teacher.epochs = 99.0
  validate(all_rows)
  run_experiment(all_rows, tmp_path)
  student = planning.student(all_rows, "kd", 0)
  assert PhaseFolder.of(tmp_path, student).finished
  # Equal students of equal teachers have equal names in both stores.
  assert PhaseFolder.of(report.parent, student).finished
  assert not any("-cross_entropy-" in path.name for path in tmp_path.iterdir())


def test_rows_that_compare_maps_train(tiny_config, run_experiment, tmp_path):
  tiny_config.rows = ("at", "fitnet")
  tiny_config.fitnet.stage = 0
  for network in (tiny_config.teacher, tiny_config.student):
    network.name, network.options, network.epochs = "tests.tiny_networks:TinyNet", {}, 0.1
  validate(tiny_config)
  table = table_of(run_experiment(tiny_config, tmp_path))
  assert [*table] == ["teacher of at, fitnet", "at", "fitnet"]


def test_rows_train_on_standardized_logits(tiny_config, run_experiment, tmp_path):
  # The tests of methods have the values of the other rows.
  tiny_config.rows = ("ats", "isats", "fgcr")
  tiny_config.run.cohort = 3
  for row in tiny_config.rows:
    tiny_config[row].standardize = True
  validate(tiny_config)
  run_experiment(tiny_config, tmp_path)
  for row in tiny_config.rows:
    folder = PhaseFolder.of(tmp_path, planning.student(tiny_config, row, 0))
    assert folder.phase.objective["standardize"] is True
    last = folder.logged()[-1]
    assert last["train_soft"] > 0


def test_a_residual_predicts_with_its_base(all_rows, report):
  residual = planning.student(all_rows, "reskd", 0)
  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  logits = jnp.zeros((len(TEST.labels), 10))
  for phase in (residual, residual.teachers[1]):
    logits += trained(report.parent, phase)(images)
  loss = jnp.mean(losses.cross_entropy(logits, jnp.asarray(TEST.labels)))
  result = PhaseFolder.of(report.parent, residual).result()["test"]
  assert result["loss"] == pytest.approx(float(loss), rel=1e-5)


def test_an_ensemble_averages_residuals_with_their_bases(tiny_config, run_experiment, tmp_path):
  tiny_config.rows, tiny_config.seeds = ("reskd", "reskd+ens"), (0, 1)
  tiny_config.data.seed, tiny_config.run.cohort = 0, 2
  validate(tiny_config)
  table = table_of(run_experiment(tiny_config, tmp_path))
  assert " ± " in table["reskd"]["accuracy (%)"]
  images = data.normalize(jnp.asarray(TEST.images), SPEC)
  probs = 0
  for residual in planning.phases(tiny_config, "reskd"):
    _, base = residual.teachers
    logits = trained(tmp_path, residual)(images) + trained(tmp_path, base)(images)
    probs += np.asarray(losses.softmax(logits))
  correct = np.argmax(probs, axis=-1) == TEST.labels
  assert table["reskd+ens"]["accuracy (%)"] == f"{100 * correct.mean():.2f}"


def test_a_non_finite_loss_ends_the_training_before_a_checkpoint(
  tiny_config, run_experiment, tmp_path
):
  tiny_config.rows = ("nokd",)
  tiny_config.student.learning_rate = 1e30
  tiny_config.student.epochs = 2.0
  tiny_config.optim.warmup = 0.2
  with pytest.raises(NonFiniteError, match=r"not finite at step \d+ of .*digits-mlp"):
    run_experiment(tiny_config, tmp_path)
  folder = PhaseFolder.of(tmp_path, planning.student(tiny_config, "nokd", 0))
  assert not folder.finished
  assert max(folder.steps) < 4


def test_the_validation_split_is_the_same_for_every_loader(tiny_config):
  tiny_config.data.validation = 0.2
  splits = {}
  for loader in ("resident", "streamed"):
    tiny_config.run.loader = loader
    dataset = load_dataset(tiny_config)
    assert dataset.split == "validation"
    splits[loader] = dataset.train, dataset.evaluated
  for arrays, examples in zip(*splits.values(), strict=True):
    assert isinstance(examples, data.Examples)
    # Resident images are rows: of `[N, S, S, channels]`, TPUs copy the whole split at every call.
    expected = examples.load().images
    assert arrays.images.shape == (len(expected), 8 * 8)
    np.testing.assert_array_equal(expected.reshape(arrays.images.shape), arrays.images)
    np.testing.assert_array_equal(examples.labels, arrays.labels)
  assert [data.size(split) for split in splits["streamed"]] == [1149, 288]


def test_a_batch_larger_than_the_split_is_refused(tiny_config, run_experiment, tmp_path):
  tiny_config.data.batch_size = 1440
  with pytest.raises(ConfigError, match=r"data.batch_size is 1440, .* 1437"):
    run_experiment(tiny_config, tmp_path)
  assert not list(tmp_path.iterdir())


def load_dataset(config):
  return experiment.load_dataset(config.data, config.run, sharding.mesh())


def test_training_uses_a_share_of_the_training_split(tiny_config):
  whole = planning.student(tiny_config, "nokd", 0)
  tiny_config.data.train_share = 0.25
  assert planning.student(tiny_config, "nokd", 0) != whole
  dataset = load_dataset(tiny_config)
  train_split, _ = data.load(SPEC)
  expected = np.bincount(train_split.labels) / 4
  counts = np.bincount(np.asarray(dataset.train.labels))
  np.testing.assert_allclose(counts, expected, atol=1)
  assert dataset.split == "test"
  assert dataset.evaluated.labels.shape == TEST.labels.shape


def test_a_network_starts_from_given_weights(tiny_config, run_experiment, tmp_path):
  # At this rate a step hardly changes the initial weights.
  tiny_config.student.learning_rate = 1e-9
  tiny_config.student.epochs = 0.05
  tiny_config.rows = ("nokd",)
  model = planning.network(planning.student(tiny_config, "nokd", 7))
  file = tmp_path / "weights.safetensors"
  weights.write(file, weights.to_torch(model))
  untouched = planning.student(tiny_config, "nokd", 0)
  tiny_config.student.init_from = str(file)
  validate(tiny_config)
  run_experiment(tiny_config, tmp_path)
  phase = planning.student(tiny_config, "nokd", 0)
  assert phase != untouched
  _, variables = teachers.load_network(PhaseFolder.of(tmp_path, phase), sharding.mesh())
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    variables.params,
    nnx.state(model, nnx.Param),
  )


def test_an_assistant_starts_from_given_weights(tiny_config, run_experiment, tmp_path):
  tiny_config.rows = ("takd",)
  for network in (tiny_config.teacher, tiny_config.small_teacher, tiny_config.student):
    network.epochs, network.learning_rate = 0.05, 1e-9
  tiny_config.takd.assistants = ("small_teacher",)
  model = planning.network(planning.student(tiny_config, "stkd", 7))
  file = tmp_path / "weights.safetensors"
  weights.write(file, weights.to_torch(model))
  tiny_config.takd.init_from = (str(file),)
  validate(tiny_config)
  run_experiment(tiny_config, tmp_path)
  (assistant,) = planning.student(tiny_config, "takd", 0).teachers
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    nnx.state(trained(tmp_path, assistant), nnx.Param),
    nnx.state(model, nnx.Param),
  )


@pytest.mark.parametrize("section", ["takd", "multi"])
def test_weights_for_the_networks_of_a_row_are_checked(section, tiny_config, tmp_path):
  file = tmp_path / "weights.safetensors"
  weights.write(file, {"head.weight": np.zeros((3, 3), np.float32)})
  tiny_config.multi.networks = ("small_teacher",)
  tiny_config.multi.weights = (1.0,)
  tiny_config.rows = (section,)
  tiny_config[section].init_from = (str(file),)
  match = rf"^config\.{section}\.init_from, of network 'mlp': .*left over"
  with pytest.raises(ConfigError, match=match):
    validate(tiny_config)


def test_weights_that_do_not_fit_are_refused_before_anything_is_trained(tiny_config, tmp_path):
  file = tmp_path / "weights.safetensors"
  weights.write(file, {"head.weight": np.zeros((3, 3), np.float32)})
  tiny_config.student.init_from = str(file)
  tiny_config.rows = ("nokd",)
  match = r"^config\.student\.init_from, of network 'mlp': .*left over"
  with pytest.raises(ConfigError, match=match):
    validate(tiny_config)


def test_a_teacher_without_its_last_checkpoint_is_named(all_rows, report, run_experiment, tmp_path):
  teacher = PhaseFolder.of(report.parent, planning.teacher(all_rows))
  copy = PhaseFolder.of(tmp_path, teacher.phase)
  shutil.copytree(teacher.path, copy.path)
  shutil.rmtree(copy.checkpoints / str(teacher.result()["steps"]))
  assert len(copy.steps) > 1
  all_rows.rows = ("kd",)
  with pytest.raises(StoreError, match=r"no checkpoint of step \d+ to teach"):
    run_experiment(all_rows, tmp_path)


def test_a_run_waits_for_a_phase_that_another_run_trains(
  tiny_config, run_experiment, tmp_path, monkeypatch
):
  tiny_config.rows = ("nokd", "kd")
  teacher = PhaseFolder.of(tmp_path, planning.teacher(tiny_config))
  teacher.create()
  held = teacher.lock()
  held.__enter__()
  student = PhaseFolder.of(tmp_path, planning.student(tiny_config, "kd", 0))
  alone = PhaseFolder.of(tmp_path, planning.student(tiny_config, "nokd", 0))
  seen = []

  def sleep(_):
    # The phases that need no teacher have been trained meanwhile.
    seen.append((alone.finished, student.finished))
    held.__exit__(None, None, None)

  monkeypatch.setattr(queue.time, "sleep", sleep)
  run_experiment(tiny_config, tmp_path)
  assert seen == [(True, False)]
  assert student.finished


def test_a_phase_traces_its_step_and_its_evaluation_once(
  tiny_config, run_experiment, tmp_path, monkeypatch
):
  traced = collections.Counter()

  def counting(function):
    def counted(*args):
      traced[function.__name__] += 1
      return function(*args)

    return counted

  monkeypatch.setattr(Learner, "step", counting(Learner.step))
  monkeypatch.setattr(Evaluator, "measure", counting(Evaluator.measure))
  tiny_config.rows = ("nokd",)
  run_experiment(tiny_config, tmp_path)
  # The training and the test split have different sizes.
  assert traced == {"step": 1, "measure": 1}
