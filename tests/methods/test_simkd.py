"""SimKD's student has a projector and the teacher's classifier, in training and after it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import averaged, batch_normalized, convolved, differences, float64
from views import LABELS, STUDENT

from jaxkd import distill, export, methods, models
from jaxkd.common.errors import ConfigError
from jaxkd.methods import View
from jaxkd.models import Network, Reused, layers, weights
from jaxkd.runs import experiment, planning, teachers
from jaxkd.runs.store import PhaseFolder
from jaxkd.runs.validation import validate
from jaxkd.training import sharding
from jaxkd.training.step import Frozen, functional

# Version and loss on the batch of test_versions.py.
RECORDED = {"simkd": (1, 0.794562)}
OPTIONS = {"name": "simkd", "weight": 0.5, "factor": 2}


class Images(Network):
  """A network whose only stage is the image: averaged, with the channels repeated."""

  def __init__(self, size, repeats, rngs):
    self.size, self.repeats = size, repeats
    self.classifier = layers.Linear(3 * repeats, 5, rngs=rngs)

  def outputs(self, x):
    x = jnp.tile(layers.adaptive_average_pool(x, self.size), (1, 1, 1, self.repeats))
    return self.classify(layers.global_average_pool(x), [x], [x], x)


def composed(own, theirs, **options):
  """The network that SimKD trains, for maps of these sizes, and its teacher."""
  teacher = Images(theirs, 2, nnx.Rngs(1))
  teacher.classifier.bias[...] = jnp.arange(5.0)
  images = jax.ShapeDtypeStruct((4, 4, 4, 3), jnp.float32)
  method = methods.objective(OPTIONS | options)
  return method.compose(Images(own, 1, nnx.Rngs(0)), (teacher,), images, nnx.Rngs(2)), teacher


def projected(network, x, size):
  """The projector's map of float64 images, by the batch."""
  x = averaged(x, size)
  for place, padding in ((0, 0), (3, 1), (6, 0)):
    x = convolved(x, float64(network.transfer[place].kernel), padding=padding)
    x = np.maximum(batch_normalized(x), 0)
  return x


@pytest.mark.parametrize(("own", "theirs", "size"), [(4, 4, 4), (4, 2, 2), (2, 4, 2)])
def test_the_loss_is_that_of_the_authors(own, theirs, size):
  network, _ = composed(own, theirs)
  x = jax.random.normal(jax.random.key(3), (4, 4, 4, 3))
  target = jax.random.normal(jax.random.key(4), (4, theirs, theirs, 6))

  def loss(x):
    outputs = nnx.clone(network).outputs(x)
    view = View(outputs, (STUDENT._replace(averaged=target),), LABELS)
    terms, _ = methods.objective(OPTIONS).loss(view)
    return sum(map(jnp.mean, terms.values()))

  def expected(x):
    theirs = averaged(np.asarray(target, np.float64), size)
    return 0.5 * np.mean((projected(network, x, size) - theirs) ** 2)

  value, gradient = jax.jit(jax.value_and_grad(loss))(x)
  x = np.asarray(x, np.float64)
  np.testing.assert_allclose(value, expected(x), rtol=1e-5)
  slope = differences(expected, x)
  np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-4 * np.abs(slope).max())


def test_the_teachers_classifier_predicts_from_the_average():
  network, teacher = composed(4, 2)
  x = jax.random.normal(jax.random.key(3), (4, 4, 4, 3))
  outputs = network.outputs(x)
  pooled = projected(network, np.asarray(x, np.float64), 2).mean((1, 2))
  logits = pooled @ float64(teacher.classifier.kernel) + float64(teacher.classifier.bias)
  np.testing.assert_allclose(outputs.features, pooled, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 3])
def test_the_projector_has_the_parameters_of_the_docstring(factor):
  network, _ = composed(4, 4, factor=factor)
  width = 6 // factor
  count = sum(x.size for x in jax.tree.leaves(nnx.state(network, nnx.Param)))
  # The student's own classifier is gone, and its other layers have none.
  assert count == width * (3 + 9 * width + 6 + 4) + 2 * 6
  reused = nnx.state(network, Reused)
  assert sum(x.size for x in jax.tree.leaves(reused)) == 6 * 5 + 5


def test_a_projector_of_no_channels_is_refused():
  with pytest.raises(ValueError, match="factor is 7, must be at most 6"):
    composed(4, 4, factor=7)


@pytest.fixture(scope="module")
def config(make_tiny_config):
  config = make_tiny_config()
  config.rows = ("simkd",)
  for network in (config.teacher, config.student):
    network.name, network.options, network.epochs = "resnet8", {}, 0.1
  return config


@pytest.fixture(scope="module")
def trained(config, tmp_path_factory):
  """The folder of a student that was trained with SimKD for two steps, and its teacher's."""
  validate(config)
  one = experiment.Experiment.of(config, tmp_path_factory.mktemp("simkd"))
  assert not experiment.run([one])
  (student,) = one.students
  return one.folder(student), one.folder(student.teachers[0])


def loaded(folder):
  """The trained network of a folder."""
  model = planning.network(folder.phase)
  nnx.update(model, *teachers.load_network(folder, sharding.mesh())[1])
  model.eval()
  return model


def test_the_saved_student_has_the_teachers_classifier(trained):
  student, teacher = map(loaded, trained)
  np.testing.assert_array_equal(student.classifier.kernel[...], teacher.fc.kernel[...])
  np.testing.assert_array_equal(student.classifier.bias[...], teacher.fc.bias[...])
  assert isinstance(student.backbone.layer1[0].conv1.kernel, nnx.Param)


def test_the_evaluated_student_is_the_saved_one(trained, config):
  folder, _ = trained
  dataset = experiment.load_dataset(config.data, config.run, sharding.mesh())
  rows, labels = (np.asarray(x) for x in dataset.evaluated[:2])
  pixels = rows.reshape(-1, 8, 8, 1)
  mean, std = (np.float32(x) for x in (dataset.spec.mean, dataset.spec.std))
  logits = loaded(folder)(jnp.asarray((pixels / np.float32(255) - mean) / std))
  right = np.mean(np.argmax(logits, -1) == labels)
  np.testing.assert_allclose(folder.accuracy, right, atol=2 / len(labels))
  backbone = models.create("resnet8", num_classes=10, in_channels=1, image_size=8, rngs=nnx.Rngs(0))
  count = sum(x.size for x in jax.tree.leaves(nnx.state(backbone, nnx.Param)))
  assert folder.result()["parameters"] == count + 32 * (64 + 9 * 32 + 64 + 4) + 2 * 64
  assert planning.num_parameters(folder.phase) == folder.result()["parameters"]
  assert "classifier.kernel" in (folder.path / "parameters.txt").read_text().replace("/", ".")


def test_the_exported_student_has_names_of_its_reference_and_of_the_authors(trained, tmp_path):
  student, teacher = trained
  out = tmp_path / "out.safetensors"
  export.main([str(student.path), str(out)])
  found = weights.read(out)
  np.testing.assert_array_equal(found["classifier.weight"], loaded(teacher).fc.kernel[...].T)
  assert {"transfer.0.weight", "transfer.7.running_var", "backbone.bn1.bias"} <= found.keys()
  assert not any("fc" in name for name in found)


def test_the_student_teaches(trained, config, tmp_path):
  folder, _ = trained
  config = config.copy_and_resolve_references()
  config.teacher.checkpoint = str(folder.path)
  # Its classifier is reused once more.
  validate(config)
  one = experiment.Experiment.of(config, tmp_path)
  assert not experiment.run([one])
  (phase,) = one.students
  assert phase.teachers == (folder.phase,)
  student = loaded(PhaseFolder.of(tmp_path, phase))
  np.testing.assert_array_equal(
    student.classifier.kernel[...], loaded(folder).classifier.kernel[...]
  )


def test_the_classifier_has_the_students_order_of_classes(trained):
  _, folder = trained
  network, variables = functional(loaded(folder))
  order = tuple(range(9, -1, -1))
  spec = planning.spec_of(folder.phase)
  reused = Frozen(network, spec, order).module(variables)
  plain = Frozen(network, spec).module(variables)
  np.testing.assert_array_equal(reused.fc.kernel[...], plain.fc.kernel[...][:, ::-1])
  np.testing.assert_array_equal(reused.fc.bias[...], plain.fc.bias[...][::-1])


@pytest.mark.parametrize(
  ("section", "name", "message"),
  [
    ("student", "mlp", "'simkd' with student 'mlp': the method needs stage -1 as a map"),
    ("teacher", "mlp", "the method needs a teacher that is a jaxkd.models.Network and"),
    (
      "teacher",
      "tests.tiny_networks:TinyNet",
      "the method needs a teacher that is a jaxkd.models.Network",
    ),
  ],
)
def test_networks_without_the_needed_maps_are_refused(config, section, name, message):
  config = config.copy_and_resolve_references()
  config[section].name = name
  with pytest.raises(ConfigError, match=message):
    validate(config)


def test_given_weights_start_the_backbone_and_must_be_trained(config, trained, tmp_path):
  _, teacher = trained
  config = config.copy_and_resolve_references()
  config.student.init_from = str(tmp_path / "teacher.safetensors")
  weights.write(config.student.init_from, weights.to_torch(loaded(teacher)))
  validate(config)
  config.student.epochs = 0
  with pytest.raises(ConfigError, match="is 0, must be > 0: 'simkd' adds layers"):
    validate(config)


def test_distill_returns_the_whole_student(trained):
  _, folder = trained
  teacher = loaded(folder)
  student = models.create("resnet8", num_classes=10, in_channels=1, image_size=8, rngs=nnx.Rngs(0))
  x, y = jnp.ones((16, 8, 8, 1)), jnp.arange(16) % 10
  before = jax.tree.map(jnp.copy, nnx.state(student))
  done = distill(student, teacher, (x, y), "simkd", steps=2, batch_size=8, test=(x, y))
  assert done.module is not student
  jax.tree.map(np.testing.assert_array_equal, nnx.state(student), before)
  np.testing.assert_array_equal(done.module.classifier.kernel[...], teacher.fc.kernel[...])
  right = np.mean(np.argmax(done.module(x), -1) == y)
  assert done.metrics[-1]["test_accuracy"] == pytest.approx(right)
  with pytest.raises(ConfigError, match=r"needs a jaxkd.models.Network as teacher"):
    distill(student, lambda x: jnp.zeros((len(x), 10)), (x, y), "simkd", steps=1, batch_size=8)
