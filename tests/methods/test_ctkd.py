"""CTKD distils at a learned temperature, whose gradient is reversed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import (
  agrees,
  bears_masked_classes,
  cross_entropy,
  differences,
  kl,
  minimised,
  softmax,
)
from views import STUDENT, TEACHER

from jaxkd.methods.ctkd import Temperature

# Version and loss on the batch of test_versions.py.
RECORDED = {"ctkd": (1, 5.88225)}


def temperature(number):
  adapter = Temperature()
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


def test_a_class_that_both_networks_mask_does_not_count():
  bears_masked_classes({"name": "ctkd"}, adapter=temperature(1.0))
