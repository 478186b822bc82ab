"""EfficientNets, with timm's names.

Tan and Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential, SqueezeExcite
from jaxkd.models.registry import Architecture, Form, Reference


class Row(NamedTuple):
  """Equal blocks in a group; the first one may halve the resolution."""

  expansion: float  # 1: the blocks are separable convolutions
  width: int
  depth: int
  strides: int
  size: int  # of the depthwise kernels
  squeezes: bool = True
  relu: bool = False  # in place of the network's activation


def divisible(channels: float) -> int:
  """Rounds to a multiple of 8, up where the nearest would lose more than a tenth."""
  nearest = max(8, int(channels + 4) // 8 * 8)
  return nearest if nearest >= 0.9 * channels else nearest + 8


class SeparableBlock(nnx.Module):
  """Convolves each channel, weighs the channels, mixes them; a shortcut where the shape stays.

  Layers have the names of timm's `DepthwiseSeparableConv`.
  """

  def __init__(
    self,
    in_features: int,
    row: Row,
    strides: int,
    *,
    activation: Callable,
    squeeze: Callable,
    drop: Callable,
    rngs: nnx.Rngs,
  ):
    self.activation, self.drop = activation, drop
    self.residual = strides == 1 and in_features == row.width
    self.add_layers(in_features, row, strides, squeeze, rngs)

  def add_layers(
    self, width: int, row: Row, strides: int, squeeze: Callable, rngs: nnx.Rngs
  ) -> None:
    """Makes the layers between the shortcut's ends."""
    self.conv_dw, self.bn1 = _depthwise(width, row.size, strides, rngs)
    self.se = squeeze(width, row, rngs) if row.squeezes else Sequential()
    self.conv_pw = Conv(width, row.width, 1, rngs=rngs)
    self.bn2 = BatchNorm(row.width)

  def convolved(self, x: jax.Array) -> jax.Array:
    """Runs these layers."""
    return self.bn2(self.conv_pw(self.se(self.activation(self.bn1(self.conv_dw(x))))))

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', width]`."""
    y = self.convolved(x)
    return x + self.drop(y) if self.residual else y


class ExpandedBlock(SeparableBlock):
  """A `SeparableBlock` that widens first, with the names of timm's `InvertedResidual`."""

  def add_layers(
    self, width: int, row: Row, strides: int, squeeze: Callable, rngs: nnx.Rngs
  ) -> None:
    """Makes the layers between the shortcut's ends."""
    middle = divisible(width * row.expansion)
    self.conv_pw = Conv(width, middle, 1, rngs=rngs)
    self.bn1 = BatchNorm(middle)
    self.conv_dw, self.bn2 = _depthwise(middle, row.size, strides, rngs)
    self.se = squeeze(middle, row, rngs) if row.squeezes else Sequential()
    self.conv_pwl = Conv(middle, row.width, 1, rngs=rngs)
    self.bn3 = BatchNorm(row.width)

  def convolved(self, x: jax.Array) -> jax.Array:
    """Runs these layers."""
    x = self.activation(self.bn1(self.conv_pw(x)))
    return self.bn3(self.conv_pwl(self.se(self.activation(self.bn2(self.conv_dw(x))))))


def _depthwise(width: int, size: int, strides: int, rngs: nnx.Rngs) -> tuple[Conv, BatchNorm]:
  init = functools.partial(layers.he_fan_out, groups=width)
  conv = Conv(width, width, size, strides=strides, groups=width, init=init, rngs=rngs)
  return conv, BatchNorm(width)


def uniform_fan_out(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Uniform within 1 / sqrt(number of outputs), zero bias: classifiers."""
  bound = shape[-1] ** -0.5
  return jax.random.uniform(key, shape, minval=-bound, maxval=bound), jnp.zeros(shape[-1:])


class Inverted(Network):
  """The stem and the groups of blocks of an EfficientNet or a MobileNetV3.

  Stages are the outputs of the last groups at each resolution below the stem's. They end without an
  activation, so that stages and preactivations are the same arrays. Options:
    drop_rate: dropout before the classifier.
    drop_path_rate: stochastic depth; block i of n, from 0, has a rate of i / n of it.
  """

  further_blocks = 0  # of the n blocks, those after the groups
  reference_names = {r"\.se\.(reduce|expand)$": r".se.conv_\1"}

  def __init__(
    self,
    *,
    groups: Sequence[Sequence[Row]],
    stem: int,
    activation: Callable,
    squeeze: Callable[..., SqueezeExcite],
    in_channels: int,
    drop_rate: float,
    drop_path_rate: float,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    self.activation = activation
    self.conv_stem = Conv(in_channels, stem, 3, strides=2, rngs=rngs)
    self.bn1 = BatchNorm(stem)
    rows = [row for group in groups for row in group]
    counted = sum(row.depth for row in rows) + self.further_blocks
    drops = iter(layers.drop_paths(drop_path_rate, counted + 1, 4, rngs))
    self.blocks: nnx.List[Sequential] = nnx.List(Sequential() for _ in groups)
    for group, blocks in zip(groups, self.blocks, strict=True):
      for row in group:
        make = functools.partial(
          ExpandedBlock if row.expansion > 1 else SeparableBlock,
          row=row,
          activation=nnx.relu if row.relu else activation,
          squeeze=squeeze,
          rngs=rngs,
        )
        for i, drop in enumerate(itertools.islice(drops, row.depth)):
          blocks.append(make(stem, strides=1 if i else row.strides, drop=drop))
          stem = row.width
    self.head_drop = layers.dropout(drop_rate, rngs)
    strides = [group[0].strides for group in groups]
    self.stage_ends = tuple(
      i for i in range(len(groups)) if 2 in strides[: i + 1] and strides[i + 1 : i + 2] != [1]
    )

  def run_groups(self, x: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
    """Returns the last group's output, and the stages."""
    x = self.activation(self.bn1(self.conv_stem(x.astype(self.dtype))))
    stages = []
    for i, group in enumerate(self.blocks):
      for block in group:
        x = self.run(block, x)
      if i in self.stage_ends:
        stages.append(x)
    return x, stages


def _squeeze(width: int, row: Row, rngs: nnx.Rngs) -> SqueezeExcite:
  """Squeezes to a quarter of the block's inputs."""
  squeezed = round(width * (0.25 / row.expansion))
  return SqueezeExcite(width, squeezed, activation=nnx.silu, rngs=rngs)


class EfficientNet(Inverted):
  """An `Inverted` with SiLU, a 1x1 convolution, and a classifier of its average pixel."""

  def __init__(
    self,
    *,
    groups: Sequence[Sequence[Row]],
    stem: int = 32,
    features: int = 1280,
    num_classes: int,
    in_channels: int = 3,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(
      groups=groups,
      stem=stem,
      activation=nnx.silu,
      squeeze=_squeeze,
      in_channels=in_channels,
      drop_rate=drop_rate,
      drop_path_rate=drop_path_rate,
      rngs=rngs,
      **options,
    )
    self.conv_head = Conv(groups[-1][-1].width, features, 1, rngs=rngs)
    self.bn2 = BatchNorm(features)
    self.classifier = Linear(features, num_classes, init=uniform_fan_out, rngs=rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x, stages = self.run_groups(x)
    x = self.activation(self.bn2(self.conv_head(x)))
    features = layers.global_average_pool(x)
    return self.classify(self.head_drop(features), stages, stages, x)._replace(features=features)


_GROUPS = (
  (Row(1, 16, 1, 1, 3),),
  (Row(6, 24, 2, 2, 3),),
  (Row(6, 40, 2, 2, 5),),
  (Row(6, 80, 3, 2, 3),),
  (Row(6, 112, 3, 1, 5),),
  (Row(6, 192, 4, 2, 5),),
  (Row(6, 320, 1, 1, 3),),
)
# A tenth more blocks, rounded up, is one more in each group.
_DEEPER = tuple((row._replace(depth=row.depth + 1),) for (row,) in _GROUPS)


def _entry(parameters: int, image_size: int, groups: Sequence[Sequence[Row]]) -> Architecture:
  settings = {"groups": groups, "stem": 32, "features": 1280}
  form = Form(EfficientNet, settings, 32, Reference(1000, image_size, parameters))
  return Architecture("EfficientNet", (form,))


MODELS = {
  "efficientnet_b0": _entry(5_288_548, 224, _GROUPS),
  "efficientnet_b1": _entry(7_794_184, 240, _DEEPER),
}
