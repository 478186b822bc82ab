"""Residual networks: the blocks, and the CIFAR series of 6n+2 layers.

He et al., Deep Residual Learning for Image Recognition, 2015. The CIFAR series
follows the authors of ATS: widths 16-16-32-64 and projection shortcuts with
batch normalisation where the shape changes.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential
from jaxkd.models.registry import Architecture, Form, Reference


class Shortcut(Sequential):
  """A 1x1 projection to another shape, normalised."""

  def __init__(self, in_features: int, out_features: int, strides: int, rngs: nnx.Rngs):
    conv = Conv(in_features, out_features, 1, strides=strides, rngs=rngs)
    super().__init__([conv, BatchNorm(out_features)])


class BasicBlock(nnx.Module):
  """Two 3x3 convolutions and a shortcut; the output is before its ReLU."""

  expansion = 1

  def __init__(self, in_features: int, planes: int, *, strides: int, rngs: nnx.Rngs):
    self.conv1 = Conv(in_features, planes, 3, strides=strides, rngs=rngs)
    self.bn1 = BatchNorm(planes)
    self.conv2 = Conv(planes, planes, 3, rngs=rngs)
    self.bn2 = BatchNorm(planes)
    self.downsample = (
      Shortcut(in_features, planes, strides, rngs)
      if strides != 1 or in_features != planes
      else None
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = nnx.relu(self.bn1(self.conv1(x)))
    y = self.bn2(self.conv2(y))
    return y + (x if self.downsample is None else self.downsample(x))


class Bottleneck(nnx.Module):
  """1x1, (grouped) 3x3 and 1x1 convolutions and a shortcut, before its ReLU.

  The stride is in the 3x3 convolution, as in torchvision.
  """

  expansion = 4

  def __init__(
    self,
    in_features: int,
    planes: int,
    *,
    strides: int,
    groups: int = 1,
    base_width: int = 64,
    rngs: nnx.Rngs,
  ):
    width = planes * base_width // 64 * groups
    out_features = planes * self.expansion
    self.conv1 = Conv(in_features, width, 1, rngs=rngs)
    self.bn1 = BatchNorm(width)
    self.conv2 = Conv(width, width, 3, strides=strides, groups=groups, rngs=rngs)
    self.bn2 = BatchNorm(width)
    self.conv3 = Conv(width, out_features, 1, rngs=rngs)
    self.bn3 = BatchNorm(out_features)
    self.downsample = (
      Shortcut(in_features, out_features, strides, rngs)
      if strides != 1 or in_features != out_features
      else None
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = nnx.relu(self.bn1(self.conv1(x)))
    y = nnx.relu(self.bn2(self.conv2(y)))
    y = self.bn3(self.conv3(y))
    return y + (x if self.downsample is None else self.downsample(x))


class ResNet(Network):
  """A residual network for CIFAR or, with the larger stem, for ImageNet.

  Stages are the groups of blocks; features are the last stage's output,
  averaged over the image.

  Args:
    block: the residual block.
    block_options: further arguments of the block.
    planes: the blocks' planes in each stage.
    depths: the number of blocks in each stage.
    stem_features: channels of the stem.
    imagenet_stem: a 7x7 stem of stride 2 and a max pool, rather than 3x3.
    num_classes: number of classes.
    in_channels: channels of the images.
    dtype: what the network computes in.
    remat: recompute the blocks' activations in the backward pass.
    rngs: the stream `params` is used.
  """

  classifier_name = "fc"

  def __init__(
    self,
    *,
    block: type[BasicBlock] | type[Bottleneck],
    block_options: Mapping[str, int],
    planes: Sequence[int],
    depths: Sequence[int],
    stem_features: int,
    imagenet_stem: bool,
    num_classes: int,
    in_channels: int = 3,
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    self.conv1 = (
      Conv(in_channels, stem_features, 7, strides=2, rngs=rngs)
      if imagenet_stem
      else Conv(in_channels, stem_features, 3, rngs=rngs)
    )
    self.bn1 = BatchNorm(stem_features)
    features = stem_features
    for i, (width, depth) in enumerate(zip(planes, depths, strict=True)):
      blocks = Sequential()
      for j in range(depth):
        strides = 2 if i > 0 and j == 0 else 1
        blocks.append(block(features, width, strides=strides, rngs=rngs, **block_options))
        features = width * block.expansion
      setattr(self, f"layer{i + 1}", blocks)
    self.fc = Linear(
      features,
      num_classes,
      init=layers.torch_default if imagenet_stem else layers.he_fan_in,
      rngs=rngs,
    )
    self.num_stages = len(depths)
    self.imagenet_stem = imagenet_stem
    self.dtype = dtype
    self.remat = remat

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = nnx.relu(self.bn1(self.conv1(x.astype(self.dtype))))
    if self.imagenet_stem:
      x = layers.max_pool(x, 3, strides=2, padding=1)
    stages, preactivations = [], []
    for i in range(self.num_stages):
      blocks = getattr(self, f"layer{i + 1}")
      x, preactivation = layers.run_stage(blocks, x, remat=self.remat)
      stages.append(x)
      preactivations.append(preactivation)
    features = layers.global_average_pool(x)
    logits = self.fc.logits(features)
    return Outputs(logits, features, tuple(stages), tuple(preactivations))


# Parameters for CIFAR-100, as the authors' networks have them.
_PARAMETERS = {
  8: 83_892,
  14: 181_108,
  20: 278_324,
  32: 472_756,
  44: 667_188,
  56: 861_620,
  110: 1_736_564,
}

MODELS = {
  f"resnet{depth}": Architecture(
    family="ResNet",
    forms=(
      Form(
        network=ResNet,
        settings={
          "block": BasicBlock,
          "block_options": {},
          "planes": (16, 32, 64),
          "depths": ((depth - 2) // 6,) * 3,
          "stem_features": 16,
          "imagenet_stem": False,
        },
        min_image_size=4,
        reference=Reference(100, 32, parameters),
      ),
    ),
  )
  for depth, parameters in _PARAMETERS.items()
}
