"""MobileNetV2 for CIFAR and for ImageNet.

Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018.
The CIFAR form is the one that distillation work trains (width 0.5, ReLU, the
first block expanded too); the ImageNet form is torchvision's.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential
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
# The groups after which the resolution changes or the network ends.
_STAGE_ENDS = (1, 2, 4, 6)

# Timm's names of a block's layers, of those of the block that isn't widened,
# and of what is outside of the blocks.
_TIMM_BLOCK = {
  "0.0": "conv_pw",
  "0.1": "bn1",
  "1.0": "conv_dw",
  "1.1": "bn2",
  "2": "conv_pwl",
  "3": "bn3",
}
_TIMM_FIRST_BLOCK = {"0.0": "conv_dw", "0.1": "bn1", "1": "conv_pw", "2": "bn2"}
_TIMM_ENDS = {
  "conv1.0": "conv_stem",
  "conv1.1": "bn1",
  "conv2.0": "conv_head",
  "conv2.1": "bn2",
  "classifier": "classifier",
}


class InvertedResidual(nnx.Module):
  """Widens, convolves each channel, narrows without an activation.

  The input is added where the shape stays.
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    *,
    strides: int,
    expansion: int,
    expand_always: bool,
    activation: Callable[[jax.Array], jax.Array],
    rngs: nnx.Rngs,
  ):
    middle = in_features * expansion
    self.conv = Sequential()
    if expand_always or expansion > 1:
      self.conv.append(conv_bn(in_features, middle, 1, activation, rngs=rngs))
    self.conv.append(
      conv_bn(middle, middle, 3, activation, strides=strides, groups=middle, rngs=rngs)
    )
    self.conv.append(Conv(middle, out_features, 1, rngs=rngs))
    self.conv.append(BatchNorm(out_features))
    self.residual = strides == 1 and in_features == out_features

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = self.conv(x)
    return x + y if self.residual else y


def conv_bn(
  in_features: int,
  out_features: int,
  size: int,
  activation: Callable[[jax.Array], jax.Array],
  *,
  strides: int = 1,
  groups: int = 1,
  rngs: nnx.Rngs,
) -> Sequential:
  """A convolution, its normalisation and an activation."""
  conv = Conv(in_features, out_features, size, strides=strides, groups=groups, rngs=rngs)
  return Sequential([conv, BatchNorm(out_features), activation])


class MobileNetV2(Network):
  """Seven groups of inverted residuals, cut into four stages.

  A bottleneck ends without an activation, so stages and preactivations are the
  same arrays. Features are the 1280 channels of the last 1x1 convolution,
  averaged over the image.

  Args:
    cifar: the CIFAR form (ReLU, one stride less, every block expanded, no
      dropout) or the ImageNet form (ReLU6).
    width: factor of the channels; the last 1280 are kept.
    num_classes: number of classes.
    in_channels: channels of the images.
    dropout: rate of dropout before the classifier.
    dtype: what the network computes in.
    remat: recompute the blocks' activations in the backward pass.
    rngs: the streams `params` and, with dropout, `dropout` are used.
  """

  def __init__(
    self,
    *,
    cifar: bool,
    width: float,
    num_classes: int,
    in_channels: int = 3,
    dropout: float,
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    activation = nnx.relu if cifar else nnx.relu6
    features = int(32 * width)
    self.conv1 = conv_bn(in_channels, features, 3, activation, strides=2, rngs=rngs)
    self.blocks: nnx.List[Sequential] = nnx.List()
    for expansion, planes, depth, first_stride in _GROUPS:
      if cifar and planes == 24:
        first_stride = 1
      group = Sequential()
      for j in range(depth):
        group.append(
          InvertedResidual(
            features,
            int(planes * width),
            strides=first_stride if j == 0 else 1,
            expansion=expansion,
            expand_always=cifar,
            activation=activation,
            rngs=rngs,
          )
        )
        features = int(planes * width)
      self.blocks.append(group)
    self.conv2 = conv_bn(features, 1280, 1, activation, rngs=rngs)
    self.dropout = layers.dropout(dropout, rngs) if dropout else None
    self.classifier = Linear(
      1280,
      num_classes,
      init=layers.he_fan_in if cifar else layers.small_normal,
      rngs=rngs,
    )
    self.cifar = cifar
    self.dtype = dtype
    self.remat = remat

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = self.conv1(x.astype(self.dtype))
    stages = []
    for i, group in enumerate(self.blocks):
      for block in group:
        x = layers.call(block, x, remat=self.remat)
      if i in _STAGE_ENDS:
        stages.append(x)
    features = layers.global_average_pool(self.conv2(x))
    dropped = features if self.dropout is None else self.dropout(features)
    logits = self.classifier.logits(dropped)
    return Outputs(logits, features, tuple(stages), tuple(stages))

  def reference_name(self, name: str) -> str:
    """The authors flatten a block; torchvision flattens the groups too."""
    parts = name.split(".")
    if self.cifar:
      return ".".join(_authors_name(parts))
    return ".".join(_torchvision_name(parts))

  def timm_name(self, name: str) -> str:
    """Timm has the ImageNet form, with names for a block's layers."""
    if self.cifar:
      return self.reference_name(name)
    if name in _TIMM_ENDS:
      return _TIMM_ENDS[name]
    _, group, block, _, layer = name.split(".", 4)
    names = _TIMM_FIRST_BLOCK if group == "0" else _TIMM_BLOCK
    return f"blocks.{group}.{block}.{names[layer]}"


def _authors_name(parts: list[str]) -> list[str]:
  if parts == ["classifier"]:
    return ["classifier", "0"]
  if parts[0] != "blocks":
    return parts
  # Expansion, depthwise convolution and projection, each with its
  # normalisation, and a ReLU after the first two.
  step, *inner = map(int, parts[4:])
  position = 3 * step + inner[0] if inner else 6 + step - 2
  return [*parts[:4], str(position)]


def _torchvision_name(parts: list[str]) -> list[str]:
  match parts[0]:
    case "classifier":
      return ["classifier", "1"]
    case "conv1":
      return ["features", "0", *parts[1:]]
    case "conv2":
      last = 1 + sum(depth for _, _, depth, _ in _GROUPS)
      return ["features", str(last), *parts[1:]]
  group, block = int(parts[1]), int(parts[2])
  before = sum(depth for _, _, depth, _ in _GROUPS[:group])
  return ["features", str(1 + before + block), *parts[3:]]


MODELS = {
  "mobilenet_v2": Architecture(
    family="MobileNet",
    forms=(
      Form(
        network=MobileNetV2,
        settings={"cifar": True, "width": 0.5, "dropout": 0.0},
        min_image_size=16,
        reference=Reference(100, 32, 812_836),
      ),
      Form(
        network=MobileNetV2,
        settings={"cifar": False, "width": 1.0, "dropout": 0.2},
        min_image_size=65,
        reference=Reference(1000, 224, 3_504_872),
      ),
    ),
  )
}
