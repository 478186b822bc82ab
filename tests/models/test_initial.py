"""Initial parameters have the distribution of the reference code."""

import functools
import math

import jax
import numpy as np
import pytest
from flax import nnx

from jaxkd import models
from jaxkd.models.layers import BatchNorm

# Standard deviations of the normal distributions, and bounds of the uniform
# distributions, that layers are drawn from. The authors draw a convolution with
# variance 2 / (window x output channels) and a linear layer with variance
# 2 / inputs; biases are 0. torchvision draws the convolutions of ResNets and
# MobileNetV2 like the authors. All other layers have PyTorch's default: kernel
# and bias within 1 / sqrt(window x input channels). Groups divide the inputs only.
INITIAL = {
  ("resnet8", 32): {
    "layer3.0.conv1": ("normal", math.sqrt(2 / (9 * 64))),
    "layer3.0.downsample.0": ("normal", math.sqrt(2 / 64)),
    "fc": ("normal", math.sqrt(2 / 64)),
  },
  ("wrn16_2", 32): {
    "block3.0.conv1": ("normal", math.sqrt(2 / (9 * 128))),
    "block3.0.shortcut": ("normal", math.sqrt(2 / 128)),
    "fc": ("normal", math.sqrt(2 / 128)),
  },
  ("resnext29_4x4d", 32): {
    "layer3.1.conv1": ("normal", math.sqrt(2 / 64)),
    "layer3.1.conv2": ("normal", math.sqrt(2 / (9 * 64))),
    "fc": ("normal", math.sqrt(2 / 1024)),
  },
  ("vgg8", 32): {
    "block1.0": ("normal", math.sqrt(2 / (9 * 128))),
    "classifier": ("normal", math.sqrt(2 / 512)),
  },
  ("shufflenet_v1", 32): {
    "layer3.1.conv1": ("normal", math.sqrt(2 / 240)),
    "layer3.1.conv2": ("normal", math.sqrt(2 / (9 * 240))),
    "linear": ("normal", math.sqrt(2 / 960)),
  },
  ("shufflenet_v2", 32): {
    "stage4.1.branch2.3": ("normal", math.sqrt(2 / (9 * 232))),
    "conv5.0": ("normal", math.sqrt(2 / 1024)),
    "fc": ("normal", math.sqrt(2 / 1024)),
  },
  ("shufflenet_v2", 224): {
    "stage4.1.branch2.3": ("uniform", 1 / math.sqrt(9)),
    "conv5.0": ("uniform", 1 / math.sqrt(464)),
    "fc": ("uniform", 1 / math.sqrt(1024)),
  },
  ("mobilenet_v2", 32): {
    "blocks.5.1.conv.1.0": ("normal", math.sqrt(2 / (9 * 480))),
    "conv2.0": ("normal", math.sqrt(2 / 1280)),
    "classifier": ("normal", math.sqrt(2 / 1280)),
  },
  ("mobilenet_v2", 224): {
    "blocks.5.1.conv.1.0": ("normal", math.sqrt(2 / (9 * 960))),
    "conv2.0": ("normal", math.sqrt(2 / 1280)),
    "classifier": ("normal", 0.01),
  },
  ("alexnet", 224): {
    "conv2": ("uniform", 1 / math.sqrt(25 * 64)),
    "fc3": ("uniform", 1 / math.sqrt(4096)),
  },
  ("resnet18", 224): {
    "layer4.0.conv1": ("normal", math.sqrt(2 / (9 * 512))),
    "fc": ("uniform", 1 / math.sqrt(512)),
  },
  # Timm's initial values. There a convolution's outputs are divided by its groups.
  ("deit_tiny_distilled_patch16_224", 224): {
    "patch_embed.proj": ("uniform", 1 / math.sqrt(256 * 3)),
    "blocks.11.attn.qkv": ("normal", 0.02),
    "blocks.11.mlp.fc2": ("normal", 0.02),
    "head_dist": ("normal", 0.02),
  },
  ("convnext_atto", 224): {
    "stem.0": ("normal", 0.02),
    "stages.3.blocks.1.conv_dw": ("normal", 0.02),
    "classifier": ("normal", 0.02),
  },
  ("efficientnet_b0", 224): {
    "blocks.5.1.conv_dw": ("normal", math.sqrt(2 / 25)),
    "blocks.5.1.se.reduce": ("normal", math.sqrt(2 / 48)),
    "conv_head": ("normal", math.sqrt(2 / 1280)),
  },
  ("regnety_002", 224): {
    "s4.1.conv2.0": ("normal", math.sqrt(2 / (9 * 8))),
    "fc": ("normal", 0.01),
  },
  ("mlp", 8): {
    "hidden.0": ("normal", math.sqrt(2 / 192)),
    "classifier": ("normal", math.sqrt(2 / 256)),
  },
}


def initial(name, image_size, layers):
  """Kernels and biases of some layers; XLA draws no others."""

  @jax.jit
  def draw():
    model = models.create(name, num_classes=100, image_size=image_size, rngs=nnx.Rngs(0))
    return {layer: nnx.to_pure_dict(nnx.state(at(model, layer))) for layer in layers}

  return draw()


def at(model, layer):
  return functools.reduce(
    lambda module, step: module[int(step)] if step.isdecimal() else getattr(module, step),
    layer.split("."),
    model,
  )


@pytest.mark.parametrize(("name", "image_size"), INITIAL)
def test_kernels_and_biases_have_the_reference_distribution(name, image_size):
  expected = INITIAL[name, image_size]
  for layer, drawn in initial(name, image_size, expected).items():
    distribution, scale = expected[layer]
    kernel, bias = drawn["kernel"], drawn.get("bias", np.zeros(1))
    uniform = distribution == "uniform"
    deviation = scale / math.sqrt(3) if uniform else scale
    assert kernel.std() == pytest.approx(deviation, rel=0.05), layer
    assert abs(kernel.mean()) < 0.1 * deviation, layer
    largest = abs(kernel).max() / scale
    assert 0.98 < largest <= 1 if uniform else largest > 2.5, layer
    if uniform and "bias" in drawn:
      assert bias.std() == pytest.approx(deviation, rel=0.2), layer
      assert abs(bias).max() <= scale, layer
    else:
      assert not bias.any(), layer


def test_normalisation_starts_as_the_identity():
  initial = nnx.to_pure_dict(nnx.state(BatchNorm(2)))
  expected = {"scale": 1, "bias": 0, "mean": 0, "var": 1}
  assert initial.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_array_equal(initial[name], value)
