"""MobileNetV2 for CIFAR and for ImageNet.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018. The CIFAR form is the
one that distillation work trains (width 0.5, ReLU, the first block expanded too); the ImageNet form
is torchvision's.
"""

from typing import Any

import jax
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import Linear, Sequential, conv_bn
from jaxkd.models.registry import Architecture, Form, Reference

# Expansion, width, number of blocks and first stride of each group.
_GROUPS = (
  (1, 16, 1, 1),
  (6, 24, 2, 2),
  (6, 32, 3, 2),
  (6, 64, 4, 2),
  (6, 96, 3, 1),
  (6, 160, 3, 2),
  (6, 320, 1, 1),
)
_STAGE_ENDS = (1, 2, 4, 6)  # groups after which the resolution changes or the network ends

# Names of a block's layers: the authors', timm's, timm's in the first block; timm's other layers.
_BLOCK = ("0.0", "0.1", "1.0", "1.1", "2", "3")
_AUTHORS = dict(zip(_BLOCK, ("0", "1", "3", "4", "6", "7"), strict=True))
_TIMM = dict(zip(_BLOCK, ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"), strict=True))
_TIMM_FIRST = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_TIMM_ENDS = {"conv1.0": "conv_stem", "conv1.1": "bn1", "conv2.0": "conv_head", "conv2.1": "bn2"}


class InvertedResidual(nnx.Module):
  """Widens, convolves each channel, narrows without an activation.

  The input is added where the shape stays.
  """

  def __init__(
    self, in_features: int, width: int, out_features: int, strides: int, cifar: bool, rngs: nnx.Rngs
  ):
    activation = nnx.relu if cifar else nnx.relu6
    self.conv = Sequential()
    if cifar or width > in_features:
      self.conv.append(conv_bn(in_features, width, 1, activation, rngs=rngs))
    depthwise = conv_bn(width, width, 3, activation, strides=strides, groups=width, rngs=rngs)
    self.conv.extend([depthwise, *conv_bn(width, out_features, 1, rngs=rngs)])
    self.residual = strides == 1 and in_features == out_features

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = self.conv(x)
    return x + y if self.residual else y


class MobileNetV2(Network):
  """Seven groups of inverted residuals, cut into four stages.

  A bottleneck ends without an activation, so stages and preactivations are the same arrays.
  Features are the 1280 channels of the last 1x1 convolution, averaged over the image. The CIFAR
  form has ReLU, half of the other channels, one stride less, every block expanded, and no dropout;
  the ImageNet form has ReLU6.
  """

  def __init__(
    self, *, cifar: bool, num_classes: int, in_channels: int = 3, rngs: nnx.Rngs, **options: Any
  ):
    super().__init__(**options)
    width, activation = (0.5, nnx.relu) if cifar else (1.0, nnx.relu6)
    features = int(32 * width)
    self.conv1 = conv_bn(in_channels, features, 3, activation, strides=2, rngs=rngs)
    self.blocks: nnx.List[Sequential] = nnx.List()
    for expansion, planes, depth, first_stride in _GROUPS:
      strides = 1 if cifar and planes == 24 else first_stride
      out = int(planes * width)
      self.blocks.append(Sequential())
      for _ in range(depth):
        block = InvertedResidual(features, features * expansion, out, strides, cifar, rngs)
        self.blocks[-1].append(block)
        features, strides = out, 1
    self.conv2 = conv_bn(features, 1280, 1, activation, rngs=rngs)
    self.dropout = None if cifar else layers.dropout(0.2, rngs)
    init = layers.he_fan_in if cifar else layers.small_normal
    self.classifier = Linear(1280, num_classes, init=init, rngs=rngs)
    self.cifar = cifar

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = self.conv1(x.astype(self.dtype))
    stages = []
    for i, group in enumerate(self.blocks):
      for block in group:
        x = self.run(block, x)
      if i in _STAGE_ENDS:
        stages.append(x)
    x = self.conv2(x)
    features = layers.global_average_pool(x)
    dropped = features if self.dropout is None else self.dropout(features)
    return self.classify(dropped, stages, stages, x)._replace(features=features)

  def reference_name(self, name: str) -> str:
    """The authors flatten a block; torchvision flattens the groups instead."""
    first, _, rest = name.partition(".conv.")
    if self.cifar:
      if rest:
        return f"{first}.conv.{_AUTHORS[rest]}"
      return "classifier.0" if name == "classifier" else name
    blocks = [f"blocks.{i}.{j}" for i, group in enumerate(_GROUPS) for j in range(group[2])]
    for position, place in enumerate(("conv1", *blocks, "conv2")):
      if name.startswith(f"{place}."):
        return f"features.{position}{name.removeprefix(place)}"
    return "classifier.1"

  def timm_name(self, name: str) -> str:
    """Timm has the ImageNet form, with names for a block's layers."""
    if self.cifar:
      return self.reference_name(name)
    block, _, layer = name.partition(".conv.")
    if not layer:
      return _TIMM_ENDS.get(name, name)
    return f"{block}.{(_TIMM_FIRST if block == 'blocks.0.0' else _TIMM)[layer]}"


_FORMS = (
  Form(MobileNetV2, {"cifar": True}, 16, Reference(100, 32, 812_836)),
  Form(MobileNetV2, {"cifar": False}, 65, Reference(1000, 224, 3_504_872)),
)
MODELS = {"mobilenet_v2": Architecture("MobileNet", _FORMS)}
