"""Residual networks: the CIFAR series of 6n+2 layers, and torchvision's for ImageNet.

He et al., Deep Residual Learning for Image Recognition, 2015; Zagoruyko and Komodakis, Wide
Residual Networks, 2016. The series `resnet20` follows the authors of ATS: where the shape changes,
the shortcut is a projection with batch normalisation (the paper's option B). In the series
`resnet20_a` the shortcut has no parameters (option A); layers have the names of
akamaster/pytorch_resnet_cifar10, which publishes weights for CIFAR-10.
RepDistiller defines `resnet8x4`, `resnet32x4` and the form of `resnet50` for CIFAR.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential, Staged
from jaxkd.models.registry import Architecture, Form, Reference


def _project(in_features: int, out_features: int, strides: int, rngs: nnx.Rngs) -> Sequential:
  """A shortcut to another shape: a 1x1 convolution, normalised."""
  return layers.conv_bn(in_features, out_features, 1, strides=strides, rngs=rngs)


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
    shortcut: Callable[..., Callable[[jax.Array], jax.Array]] = _project,
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
    self.downsample = None if same else _project(in_features, out_features, strides, rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = nnx.relu(self.bn1(self.conv1(x)))
    y = self.bn3(self.conv3(nnx.relu(self.bn2(self.conv2(y)))))
    return y + (x if self.downsample is None else self.downsample(x))


class ResNet(Staged):
  """A residual network for CIFAR or, with a 7x7 stem of stride 2 and a max pool, for ImageNet.

  Each stage has `depths` blocks of so many `planes`; the stem has `stem` channels, by default as
  many as the first stage has planes.
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
    stem: int | None = None,
    num_classes: int,
    in_channels: int = 3,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    size, strides = (7, 2) if imagenet_stem else (3, 1)
    stem = stem or planes[0]
    self.conv1 = Conv(in_channels, stem, size, strides=strides, rngs=rngs)
    self.bn1 = BatchNorm(stem)
    self.stage_names = tuple(f"layer{i + 1}" for i in range(len(depths)))
    features = [stem, *(width * block.expansion for width in planes)]
    make_block = functools.partial(block, rngs=rngs, **block_options)
    self.add_stages(make_block, features, depths, strides=1)
    init = layers.torch_default if imagenet_stem else layers.he_fan_in
    self.fc = Linear(features[-1], num_classes, init=init, rngs=rngs)
    self.imagenet_stem = imagenet_stem


class OptionAResNet(ResNet):
  """A ResNet with the names of akamaster/pytorch_resnet_cifar10."""

  reference_names = {"^fc$": "linear"}


class RepDistillerResNet(ResNet):
  """A ResNet with the names of RepDistiller's `ResNet50`."""

  reference_names = {"^fc$": "linear", "downsample": "shortcut"}


def entry(
  family: str,
  block: type[BasicBlock] | type[Bottleneck],
  depths: Sequence[int],
  parameters: int,
  planes: Sequence[int] = (64, 128, 256, 512),
  network: type[ResNet] = ResNet,
  imagenet: bool = True,
  stem: int | None = None,
  **block_options: Any,
) -> Architecture:
  """Returns an entry of `MODELS` with one form, for ImageNet or for CIFAR."""
  settings: dict[str, Any] = {"block": block, "block_options": block_options, "planes": planes}
  settings |= {"depths": depths, "imagenet_stem": imagenet, "stem": stem}
  reference = Reference(1000, 224, parameters) if imagenet else Reference(100, 32, parameters)
  return Architecture(family, (Form(network, settings, 32 if imagenet else 4, reference),))


# A block in each of the three stages adds 97,216 parameters.
_cifar = functools.partial(entry, "ResNet", BasicBlock, planes=(16, 32, 64), imagenet=False)
_option_a = functools.partial(_cifar, network=OptionAResNet, shortcut=ZeroPadding)
_times_4 = functools.partial(_cifar, planes=(64, 128, 256), stem=32)
_resnet50 = functools.partial(entry, "ResNet", Bottleneck, (3, 4, 6, 3))

MODELS = {
  **{f"resnet{6 * n + 2}": _cifar((n,) * 3, 97_216 * n - 13_324) for n in (1, 2, 3, 5, 7, 9, 18)},
  **{f"resnet{6 * n + 2}_a": _option_a((n,) * 3, 97_216 * n - 16_076) for n in (3, 5, 7, 9, 18)},
  "resnet8x4": _times_4((1, 1, 1), 1_233_540),
  "resnet32x4": _times_4((5, 5, 5), 7_433_860),
  "resnet18": entry("ResNet", BasicBlock, (2, 2, 2, 2), 11_689_512),
  "resnet34": entry("ResNet", BasicBlock, (3, 4, 6, 3), 21_797_672),
  # Larger images, as Tiny ImageNet's 64x64, keep the ImageNet form.
  "resnet50": Architecture(
    "ResNet",
    (
      *_resnet50(23_705_252, network=RepDistillerResNet, imagenet=False).forms,
      _resnet50(25_557_032).forms[0]._replace(min_image_size=33),
    ),
  ),
  "wide_resnet26_2": entry("WideResNet", Bottleneck, (2, 2, 2, 2), 39_673_640, base_width=128),
  "wide_resnet50_2": entry("WideResNet", Bottleneck, (3, 4, 6, 3), 68_883_240, base_width=128),
}
