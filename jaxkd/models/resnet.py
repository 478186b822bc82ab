"""Residual networks: the CIFAR series of 6n+2 layers, and torchvision's for ImageNet.

He et al., Deep Residual Learning for Image Recognition, 2015; Zagoruyko and Komodakis, Wide
Residual Networks, 2016. The series `resnet20` follows the authors of ATS: where the shape changes,
the shortcut is a projection with batch normalisation (the paper's option B). In the series
`resnet20_a` the shortcut has no parameters (option A); layers have the names of
akamaster/pytorch_resnet_cifar10, which publishes weights for CIFAR-10.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential, Staged
from jaxkd.models.registry import Architecture, Form, Reference


class Projection(Sequential):
  """A shortcut to another shape: a 1x1 convolution, normalised."""

  def __init__(self, in_features: int, out_features: int, strides: int, rngs: nnx.Rngs):
    conv = Conv(in_features, out_features, 1, strides=strides, rngs=rngs)
    super().__init__([conv, BatchNorm(out_features)])


class ZeroPadding(nnx.Module):
  """A shortcut to another shape: skipped pixels, and zero channels on both sides."""

  def __init__(self, in_features: int, out_features: int, strides: int, rngs: nnx.Rngs):
    self.zeros = (out_features - in_features) // 2
    self.strides = strides

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    x = x[:, :: self.strides, :: self.strides]
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (self.zeros, self.zeros)))


class BasicBlock(nnx.Module):
  """Two 3x3 convolutions and a shortcut; the output is before its ReLU."""

  expansion = 1

  def __init__(
    self,
    in_features: int,
    planes: int,
    strides: int,
    *,
    shortcut: type[Projection] | type[ZeroPadding] = Projection,
    rngs: nnx.Rngs,
  ):
    self.conv1 = Conv(in_features, planes, 3, strides=strides, rngs=rngs)
    self.bn1 = BatchNorm(planes)
    self.conv2 = Conv(planes, planes, 3, rngs=rngs)
    self.bn2 = BatchNorm(planes)
    same = strides == 1 and in_features == planes
    self.downsample = None if same else shortcut(in_features, planes, strides, rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = self.bn2(self.conv2(nnx.relu(self.bn1(self.conv1(x)))))
    return y + (x if self.downsample is None else self.downsample(x))


class Bottleneck(nnx.Module):
  """1x1, (grouped) 3x3 and 1x1 convolutions and a shortcut, before its ReLU.

  The stride is in the 3x3 convolution, as in torchvision.
  """

  expansion = 4

  def __init__(
    self,
    in_features: int,
    out_features: int,
    strides: int,
    *,
    groups: int = 1,
    base_width: int = 64,
    rngs: nnx.Rngs,
  ):
    width = out_features // self.expansion * base_width // 64 * groups
    self.conv1 = Conv(in_features, width, 1, rngs=rngs)
    self.bn1 = BatchNorm(width)
    self.conv2 = Conv(width, width, 3, strides=strides, groups=groups, rngs=rngs)
    self.bn2 = BatchNorm(width)
    self.conv3 = Conv(width, out_features, 1, rngs=rngs)
    self.bn3 = BatchNorm(out_features)
    same = strides == 1 and in_features == out_features
    self.downsample = None if same else Projection(in_features, out_features, strides, rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = nnx.relu(self.bn1(self.conv1(x)))
    y = self.bn3(self.conv3(nnx.relu(self.bn2(self.conv2(y)))))
    return y + (x if self.downsample is None else self.downsample(x))


class ResNet(Staged):
  """A residual network for CIFAR or, with the larger stem, for ImageNet.

  Args:
    block: the residual block.
    block_options: further arguments of the block.
    planes: the blocks' planes in each stage; the stem has as many as the first.
    depths: the number of blocks in each stage.
    imagenet_stem: a 7x7 stem of stride 2 and a max pool, rather than 3x3.
  """

  classifier_name = "fc"

  def __init__(
    self,
    *,
    block: type[BasicBlock] | type[Bottleneck],
    block_options: Mapping[str, Any],
    planes: Sequence[int],
    depths: Sequence[int],
    imagenet_stem: bool,
    num_classes: int,
    in_channels: int = 3,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    size, strides = (7, 2) if imagenet_stem else (3, 1)
    self.conv1 = Conv(in_channels, planes[0], size, strides=strides, rngs=rngs)
    self.bn1 = BatchNorm(planes[0])
    self.stage_names = tuple(f"layer{i + 1}" for i in range(len(depths)))
    features = [planes[0], *(width * block.expansion for width in planes)]
    make_block = functools.partial(block, rngs=rngs, **block_options)
    self.add_stages(make_block, features, depths, first_stride=1)
    init = layers.torch_default if imagenet_stem else layers.he_fan_in
    self.fc = Linear(features[-1], num_classes, init=init, rngs=rngs)
    self.imagenet_stem = imagenet_stem

  def stem(self, x: jax.Array) -> jax.Array:
    """The convolution and, for ImageNet, a max pool."""
    x = super().stem(x)
    return layers.max_pool(x, 3, strides=2, padding=1) if self.imagenet_stem else x


class OptionAResNet(ResNet):
  """A ResNet with the names of akamaster/pytorch_resnet_cifar10."""

  def reference_name(self, name: str) -> str:
    """Its last layer is called `linear`."""
    return "linear" if name == "fc" else name


def architecture(
  family: str,
  block: type[BasicBlock] | type[Bottleneck],
  depths: Sequence[int],
  parameters: int,
  planes: Sequence[int] = (64, 128, 256, 512),
  network: type[ResNet] = ResNet,
  **block_options: Any,
) -> Architecture:
  """Returns an entry of `MODELS`, for CIFAR if it has three stages, else for ImageNet."""
  imagenet = len(planes) == 4
  settings: dict[str, Any] = {"block": block, "block_options": block_options}
  settings |= {"planes": planes, "depths": depths}
  reference = Reference(1000, 224, parameters) if imagenet else Reference(100, 32, parameters)
  settings["imagenet_stem"] = imagenet
  return Architecture(family, (Form(network, settings, 32 if imagenet else 4, reference),))


def _cifar(depth: int, parameters: int, **options: Any) -> Architecture:
  depths = ((depth - 2) // 6,) * 3
  return architecture("ResNet", BasicBlock, depths, parameters, (16, 32, 64), **options)


# Parameters for CIFAR-100 by depth: as the authors' networks have them, and of option A.
_PARAMETERS = {
  8: 83_892,
  14: 181_108,
  20: 278_324,
  32: 472_756,
  44: 667_188,
  56: 861_620,
  110: 1_736_564,
}
_OPTION_A = {20: 275_572, 32: 470_004, 44: 664_436, 56: 858_868, 110: 1_733_812}

MODELS = {
  **{f"resnet{depth}": _cifar(depth, n) for depth, n in _PARAMETERS.items()},
  **{
    f"resnet{depth}_a": _cifar(depth, n, network=OptionAResNet, shortcut=ZeroPadding)
    for depth, n in _OPTION_A.items()
  },
  "resnet18": architecture("ResNet", BasicBlock, (2, 2, 2, 2), 11_689_512),
  "resnet34": architecture("ResNet", BasicBlock, (3, 4, 6, 3), 21_797_672),
  "resnet50": architecture("ResNet", Bottleneck, (3, 4, 6, 3), 25_557_032),
  "wide_resnet26_2": architecture(
    "WideResNet", Bottleneck, (2, 2, 2, 2), 39_673_640, base_width=128
  ),
  "wide_resnet50_2": architecture(
    "WideResNet", Bottleneck, (3, 4, 6, 3), 68_883_240, base_width=128
  ),
}
