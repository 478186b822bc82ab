"""FT compares factors of the last stages; the teacher's are the code of an autoencoder."""

import dataclasses

import jax
import numpy as np
import pytest
from flax import nnx
from references import (
  agrees,
  averaged,
  batch_normalized,
  convolved,
  cross_entropy,
  float64,
  minimised,
)
from views import STUDENT, maps

from jaxkd import methods
from jaxkd.models.layers import Conv

# Version and loss on the batch of test_versions.py.
RECORDED = {"ft": (1, 62.7505)}
OPTIONS = {"name": "ft", "weight": 30, "rate": 0.75, "reconstruction": 0.4, "init": 0.25}
OWN, TARGET = maps(0, (2, 2), (4, 3)), maps(1, (2, 4))


def adapter():
  return methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))


def layered(net, x, normalize=False):
  """3x3 convolutions, each before a leaky ReLU."""
  for conv in filter(lambda layer: isinstance(layer, Conv), net):
    x = convolved(x, float64(conv.kernel), padding=1)
    x = batch_normalized(x) if normalize else x + float64(conv.bias)
    x = np.maximum(x, 0.1 * x)
  return x


def energy(x):
  flat = np.mean(averaged(x, 2) ** 2, -1).reshape(4, -1)
  return flat / np.linalg.norm(flat, axis=-1, keepdims=True)


def expected(stage, factors):
  target = float64(TARGET.stages[0])
  code = layered(factors.encoder, target)
  assert code.shape == (4, 2, 2, 3)
  own = layered(factors.translator, stage, normalize=True)
  distance = np.mean(abs(energy(own) - energy(code)))
  error = np.mean((layered(factors.decoder, code) - target) ** 2)
  return np.mean(cross_entropy(float64(STUDENT.logits))) + 30 * distance + 0.4 * error


def test_the_loss_equals_that_of_repdistiller():
  factors = adapter()
  view = {"adapter": factors, "progress": 0.25}
  agrees(OPTIONS, lambda stages: expected(stages[1], factors), "stages", OWN, TARGET, **view)


@pytest.mark.parametrize(("progress", "learns"), [(0.2, False), (0.3, True)])
def test_the_student_learns_from_factors_once_the_paraphraser_is_trained(progress, learns):
  factors = adapter()

  def total(stages):
    own = OWN._replace(stages=stages)
    return minimised(OPTIONS, own, TARGET, adapter=factors, progress=progress)

  assert np.any(jax.jit(jax.grad(total))(OWN.stages)[-1]) == learns


def test_the_paraphraser_learns_to_reconstruct_alone():
  graph, params, statistics = nnx.split(adapter(), nnx.Param, ...)

  def gradient(weight):
    def total(params):
      factors = nnx.merge(graph, params, statistics, copy=True)
      return minimised(OPTIONS | {"weight": weight}, OWN, TARGET, adapter=factors, progress=0.5)

    return jax.jit(jax.grad(total))(params)

  without, much = gradient(0), gradient(30)
  for part in ("encoder", "decoder"):
    jax.tree.map(np.testing.assert_array_equal, without[part], much[part])
    assert all(np.any(leaf) for leaf in jax.tree.leaves(without[part]))
  assert any(np.any(leaf) for leaf in jax.tree.leaves(much["translator"]))


def test_there_is_at_least_one_factor():
  method = dataclasses.replace(methods.objective("ft"), rate=1e-3)
  assert method.adapter(OWN, (TARGET,), nnx.Rngs(0)).encoder[-2].kernel.shape[-1] == 1
