"""RegNets with squeeze and excitation, with timm's names.

Radosavovic et al., Designing Network Design Spaces, 2020. Widths and depths are those of the
paper's `RegNetY-200MF` to `RegNetY-1.6GF`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.layers import Linear, SqueezeExcite, Staged, conv_bn
from jaxkd.models.registry import Architecture, Form, Reference

_STEM_FEATURES = 32
_LEAVES = {"0": "conv", "1": "bn", "reduce": "fc1", "expand": "fc2"}


class Bottleneck(nnx.Module):
  """1x1, grouped 3x3 and 1x1 convolutions and a shortcut, before its ReLU.

  The channels are weighed after the grouped convolution.
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    strides: int,
    *,
    group_size: int,
    drop: Callable,
    rngs: nnx.Rngs,
  ):
    out, groups = out_features, out_features // group_size
    init = functools.partial(layers.he_fan_out, groups=groups)
    self.conv1 = conv_bn(in_features, out, 1, nnx.relu, rngs=rngs)
    self.conv2 = conv_bn(
      out, out, 3, nnx.relu, strides=strides, groups=groups, init=init, rngs=rngs
    )
    self.se = SqueezeExcite(out, round(in_features / 4), activation=nnx.relu, rngs=rngs)
    self.conv3 = conv_bn(out, out, 1, rngs=rngs)
    # A block starts as its shortcut.
    self.conv3[1].scale = nnx.Param(jnp.zeros(out))
    same = strides == 1 and in_features == out
    self.downsample = None if same else conv_bn(in_features, out, 1, strides=strides, rngs=rngs)
    self.drop = drop

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = self.drop(self.conv3(self.se(self.conv2(self.conv1(x)))))
    return y + (x if self.downsample is None else self.downsample(x))


class RegNet(Staged):
  """A strided stem and four stages, each of which halves the resolution.

  The option `drop_path_rate` is the stochastic depth of the last block; see `layers.drop_paths`.
  """

  classifier_name = "fc"
  stage_names = ("s1", "s2", "s3", "s4")

  def __init__(
    self,
    *,
    widths: Sequence[int],
    depths: Sequence[int],
    group_size: int,
    num_classes: int,
    in_channels: int = 3,
    drop_path_rate: float = 0.0,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    self.stem_conv = conv_bn(in_channels, _STEM_FEATURES, 3, nnx.relu, strides=2, rngs=rngs)
    drops = iter(layers.drop_paths(drop_path_rate, sum(depths), 4, rngs))

    def make(before: int, width: int, strides: int) -> Bottleneck:
      drop = next(drops)
      return Bottleneck(before, width, strides, group_size=group_size, drop=drop, rngs=rngs)

    self.add_stages(make, (_STEM_FEATURES, *widths), depths, strides=2)
    self.fc = Linear(widths[-1], num_classes, init=layers.small_normal, rngs=rngs)

  def stem(self, x: jax.Array) -> jax.Array:
    """Runs the first convolution, its normalisation and ReLU."""
    return self.stem_conv(x)

  def reference_name(self, name: str) -> str:
    """Timm counts a stage's blocks from 1."""
    if name == "fc":
      return "head.fc"
    *layer, leaf = name.replace("stem_conv", "stem").split(".")
    if layer[0] in self.stage_names:
      layer[1] = f"b{int(layer[1]) + 1}"
    return ".".join([*layer, _LEAVES[leaf]])


def _entry(
  parameters: int, group_size: int, widths: Sequence[int], depths: Sequence[int]
) -> Architecture:
  settings = {"widths": widths, "depths": depths, "group_size": group_size}
  form = Form(RegNet, settings, 32, Reference(1000, 224, parameters))
  return Architecture("RegNet", (form,))


MODELS = {
  "regnety_002": _entry(3_162_996, 8, (24, 56, 152, 368), (1, 1, 4, 7)),
  "regnety_004": _entry(4_344_144, 8, (48, 104, 208, 440), (1, 3, 6, 6)),
  "regnety_008": _entry(6_263_168, 16, (64, 128, 320, 768), (1, 3, 8, 2)),
  "regnety_016": _entry(11_202_430, 24, (48, 120, 336, 888), (2, 6, 17, 2)),
}
