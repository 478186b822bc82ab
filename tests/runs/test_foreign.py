"""Teachers of other frameworks: views out, logits back in."""

import csv

import jax
import numpy as np
import pytest

from jaxkd.common.errors import ConfigError
from jaxkd.reports import experiment as report
from jaxkd.runs import experiment, foreign, prediction_files
from jaxkd.runs.validation import validate
from jaxkd.training.predictions import Predictions

MEAN, STD = (0.3,), (0.4,)


@pytest.fixture
def config(tiny_config):
  tiny_config.rows, tiny_config.data.views = ("fgcr",), 2
  tiny_config.student.epochs = 0.5
  return tiny_config


@pytest.fixture(scope="module")
def exported(make_tiny_config, tmp_path_factory):
  """The folder of the views, 12x12, normalised, channels first."""
  config = make_tiny_config()
  config.data.views = 2
  out = tmp_path_factory.mktemp("views")
  prediction_files.exported(config, str(out), foreign.ViewForm(12, MEAN, STD, channels_first=True))
  return out


@pytest.fixture(scope="module")
def images(exported):
  names = "view-000", "view-001", "clean"
  return {name: np.load(exported / f"{name}.npy") for name in names}


def of_torch(images, labels):
  """Returns logits of a small PyTorch network that is trained for a few steps."""
  torch = pytest.importorskip("torch")
  torch.manual_seed(0)
  model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3, stride=2),
    torch.nn.ReLU(),
    torch.nn.Flatten(),
    torch.nn.Linear(200, 10),
  )
  optimizer = torch.optim.Adam(model.parameters(), 0.01)
  x, y = torch.tensor(images["view-000"]), torch.tensor(labels).long()
  for _ in range(20):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
  model.eval()
  with torch.no_grad():
    return {name: model(torch.tensor(each)).numpy() for name, each in images.items()}


def of_linen(images, labels):
  """Returns logits of a small Linen network that is trained for a few steps."""
  import optax
  from flax import linen

  # Linen has channels last.
  images = {name: np.moveaxis(each, 1, -1) for name, each in images.items()}
  module = linen.Sequential(
    [linen.Conv(8, (3, 3), (2, 2)), linen.relu, lambda x: x.reshape(len(x), -1), linen.Dense(10)]
  )
  optimizer = optax.sgd(0.05, 0.9)
  variables = module.init(jax.random.key(0), images["view-000"][:1])
  state = optimizer.init(variables)

  @jax.jit
  def step(variables, state):
    def loss(variables):
      logits = module.apply(variables, images["view-000"])
      return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    updates, state = optimizer.update(jax.grad(loss)(variables), state)
    return optax.apply_updates(variables, updates), state

  for _ in range(20):
    variables, state = step(variables, state)
  return {name: np.asarray(module.apply(variables, each)) for name, each in images.items()}


def teacher(logits, **fields):
  views = np.stack([logits["view-000"], logits["view-001"]])
  return foreign.Imported(**{"name": "mine", "logits": views, "clean": logits["clean"], **fields})


@pytest.mark.parametrize("framework", [of_torch, of_linen], ids=["torch", "linen"])
def test_a_student_learns_from_a_teacher_of_any_framework(
  config, exported, images, framework, tmp_path, capsys
):
  labels = np.load(exported / "labels.npy")
  logits = framework(images, labels)
  accuracy = np.mean(logits["clean"].argmax(axis=1) == labels)
  assert accuracy > 0.5
  out = tmp_path / "predictions"
  prediction_files.imported(
    config, teacher(logits), str(out), prediction_files.Kept(), str(exported)
  )
  said = capsys.readouterr().err
  assert f"clean: the logits agree with {accuracy:.2%} of the labels" in said
  np.testing.assert_array_equal(Predictions(out).arrays("clean")["logits"], logits["clean"])
  config.teacher.predictions = str(out)
  validate(config)
  one = experiment.Experiment.of(config, tmp_path / "runs")
  assert not experiment.run([one])
  (student,) = one.students
  # Its accuracy on images that it has not seen is not known.
  with open(report.write(one) / "sizes.csv", newline="") as file:
    assert [line["network of"] for line in csv.DictReader(file)] == [*config.rows]
  lines = report.table(one, {})
  assert lines[0]["accuracy (%)"] == "unknown"
  assert lines[0]["network"] == "mine"
  assert lines[1]["accuracy (%)"] == f"{100 * one.folder(student).accuracy:.2f}"
  # Its size is not known either.
  text = (report.write(one) / "report.md").read_text()
  assert "| mlp" in text.partition("Size and speed")[2]
  assert "mine" not in text.partition("Size and speed")[2].partition("MFLOPs are")[0]
  # Another teacher makes another student.
  other = {name: each + 1 for name, each in logits.items()}
  assert foreign.teacher_phase(teacher(other), student.data) not in student.teachers


def test_logits_of_views_of_another_seed_are_refused(config, exported, tmp_path):
  config.data.seed = 7
  logits = foreign.Imported("mine", np.zeros((2, 1437, 10), np.float32))
  with pytest.raises(ConfigError, match="not those of the config: they differ in 'view_seed'"):
    prediction_files.imported(config, logits, str(tmp_path), prediction_files.Kept(), str(exported))


def test_exported_views_are_normalised_and_raw_views_are_the_pixels(
  config, exported, images, tmp_path, monkeypatch
):
  traced, of = [], foreign.ViewForm.of
  monkeypatch.setattr(foreign.ViewForm, "of", lambda *args: traced.append(1) or of(*args))
  prediction_files.exported(config, str(tmp_path / "raw"), foreign.ViewForm())
  # One program for all views, and one for the images without augmentation.
  assert len(traced) == 2
  raw = np.load(tmp_path / "raw" / "clean.npy")
  dataset = experiment.load_dataset(config.data, config.run, jax.make_mesh((1,), ("data",)))
  np.testing.assert_array_equal(raw.reshape(len(raw), -1), dataset.train.images)
  assert raw.dtype == np.uint8
  own = images["clean"]
  assert own.shape == (1437, 1, 12, 12)
  assert own.dtype == np.float32
  pixels = 255 * (own.astype(np.float64) * STD[0] + MEAN[0])
  np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-3)
  np.testing.assert_allclose(pixels.mean(), raw.mean(), rtol=0.02)
  with pytest.raises(ConfigError, match="differs in 'form'; name a new folder"):
    prediction_files.exported(config, str(exported), foreign.ViewForm(12))


LABELS = np.arange(60) % 3
NAMES = "a", "b", "c"
GOOD = (5 * np.eye(3)[LABELS] + np.random.default_rng(0).normal(size=(2, 60, 3))).astype(np.float32)


def broken(change):
  logits = GOOD.copy()
  change(logits)
  return logits


def softmax(logits):
  powers = np.exp(logits.astype(np.float64))
  return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"logits": GOOD[:1]}, r"shape \[1, 60, 3\], must be \[2, 60, 3\]"),
    ({"logits": GOOD[:, :50]}, r"shape \[2, 50, 3\]"),
    ({"logits": GOOD[..., :2]}, r"shape \[2, 60, 2\]"),
    ({"clean": GOOD[0, :50]}, r"--import_clean has the shape \[50, 3\], must be \[60, 3\]"),
    ({"logits": broken(lambda x: x[1, 7].fill(np.nan))}, "view-001 are not finite, first in row 7"),
    ({"logits": softmax(GOOD)}, "are probabilities, rows in"),
    ({"logits": np.roll(GOOD, 1, axis=1)}, "near chance.*must be in the order of labels.npy"),
    ({"clean": np.roll(GOOD[0], 1, axis=0)}, "the logits of clean agree with"),
    ({"class_names": ("a", "b", "d")}, "--import_classes has other classes.*no 'c'"),
    ({"class_names": ("b", "c", "a")}, "near chance"),
  ],
)
def test_logits_that_can_not_be_of_the_views_are_refused(fields, message):
  imported = foreign.Imported(**{"name": "t", "logits": GOOD, **fields})
  with pytest.raises(ConfigError, match=message) as caught:
    foreign.check(imported, 2, LABELS, NAMES)
  assert "\n" not in str(caught.value)


def test_classes_in_another_order_are_accepted_with_their_names(capsys):
  order = [1, 2, 0]
  names = tuple(NAMES[place] for place in order)
  foreign.check(foreign.Imported("t", GOOD[..., order], None, names), 2, LABELS, NAMES)
  assert "view-001: the logits agree with 100.00%" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("content", "message"),
  [
    (np.arange(6), "must be one array of floats, has int64"),
    ("text", "--import_logits is"),
    (None, "--import_logits is"),
  ],
)
def test_files_without_logits_are_refused(content, message, tmp_path):
  file = tmp_path / "logits.npy"
  if isinstance(content, np.ndarray):
    np.save(file, content)
  elif content:
    file.write_text(content)
  with pytest.raises(Exception, match=message):
    foreign.read_logits(str(file), "--import_logits")


def test_a_normalisation_of_other_channels_is_refused():
  with pytest.raises(ConfigError, match="--view_mean has 3 numbers and --view_std 1, both must"):
    foreign.ViewForm(0, (0.5,) * 3, (0.5,)).check(1)
