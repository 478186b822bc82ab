"""`jaxkd.distill` trains a user's module, from any teacher, on any data."""

import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxkd import data, distill
from jaxkd.common.errors import ConfigError

TRAIN, TEST = data.load(data.SPECS["digits"])
X, Y = np.asarray(TRAIN.images[:512], np.float32) / 255, np.asarray(TRAIN.labels[:512])
TEST_X, TEST_Y = np.asarray(TEST.images, np.float32) / 255, np.asarray(TEST.labels)


class Student(nnx.Module):
  def __init__(self, rngs):
    self.hidden = nnx.Linear(64, 32, rngs=rngs)
    self.out = nnx.Linear(32, 10, rngs=rngs)

  def __call__(self, x):
    return self.out(nnx.relu(self.hidden(x.reshape(len(x), -1))))


class LinenStudent(linen.Module):
  @linen.compact
  def __call__(self, x, train=False):
    x = linen.relu(linen.Dense(32)(x.reshape(len(x), -1)))
    x = linen.BatchNorm(use_running_average=not train)(x)
    return linen.Dense(10)(x)


class Source:
  """A random-access source of dicts, as TFDS's data sources are."""

  def __len__(self):
    return len(X)

  def __getitem__(self, index):
    return {"image": X[index], "label": Y[index]}


CENTRES = jnp.stack([jnp.mean(X[label == Y], axis=0).ravel() for label in range(10)])


def teacher(x):
  """Classifies by the nearest class mean, with an accuracy of about 90 %."""
  distances = jnp.sum((x.reshape(len(x), 1, -1) - CENTRES[None]) ** 2, axis=-1)
  return -distances


def run(student=None, teach=teacher, given=(X, Y), method="isats", **options):
  student = Student(nnx.Rngs(0)) if student is None else student
  options = {"epochs": 4, "batch_size": 64, "test": (TEST_X, TEST_Y)} | options
  return distill(student, teach, given, method, **options)


def test_a_student_learns_from_a_function():
  student = Student(nnx.Rngs(0))
  trained = run(student, epochs=15, learning_rate=0.2)
  assert trained.module is student
  assert [line["step"] for line in trained.metrics] == list(range(8, 121, 8))
  assert trained.metrics[-1]["train_loss"] < trained.metrics[0]["train_loss"]
  right = np.argmax(student(jnp.asarray(TEST_X)), axis=-1) == TEST_Y
  assert trained.metrics[-1]["test_accuracy"] == pytest.approx(right.mean())
  assert right.mean() > 0.8


def test_the_same_arguments_give_the_same_student():
  first, second = (nnx.state(run(epochs=1).module) for _ in range(2))
  jax.tree.map(np.testing.assert_array_equal, first, second)
  other = nnx.state(run(epochs=1, seed=1).module)
  assert not np.array_equal(first["out"]["kernel"][...], other["out"]["kernel"][...])


def test_a_source_and_its_arrays_give_the_same_student():
  first, second = (nnx.state(run(epochs=1, given=given).module) for given in ((X, Y), Source()))
  jax.tree.map(np.testing.assert_array_equal, first, second)


def test_a_grain_loader_trains_for_a_number_of_steps():
  batches = grain.MapDataset.source(Source()).shuffle(0).batch(64).to_iter_dataset()
  trained = run(given=batches, steps=12)
  assert trained.metrics[-1]["step"] == 12
  with pytest.raises(ConfigError, match="steps is missing"):
    run(given=batches)
  with pytest.raises(ConfigError, match="must be arrays or a source"):
    run(given=batches, steps=2, method="fgcr")


def test_a_linen_student_learns_from_a_linen_teacher():
  module = LinenStudent()
  variables = module.init(jax.random.key(0), X[:1])
  trained = run(LinenStudent(), (module, variables), method={"name": "kd", "tau": 2})
  logits = LinenStudent().apply(trained.variables, X[:8])
  np.testing.assert_allclose(logits, trained.module(jnp.asarray(X[:8])), rtol=1e-4, atol=1e-5)
  assert {"params", "batch_stats"} == trained.variables.keys()


@pytest.mark.parametrize("method", ["fgcr", "crd", "rkd"])
def test_methods_train_on_logits_or_are_refused_for_missing_features(method):
  options = {"name": method, **({"negatives": 64} if method == "crd" else {})}
  if method == "fgcr":
    assert run(method=options, epochs=1).metrics[-1]["train_soft"] > 0
  else:
    with pytest.raises(ValueError, match="needs features, but a network gives logits alone"):
      run(method=options, epochs=1)


def test_uint8_images_need_preprocess():
  images = np.asarray(TRAIN.images[:128])
  with pytest.raises(ConfigError, match="uint8 inputs: give preprocess"):
    run(given=(images, Y[:128]), test=None)
  trained = run(
    given=(images, Y[:128]), test=None, epochs=1, preprocess=lambda x: x.astype(jnp.float32) / 255
  )
  assert np.isfinite(trained.metrics[-1]["train_loss"])


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"method": "isat"}, "did you mean 'isats'"),
    ({"method": "reskd"}, "must be of one teacher and one student"),
    ({"given": (X, Y[:-1])}, "has 512 inputs and 511 labels"),
    ({"given": (X, Y.astype(np.float32))}, "labels of float32"),
    ({"given": 3}, "data is int, must be"),
    ({"given": iter([]), "steps": 2}, "data has no batches"),
    ({"test": iter([])}, "test must be arrays or a source"),
    ({"method": "multi"}, "must be of one teacher and one student"),
    ({"batch_size": 63}, "must be a multiple of 2 devices"),
    ({"batch_size": 1024}, "data has 512 examples"),
    ({"epochs": 0.001}, "epochs is 0.001, steps is None: must be one step or more"),
    ({"epochs": 0, "steps": 0}, "epochs is 0, steps is 0: must be"),
    ({"teach": lambda x: teacher(x)[:, :9]}, "the student has 10 classes, the teacher 9"),
    (
      {"teach": lambda x: teacher(x)[:1]},
      r"the teacher gives an array of shape \(1, 10\) for 2 inputs, must be \[B, C\]",
    ),
    ({"teach": "resnet"}, "teacher is str, must be"),
    ({"student": lambda x: x}, "student is function, must be"),
  ],
)
def test_a_wrong_argument_is_named(options, message):
  with pytest.raises(ConfigError, match=message):
    run(**options)


def test_an_iterable_that_ends_too_early_is_refused():
  batches = iter([(X[:64], Y[:64])] * 3)
  with pytest.raises(ConfigError, match="data ended after 3 of 5 batches"):
    run(given=batches, steps=5)
