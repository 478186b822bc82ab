"""The stages are the maps that mdistiller compares, family by family."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toolkit_layers
from flax import nnx

from jaxkd import models
from jaxkd.models.layers import BatchNorm
from jaxkd.models.wrn import WideResNet


@pytest.mark.parametrize(
  ("name", "size"),
  [(name, 32) for name in toolkit_layers.CIFAR] + [(n, 224) for n in toolkit_layers.IMAGENET],
)
def test_stages_have_the_toolkits_shapes_without_the_stem(name, size):
  model = models.abstract(
    lambda rngs: models.create(name, num_classes=100, image_size=size, rngs=rngs)
  )
  images = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
  out = jax.eval_shape(lambda model, x: model.outputs(x), model, images)
  _, (_, *feats) = (toolkit_layers.CIFAR | toolkit_layers.IMAGENET)[name]
  assert [stage.shape for stage in out.stages] == [(2, s, s, channels) for s, channels in feats]


def float64(variable):
  return np.asarray(variable[...], np.float64)


def activated(x, norm):
  """ReLU of batch norm with running averages."""
  x = (x - float64(norm.mean)) / np.sqrt(float64(norm.var) + norm.epsilon)
  return np.maximum(x * float64(norm.scale) + float64(norm.bias), 0)


def convolved(x, layer):
  pad = layer.padding
  kernel = float64(layer.kernel)
  x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
  windows = windows[:, :: layer.strides, :: layer.strides]
  return np.einsum("bhwiyx,yxio->bhwo", windows, kernel)


def test_a_wrns_stages_are_the_inputs_of_the_next_blocks_batch_norm():
  model = WideResNet(depth=10, width=1, num_classes=10, rngs=nnx.Rngs(0))
  rng = np.random.default_rng(0)
  for _, norm in nnx.iter_modules(model):
    if isinstance(norm, BatchNorm):
      for variable, low in (
        (norm.scale, 0.5),
        (norm.var, 0.5),
        (norm.mean, -0.5),
        (norm.bias, -0.5),
      ):
        values = rng.uniform(low, low + 1, variable.shape)
        variable.set_value(jnp.asarray(values, jnp.float32))
  model.eval()
  images = jnp.asarray(rng.normal(size=(2, 8, 8, 3)), jnp.float32)
  out = nnx.jit(lambda model, x: model.outputs(x))(model, images)
  stages = [np.asarray(stage, np.float64) for stage in out.stages]
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)

  # With one block a stage, a stage and the next block's weights give the next stage.
  for before, stage, (block,) in zip(
    stages[:-1], stages[1:], (model.block2, model.block3), strict=True
  ):
    x = activated(before, block.bn1)
    y = convolved(activated(convolved(x, block.conv1), block.bn2), block.conv2)
    close(stage, y + convolved(x, block.shortcut))
  norms = model.block2[0].bn1, model.block3[0].bn1, model.bn1
  for stage, preactivation, norm in zip(stages, out.preactivations, norms, strict=True):
    assert stage.min() < 0
    close(np.maximum(preactivation, 0), activated(stage, norm))
  features = activated(stages[-1], model.bn1).mean((1, 2))
  close(out.features, features)
  close(out.logits, features @ float64(model.fc.kernel) + float64(model.fc.bias))
