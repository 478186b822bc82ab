"""FitNet regresses a stage, with the toolkits' convolutions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import batch_normalized, convolved
from views import LABELS, maps, stage_sizes

from jaxkd import methods
from jaxkd.methods import View
from jaxkd.methods.fitnet import Regressor


def transposed(x, kernel):
  """Each pixel spreads over 4x4 pixels at stride 2; a border of one pixel is cut off."""
  batch, height, width, _ = x.shape
  y = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[-1]))
  for i in range(4):
    for j in range(4):
      # A pixel of the kernel lies on the other side of the output than of the input.
      spread = x @ kernel[3 - i, 3 - j]
      y[:, i : i + 2 * height : 2, j : j + 2 * width : 2] += spread
  return y[:, 1:-1, 1:-1]


def resized(x, height, width):
  """Linear interpolation between the centres of pixels."""
  for axis, size in ((1, height), (2, width)):
    old = x.shape[axis]
    centres = (np.arange(size) + 0.5) * old / size - 0.5
    along = functools.partial(np.interp, centres, np.arange(old))
    x = np.apply_along_axis(along, axis, x)
  return x


def normalized(x):
  """ReLU of batch norm by the batch, with the initial scale and bias."""
  return np.maximum(batch_normalized(x), 0)


@pytest.mark.parametrize(
  ("own", "target", "kernel", "reference"),
  [
    ((8, 8), (4, 4), 3, functools.partial(convolved, stride=2, padding=1)),
    ((8, 6), (4, 3), 3, functools.partial(convolved, stride=2, padding=1)),
    ((5, 5), (10, 10), 4, transposed),
    ((4, 4), (4, 4), 1, functools.partial(convolved, stride=1, padding=0)),
    ((6, 6), (4, 4), 3, functools.partial(convolved, stride=1, padding=0)),
    ((8, 8), (2, 2), 7, functools.partial(convolved, stride=1, padding=0)),
    # The toolkits have no regressor for these sizes.
    ((2, 2), (6, 6), 1, lambda x, kernel: resized(x, 6, 6) @ kernel[0, 0]),
    ((4, 6), (5, 9), 1, lambda x, kernel: resized(x, 5, 9) @ kernel[0, 0]),
  ],
)
def test_the_regressors_convolution_follows_the_sizes(own, target, kernel, reference):
  rng = np.random.default_rng(0)
  student = jnp.asarray(rng.normal(size=(4, *own, 3)), jnp.float32)
  teacher = jnp.zeros((4, *target, 7))
  regressor = Regressor(student, teacher, nnx.Rngs(0))
  weights = np.asarray(regressor.conv.kernel[...], np.float64)
  assert weights.shape == (kernel, kernel, 3, 7)
  # PyTorch's default; a transposed convolution counts the other side's channels.
  bound = (kernel**2 * (7 if reference is transposed else 3)) ** -0.5
  assert 0.75 * bound < np.abs(weights).max() <= bound
  expected = normalized(reference(np.asarray(student, np.float64), weights))
  assert expected.shape == teacher.shape
  np.testing.assert_allclose(regressor(student, teacher), expected, rtol=1e-4, atol=1e-5)


def test_resnet110_teaches_vgg8_as_in_the_toolkits():
  teacher, student = maps(0, *stage_sizes("resnet110")), maps(1, *stage_sizes("vgg8"))
  objective = methods.objective("fitnet")
  regressor = objective.adapter(student, (teacher,), nnx.Rngs(0))
  terms, _ = objective.loss(View(student, (teacher,), LABELS, adapter=regressor))
  own, target = (np.asarray(outputs.stages[1], np.float64) for outputs in (student, teacher))
  assert (own.shape, target.shape) == ((4, 8, 8, 256), (4, 16, 16, 32))
  hint = normalized(transposed(own, np.asarray(regressor.conv.kernel[...], np.float64)))
  expected = np.mean((hint - target) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(terms["hint"], 100 * expected, rtol=1e-5)


def test_the_regressor_computes_in_the_maps_dtype():
  student, teacher = jnp.ones((2, 4, 4, 3), jnp.bfloat16), jnp.ones((2, 8, 8, 5), jnp.bfloat16)
  regressor = nnx.eval_shape(lambda: Regressor(student, teacher, nnx.Rngs(0)))
  out = jax.eval_shape(lambda module: module(student, teacher), regressor)
  assert (out.shape, out.dtype) == (teacher.shape, jnp.bfloat16)


def test_a_stage_that_is_not_a_map_is_refused_by_fitnet():
  with pytest.raises(ValueError, match="needs stage 2 as a map, but a network has 2 stages"):
    methods.objective({"name": "fitnet", "weight": 1.0, "stage": 2}).adapter(
      maps(0, (8, 3), (4, 5)), (maps(1, (8, 2), (2, 7)),), nnx.Rngs(0)
    )
