"""ConvNeXts, with timm's names.

Liu et al., A ConvNet for the 2020s, 2022. `convnext_atto` is timm's, in the sizes of ConvNeXt V2.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import NetworkError, Outputs
from jaxkd.models.layers import (
  Conv,
  FeedForward,
  Hierarchical,
  LayerNorm,
  Linear,
  Sequential,
  Stage,
)
from jaxkd.models.registry import Architecture, Form, Reference

_conv = functools.partial(Conv, padding=0, use_bias=True, init=layers.transformer_normal)


class ConvNeXtBlock(nnx.Module):
  """A depthwise 7x7 convolution and two linear layers, scaled by channel, beside a shortcut.

  With `pointwise` the linear layers' weights have the shape of 1x1 convolutions.
  """

  def __init__(self, features: int, pointwise: bool, drop: Callable, *, rngs: nnx.Rngs):
    self.conv_dw = _conv(features, features, 7, padding=3, groups=features, rngs=rngs)
    self.norm = LayerNorm(features)
    make = functools.partial(_conv, size=1) if pointwise else Linear
    self.mlp = FeedForward(features, make=make, rngs=rngs)
    self.gamma = nnx.Param(jnp.full(features, 1e-6))
    self.drop = drop

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, features] -> [B, H, W, features]`."""
    y = self.mlp(self.norm(self.conv_dw(x)))
    return x + self.drop(y * layers.along_channels(self.gamma[...].astype(y.dtype), y))


class ConvNeXt(Hierarchical):
  """A stem of patches, and four stages of blocks, at half of the resolution each.

  Stages are sums without an activation, so that stages and preactivations are the same arrays.
  Features are the layer norm of the average pixel. Options:
    patch_size: height and width of the stem's patches.
    drop_rate: dropout before the classifier.
    drop_path_rate: stochastic depth of the last block; see `layers.drop_paths`.
  """

  reference_names = {"^norm$": "head.norm", "^classifier$": "head.fc"}

  def __init__(
    self,
    *,
    widths: Sequence[int],
    depths: Sequence[int],
    pointwise: bool,
    num_classes: int,
    image_size: int,
    in_channels: int = 3,
    patch_size: int = 4,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    if not 1 <= patch_size <= image_size // 8:
      raise NetworkError(f"patch_size must be from 1 to {image_size // 8}, got {patch_size}")
    conv = functools.partial(_conv, rngs=rngs)
    stem = conv(in_channels, widths[0], patch_size, strides=patch_size)
    self.stem = Sequential([stem, LayerNorm(widths[0])])
    drops = iter(layers.drop_paths(drop_path_rate, sum(depths), 4, rngs))
    self.stages: nnx.List[Stage] = nnx.List()
    for before, width, depth in zip((0, *widths), widths, depths, strict=False):
      halved = [LayerNorm(before), conv(before, width, 2, strides=2)] if before else []
      blocks = [
        ConvNeXtBlock(width, pointwise, drop, rngs=rngs) for drop in itertools.islice(drops, depth)
      ]
      self.stages.append(Stage(Sequential(halved), blocks))
    self.norm = LayerNorm(widths[-1])
    self.head_drop = layers.dropout(drop_rate, rngs)
    self.classifier = Linear(widths[-1], num_classes, init=layers.transformer_normal, rngs=rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    stages = self.run_stages(self.stem(x.astype(self.dtype)))
    features = self.norm(layers.global_average_pool(stages[-1]))
    return self.classify(self.head_drop(features), stages, stages)._replace(features=features)


def _entry(
  parameters: int, width: int, depths: Sequence[int], pointwise: bool = False
) -> Architecture:
  settings = {"widths": [width * 2**i for i in range(4)], "depths": depths, "pointwise": pointwise}
  form = Form(ConvNeXt, settings, 8, Reference(1000, 224, parameters))
  return Architecture("ConvNeXt", (form,))


MODELS = {
  "convnext_atto": _entry(3_695_520, 40, (2, 2, 6, 2), pointwise=True),
  "convnext_tiny": _entry(28_589_128, 96, (3, 3, 9, 3)),
  "convnext_small": _entry(50_223_688, 96, (3, 3, 27, 3)),
  "convnext_base": _entry(88_591_464, 128, (3, 3, 27, 3)),
}
