"""A given teacher has its own normalisation, and its classes in the student's order."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxkd import data
from jaxkd.common.errors import ConfigError
from jaxkd.reports import card
from jaxkd.runs import experiment, exporting, planning, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import validate
from jaxkd.training import sharding

NAMES = ("circle", "square", "star")


def register(name, class_names=NAMES, mean=0.5, std=0.25, size=8, channels=1):
  """Registers random images; classes of one name have the same brightness in every data set."""

  def load():
    rng = np.random.default_rng(0)

    def split(count):
      labels = np.arange(count) % len(class_names)
      brightness = np.array([sum(map(ord, each)) % 128 for each in class_names])
      noise = rng.integers(0, 100, (count, size, size, channels))
      return (noise + brightness[labels][:, None, None, None]).astype(np.uint8), labels

    return split(96), split(24)

  data.register(name, load, class_names=class_names, mean=mean, std=std)


@pytest.fixture
def config(tiny_config):
  """An experiment on the data set `theirs`, whose teacher trains for a step or two."""
  register("theirs")
  tiny_config.data.name, tiny_config.data.batch_size = "theirs", 32
  tiny_config.rows = ("kd",)
  return tiny_config


@pytest.fixture(scope="module")
def teacher(make_tiny_config, tmp_path_factory):
  """The folder of a teacher that was trained on `theirs`."""
  register("theirs")
  config = make_tiny_config()
  config.data.name, config.data.batch_size = "theirs", 32
  config.rows = ("nokd",)
  one = experiment.Experiment.of(config, tmp_path_factory.mktemp("theirs"))
  assert not experiment.run([one])
  ((phase,),) = one.rows.values()
  return one.folder(phase)


def loaded(teacher, config):
  """Returns the teacher, loaded for the data of a config, and the data set."""
  mesh = sharding.mesh()
  dataset = experiment.load_dataset(config.data, config.run, mesh)
  return teachers.load(teacher, dataset, mesh), dataset


def logits_of(teacher, images, mean, std):
  """Returns a teacher's logits on images normalised by hand."""
  model = planning.network(teacher.phase)
  nnx.update(model, *teachers.load_network(teacher, sharding.mesh())[1])
  model.eval()
  return model(jnp.asarray((images / 255 - mean) / std, jnp.float32))


def test_a_teacher_sees_images_normalised_as_in_its_own_training(teacher, config):
  register("ours", mean=0.1, std=0.7)
  config.data.name = "ours"
  loaded_teacher, dataset = loaded(teacher, config)
  images = np.asarray(dataset.evaluated.images)
  given = jax.jit(loaded_teacher.network.apply)(loaded_teacher.variables, jnp.asarray(images))
  expected = logits_of(teacher, images.astype(np.float64), 0.5, 0.25)
  np.testing.assert_allclose(given.logits, expected, rtol=1e-4, atol=1e-5)
  wrong = logits_of(teacher, images.astype(np.float64), 0.1, 0.7)
  assert not np.allclose(given.logits, wrong, rtol=1e-2)


def test_classes_in_another_order_are_permuted(teacher, config):
  register("ours", ("star", "circle", "square"))
  config.data.name = "ours"
  loaded_teacher, dataset = loaded(teacher, config)
  assert loaded_teacher.network.classes == (2, 0, 1)
  images = np.asarray(dataset.evaluated.images)
  given = loaded_teacher.network.apply(loaded_teacher.variables, jnp.asarray(images))
  own = np.asarray(logits_of(teacher, images.astype(np.float64), 0.5, 0.25))
  np.testing.assert_allclose(given.logits, own[:, [2, 0, 1]], rtol=1e-4, atol=1e-5)


def test_a_student_learns_from_a_teacher_of_permuted_classes(
  teacher, config, run_experiment, tmp_path
):
  register("ours", ("star", "circle", "square"), mean=0.1)
  config.data.name, config.teacher.checkpoint = "ours", str(teacher.path)
  validate(config)
  run_experiment(config, tmp_path)
  student = PhaseFolder.of(tmp_path, planning.student(config, "kd", 0))
  assert student.phase.teachers == (teacher.phase,)
  assert student.result()["class_names"] == ["star", "circle", "square"]


@pytest.mark.parametrize(
  ("changed", "message"),
  [
    ({"class_names": ("circle", "square", "moon")}, "other classes than those of ours; .*'moon'"),
    ({"class_names": ("circle", "square")}, "num_classes 3, must have been with num_classes 2"),
    ({"size": 12}, "image_size 8, must have been with image_size 12"),
    ({"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}, "channels 1, must .* channels 3"),
  ],
  ids=["classes", "number of classes", "image size", "channels"],
)
def test_a_teacher_of_other_images_or_classes_is_refused(teacher, config, changed, message):
  register("ours", **changed)
  config.data.name, config.teacher.checkpoint = "ours", str(teacher.path)
  with pytest.raises(ConfigError, match=message) as caught:
    validate(config)
  assert str(teacher.path) in str(caught.value)
  assert "\n" not in str(caught.value)


def test_a_teacher_of_another_published_set_is_refused(tiny_config, tmp_path):
  # The data set is not prepared, so its class names are unknown.
  tiny_config.rows = ("kd",)
  theirs = tiny_config.copy_and_resolve_references()
  theirs.data.name = "mnist"
  theirs.data.data_dir = str(tmp_path)
  folder = PhaseFolder.of(tmp_path, planning.teacher(theirs))
  folder.create()
  folder.finish({})
  tiny_config.teacher.checkpoint = str(folder.path)
  with pytest.raises(ConfigError, match=r"image_size 28, must have been with image_size 8"):
    validate(tiny_config)


def test_a_residual_is_refused_as_a_teacher(tiny_config, tmp_path):
  residual = dataclasses.replace(planning.student(tiny_config, "reskd", 0), location="")
  folder = PhaseFolder.of(tmp_path, residual)
  folder.create()
  folder.finish({})
  tiny_config.rows, tiny_config.teacher.checkpoint = ("kd",), str(folder.path)
  with pytest.raises(ConfigError, match="must be of a network that predicts alone"):
    validate(tiny_config)


def resized(images, size):
  """Returns images `[N, S, S, C]` resized by triangular weights, in float64."""
  step = images.shape[1] / size
  centers = step * (np.arange(size) + 0.5)
  distance = np.abs(np.arange(images.shape[1])[None] + 0.5 - centers[:, None])
  weights = np.maximum(0, 1 - distance / max(step, 1))
  weights /= weights.sum(axis=1, keepdims=True)
  return np.einsum("oi,nijc,pj->nopc", weights, images, weights)


def test_a_teacher_of_another_image_size_sees_resized_images(teacher, config):
  register("ours", size=12)
  config.data.name, config.teacher.checkpoint = "ours", str(teacher.path)
  with pytest.raises(ConfigError, match=r"--config\.teacher\.image_size=8 resizes them"):
    validate(config)
  config.teacher.image_size = 8
  validate(config)
  found, dataset = loaded(teacher, config)
  images = np.asarray(dataset.evaluated.images).reshape(-1, 12, 12, 1)
  given = jax.jit(found.network.apply)(found.variables, jnp.asarray(images))
  expected = logits_of(teacher, resized(images.astype(np.float64), 8), 0.5, 0.25)
  np.testing.assert_allclose(given.logits, expected, rtol=1e-4, atol=1e-5)


def test_a_teacher_is_trained_at_its_own_image_size(config, tmp_path):
  plain = planning.teacher(config)
  config.teacher.image_size = 12
  phase = planning.teacher(config)
  assert phase != plain
  # The same size as the data's makes no other phase.
  config.teacher.image_size = 8
  assert planning.teacher(config) == plain
  config.teacher.image_size = 12
  validate(config)
  one = experiment.Experiment.of(config, tmp_path)
  assert not experiment.run([one])
  assert one.folder(phase).finished
  # Its first layer sees 12x12 pixels.
  arrays = jax.tree.leaves(nnx.state(planning.network(phase), nnx.Param))
  assert 144 in {array.shape[0] for array in arrays}
  # A multiplication and an addition for each weight, also in the report.
  assert planning.cost(phase).flops >= 2 * sum(x.size for x in arrays if x.ndim == 2)
  about = exporting.describe(one.folder(phase))
  assert (about["input"]["size"], about["input"]["network_size"]) == (8, 12)
  text = card.text(tmp_path / "teacher.safetensors", about, None)
  assert "resized to 12x12 pixels for the network" in text


def test_a_network_has_the_normalisation_that_its_section_gives(config, tmp_path):
  plain = planning.teacher(config)
  config.teacher.mean, config.teacher.std = (0.1,), (0.7,)
  validate(config)
  student = planning.student(config, "kd", 0)
  assert (student.data["mean"], student.teachers[0].data["mean"]) == ([0.5], [0.1])
  assert student.teachers[0] != plain
  register("ours", mean=0.1, std=0.7)
  config.rows = ("kd",)
  losses = []
  for name, mean, std in (("theirs", (0.1,), (0.7,)), ("ours", (), ())):
    config.data.name, config.teacher.mean, config.teacher.std = name, mean, std
    one = experiment.Experiment.of(config, tmp_path / name)
    assert not experiment.run([one])
    losses.append(one.folder(planning.teacher(config)).result()["test"]["loss"])
  assert losses[0] == losses[1]


@pytest.mark.parametrize(
  ("mean", "std", "option"),
  [
    ((0.5, 0.5), (0.5, 0.5), "mean"),
    ((0.5,), (), "std"),
    ((), (0.5,), "mean"),
    ((0.5,), (0.0,), "std"),
    ((123.7,), (58.4,), "mean"),
    ((0.5,), (58.4,), "std"),
  ],
  ids=["channels", "no deviation", "no mean", "zero", "of 255", "deviation of 255"],
)
def test_a_wrong_normalisation_is_refused(config, mean, std, option):
  config.teacher.mean, config.teacher.std = mean, std
  with pytest.raises(ConfigError, match=rf"config\.teacher\.{option} is .*, must be"):
    validate(config)


def test_a_finished_teacher_takes_no_other_normalisation(teacher, config):
  config.teacher.checkpoint = str(teacher.path)
  config.teacher.mean, config.teacher.std = (0.1,), (0.7,)
  with pytest.raises(ConfigError, match=r"config\.teacher\.mean is .*, must be empty"):
    validate(config)
