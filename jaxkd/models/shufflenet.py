"""ShuffleNet V1 for CIFAR; ShuffleNet V2 1.0x for CIFAR and for ImageNet.

Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices,
2017; Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, 2018.
The CIFAR forms have a 1x1 stem without pooling, as distillation work trains them; the ImageNet form
is torchvision's.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.layers import BatchNorm, Conv, Init, Linear, Sequential, Staged
from jaxkd.models.registry import Architecture, Form, Reference

_STEM_FEATURES = 24


class Bottleneck(nnx.Module):
  """The block of V1: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; before its ReLU.

  With stride 2 the average-pooled input is concatenated, else it is added.
  """

  def __init__(self, in_features: int, out_features: int, strides: int, *, rngs: nnx.Rngs):
    width = out_features - in_features if strides == 2 else out_features
    middle = width // 4
    # The stem's few channels are not grouped.
    self.groups = 1 if in_features == _STEM_FEATURES else 3
    self.conv1 = Conv(in_features, middle, 1, groups=self.groups, rngs=rngs)
    self.bn1 = BatchNorm(middle)
    self.conv2 = Conv(middle, middle, 3, strides=strides, groups=middle, rngs=rngs)
    self.bn2 = BatchNorm(middle)
    self.conv3 = Conv(middle, width, 1, groups=3, rngs=rngs)
    self.bn3 = BatchNorm(width)
    self.strides = strides

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = layers.channel_shuffle(nnx.relu(self.bn1(self.conv1(x))), self.groups)
    y = self.bn3(self.conv3(nnx.relu(self.bn2(self.conv2(y)))))
    if self.strides == 1:
      return y + x
    return jnp.concatenate([y, layers.average_pool(x, 3, strides=2, padding=1)], -1)


class ShuffleNetV1(Staged):
  """Three stages, each of which halves the resolution."""

  classifier_name = "linear"
  stage_names = ("layer1", "layer2", "layer3")
  depths = (4, 8, 4)

  def __init__(self, *, num_classes: int, in_channels: int = 3, rngs: nnx.Rngs, **options: Any):
    super().__init__(**options)
    self.conv1 = Conv(in_channels, _STEM_FEATURES, 1, rngs=rngs)
    self.bn1 = BatchNorm(_STEM_FEATURES)
    block = functools.partial(Bottleneck, rngs=rngs)
    self.add_stages(block, (_STEM_FEATURES, 240, 480, 960), self.depths, strides=2)
    self.linear = Linear(960, num_classes, rngs=rngs)


class Unit(nnx.Module):
  """The block of V2: half of the channels pass; with stride 2 both halves are convolved.

  Returns its output before the last ReLU. The half that passes has been activated before, so
  another ReLU does not change it.
  """

  def __init__(
    self, in_features: int, out_features: int, strides: int, *, init: Init, rngs: nnx.Rngs
  ):
    half = out_features // 2
    make = functools.partial(layers.conv_bn, init=init, rngs=rngs)

    def separable(features):
      depthwise = make(features, features, 3, strides=strides, groups=features)
      return [*depthwise, *make(features, half, 1)]

    same = strides == 1
    self.branch1 = None if same else Sequential(separable(in_features))
    first = make(half if same else in_features, half, 1, nnx.relu)
    self.branch2 = Sequential([*first, *separable(half)])

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    left, right = (self.branch1(x), x) if self.branch1 else jnp.split(x, 2, axis=-1)
    return layers.channel_shuffle(jnp.concatenate([left, self.branch2(right)], -1), 2)


class ShuffleNetV2(Staged):
  """A stem, three stages that halve the resolution, a last 1x1 convolution.

  The stem is 1x1 for CIFAR, else a strided 3x3 one and a max pool.
  """

  classifier_name = "fc"
  stage_names = ("stage2", "stage3", "stage4")
  depths = (4, 8, 4)

  def __init__(
    self, *, cifar: bool, num_classes: int, in_channels: int = 3, rngs: nnx.Rngs, **options: Any
  ):
    super().__init__(**options)
    init = layers.he_fan_out if cifar else layers.torch_default
    size, strides = (1, 1) if cifar else (3, 2)
    make = functools.partial(layers.conv_bn, init=init, rngs=rngs)
    self.conv1 = make(in_channels, _STEM_FEATURES, size, nnx.relu, strides=strides)
    unit = functools.partial(Unit, init=init, rngs=rngs)
    self.add_stages(unit, (_STEM_FEATURES, 116, 232, 464), self.depths, strides=2)
    self.conv5 = make(464, 1024, 1, nnx.relu)
    init = layers.he_fan_in if cifar else layers.torch_default
    self.fc = Linear(1024, num_classes, init=init, rngs=rngs)
    self.imagenet_stem = not cifar

  def stem(self, x: jax.Array) -> jax.Array:
    """Runs `conv1`, which includes its normalisation and ReLU."""
    return self.conv1(x)

  def top(self, x: jax.Array) -> jax.Array:
    """Runs the last convolution."""
    return self.conv5(x)

  def reference_name(self, name: str) -> str:
    """The CIFAR form counts a unit's layers through both branches."""
    if self.imagenet_stem:
      return name
    if name == "fc":
      return "linear"
    stage, *unit, position = name.split(".")
    layer = int(position)
    if not unit:
      return f"{('conv', 'bn')[layer]}{1 if stage == 'conv1' else 2}"
    number, branch = unit
    # A position in `branch2` counts the ReLU behind its first two layers.
    layer -= branch == "branch2" and layer > 2
    count = 1 + layer // 2 + (2 if branch == "branch2" and number == "0" else 0)
    return f"layer{int(stage[-1]) - 1}.{number}.{('conv', 'bn')[layer % 2]}{count}"


_V1_FORMS = (Form(ShuffleNetV1, {}, 8, Reference(100, 32, 949_258)),)
_V2_FORMS = (
  Form(ShuffleNetV2, {"cifar": True}, 8, Reference(100, 32, 1_355_528)),
  Form(ShuffleNetV2, {"cifar": False}, 65, Reference(1000, 224, 2_278_604)),
)
MODELS = {
  "shufflenet_v1": Architecture("ShuffleNet", _V1_FORMS),
  "shufflenet_v2": Architecture("ShuffleNet", _V2_FORMS),
}
