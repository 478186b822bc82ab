"""VID is the negative log likelihood of the teacher's maps."""

import jax
import numpy as np
from flax import nnx
from references import agrees, cross_entropy, differences, minimised, positive_maps
from views import STUDENT

from jaxkd import methods

# Version and loss on the batch of test_versions.py.
RECORDED = {"vid": (1, 3.8247)}
OWN, TARGET = positive_maps(0, (4, 3), (2, 2)), positive_maps(1, (2, 5), (2, 4))
OPTIONS = {"name": "vid", "weight": 2, "variance": 0.7}


def adapter():
  gaussians = methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))
  # Channels with variances of their own.
  gaussians[0].scale[...] = np.array([0.3, -0.5, 1.0, 2.0, -2.0], np.float32)
  return gaussians


def likelihood(gaussian, student, teacher, scale=None):
  relu, x = lambda x: np.maximum(x, 0), np.asarray(student, np.float64)
  first, _, second, _, third = gaussian.mean
  kernels = [np.asarray(conv.kernel[...], np.float64)[0, 0] for conv in (first, second, third)]
  mean = relu(relu(x @ kernels[0]) @ kernels[1]) @ kernels[2]
  variance = np.log1p(np.exp(gaussian.scale[...] if scale is None else scale)) + 1e-5
  return np.mean((np.asarray(teacher, np.float64) - mean) ** 2 / variance + np.log(variance)) / 2


def expected(gaussians, stages, scale=None):
  pooled = np.asarray(stages[0], np.float64).reshape(4, 2, 2, 2, 2, 3).mean((2, 4))
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))
  first = likelihood(gaussians[0], pooled, TARGET.stages[0], scale)
  return hard + 2 * (first + likelihood(gaussians[1], stages[1], TARGET.stages[1]))


def test_the_loss_equals_that_of_repdistiller():
  gaussians = adapter()
  agrees(OPTIONS, lambda x: expected(gaussians, x), "stages", OWN, TARGET, adapter=gaussians)


def test_the_variances_are_trained():
  gaussians = adapter()
  graph, params = nnx.split(gaussians)

  def total(params):
    return minimised(OPTIONS, OWN, TARGET, adapter=nnx.merge(graph, params))

  gradient = jax.jit(jax.grad(total))(params)
  scale = np.asarray(gaussians[0].scale[...], np.float64)
  slope = differences(lambda x: expected(gaussians, OWN.stages, x), scale)
  np.testing.assert_allclose(gradient[0]["scale"][...], slope, rtol=1e-4)


def test_the_first_variances_are_the_option():
  gaussians = methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))
  variance = np.log1p(np.exp(np.asarray(gaussians[1].scale[...]))) + 1e-5
  np.testing.assert_allclose(variance, 0.7, rtol=1e-6)
