"""CTKD distils at a learned temperature, whose gradient is reversed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import (
  agrees,
  batch_normalized,
  bears_masked_classes,
  cross_entropy,
  differences,
  float64,
  kl,
  minimised,
  softmax,
)
from views import LABELS, STUDENT, TEACHER, S, T

from jaxkd import methods
from jaxkd.methods.ctkd import GlobalTemperature

# Version and loss on the batch of test_versions.py.
RECORDED = {"ctkd": (1, 5.88225)}


def temperature(number):
  adapter = GlobalTemperature()
  adapter.number[...] = jnp.asarray(number)
  return adapter


def paper(number, low=1.0, span=20.0, lam=0.9):
  def loss(student):
    tau = low + span / (1 + np.exp(-number))
    teacher = np.asarray(TEACHER.logits, np.float64)
    soft = tau**2 * kl(softmax(teacher, tau), softmax(student, tau))
    return np.mean((1 - lam) * cross_entropy(student) + lam * soft)

  return loss


@pytest.mark.parametrize("options", [{}, {"low": 2, "span": 5, "lam": 0.5}])
def test_the_loss_equals_that_of_the_paper(options):
  agrees({"name": "ctkd", **options}, paper(-0.3, **options), adapter=temperature(-0.3))


@pytest.mark.parametrize(("epoch", "factor"), [(0, 0), (2, (1 - np.cos(np.pi / 5)) / 2), (30, 1)])
def test_the_temperature_ascends_the_loss_after_a_cosine_ramp(epoch, factor):
  def loss(number):
    view = {"progress": epoch / 240, "adapter": temperature(number)}
    return minimised("ctkd", STUDENT, TEACHER, **view)

  logits = np.asarray(STUDENT.logits, np.float64)
  slope = differences(lambda number: paper(number)(logits), np.array(0.4))
  np.testing.assert_allclose(jax.grad(loss)(jnp.float32(0.4)), -factor * slope, rtol=1e-4)


INSTANCE = {"name": "ctkd", "temperature": "instance"}


def instance_adapter(student=STUDENT, last=True):
  """The network for temperatures; `last` gives its last layer weights other than 0."""
  adapter = methods.objective(INSTANCE).adapter(student, (TEACHER,), nnx.Rngs(0))
  if last:
    adapter.last.kernel[...] = jax.random.normal(jax.random.key(1), (256, 1)) / 16
  return adapter


def instance_temperatures(adapter, student, kernel=None):
  """Temperatures of float64 logits `[B, C]`, by all classes in the teacher's order."""
  teacher = softmax(np.asarray(T, np.float64))
  order = np.argsort(-teacher, axis=-1)
  both = (np.take_along_axis(x, order, axis=-1) for x in (teacher, softmax(student)))
  hidden = np.concatenate([*both], axis=-1) @ float64(adapter.hidden.kernel)
  hidden = np.maximum(batch_normalized(hidden + float64(adapter.hidden.bias)), 0)
  kernel = float64(adapter.last.kernel) if kernel is None else kernel
  return 1 + 20 / (1 + np.exp(-(hidden @ kernel)))


def instance_loss(student, tau):
  teacher = np.asarray(T, np.float64)
  soft = tau[:, 0] ** 2 * kl(softmax(teacher / tau), softmax(student / tau))
  return np.mean(0.1 * cross_entropy(student) + 0.9 * soft)


def test_each_example_has_a_temperature_that_is_a_constant_for_the_student():
  adapter = instance_adapter()
  tau = instance_temperatures(adapter, np.asarray(S, np.float64))
  assert tau.std() > 1
  agrees(INSTANCE, lambda x: instance_loss(x, tau), adapter=adapter)


def test_all_temperatures_start_in_the_middle():
  view = methods.View(STUDENT, (TEACHER,), LABELS, adapter=instance_adapter(last=False))
  _, diagnostics = methods.objective(INSTANCE).loss(view)
  np.testing.assert_allclose(diagnostics["tau"], [11.0] * 4)


def test_the_network_for_temperatures_ascends_the_loss():
  logits, adapter = np.asarray(S, np.float64), instance_adapter()

  def loss(kernel):
    changed = nnx.clone(adapter)
    changed.last.kernel[...] = kernel
    return minimised(INSTANCE, STUDENT, TEACHER, progress=1.0, adapter=changed)

  def expected(kernel):
    return instance_loss(logits, instance_temperatures(adapter, logits, kernel))

  slope = differences(expected, float64(adapter.last.kernel))
  gradient = jax.jit(jax.grad(loss))(adapter.last.kernel[...])
  np.testing.assert_allclose(gradient, -slope, rtol=1e-3, atol=1e-4 * np.abs(slope).max())


def test_of_many_classes_the_teachers_first_100_count():
  own, theirs = (jax.random.normal(jax.random.key(seed), (4, 103)) for seed in (0, 1))
  adapter = instance_adapter(STUDENT._replace(logits=own))
  for place, same in ((100, True), (99, False)):
    # Swaps the student's logits for two classes, counted in the teacher's order.
    first, second = jnp.argsort(-theirs, axis=-1)[:, jnp.array([place, 102])].T
    rows = jnp.arange(4)
    swapped = own.at[rows, first].set(own[rows, second]).at[rows, second].set(own[rows, first])
    found, expected = adapter(swapped, theirs), adapter(own, theirs)
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5) == same


def test_a_class_that_both_networks_mask_does_not_count():
  bears_masked_classes({"name": "ctkd"}, adapter=temperature(1.0))
