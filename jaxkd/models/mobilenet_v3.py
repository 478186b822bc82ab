"""MobileNetV3, with timm's names.

Howard et al., Searching for MobileNetV3, 2019.
"""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Outputs
from jaxkd.models.efficientnet import Inverted, Row, divisible, uniform_fan_out
from jaxkd.models.layers import BatchNorm, Conv, Linear, SqueezeExcite
from jaxkd.models.registry import Architecture, Form, Reference


def _squeeze(width: int, row: Row, rngs: nnx.Rngs) -> SqueezeExcite:
  """Squeezes to a quarter of the widened channels."""
  del row
  squeezed = divisible(0.25 * width)
  return SqueezeExcite(width, squeezed, activation=nnx.relu, gate=jax.nn.hard_sigmoid, rngs=rngs)


class MobileNetV3(Inverted):
  """An `Inverted` with hard swish; a hidden layer sees the average pixel of a 1x1 convolution."""

  further_blocks = 1

  def __init__(
    self,
    *,
    groups: Sequence[Sequence[Row]],
    stem: int = 16,
    middle: int,
    features: int,
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
      activation=jax.nn.hard_swish,
      squeeze=_squeeze,
      in_channels=in_channels,
      drop_rate=drop_rate,
      drop_path_rate=drop_path_rate,
      rngs=rngs,
      **options,
    )
    self.last_conv = Conv(groups[-1][-1].width, middle, 1, rngs=rngs)
    self.last_bn1 = BatchNorm(middle)
    self.conv_head = Conv(middle, features, 1, use_bias=True, rngs=rngs)
    self.classifier = Linear(features, num_classes, init=uniform_fan_out, rngs=rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x, stages = self.run_groups(x)
    x = layers.global_average_pool(self.activation(self.last_bn1(self.last_conv(x))))
    features = self.activation(self.conv_head(x[:, None, None]))[:, 0, 0]
    return self.classify(self.head_drop(features), stages, stages)._replace(features=features)

  def reference_name(self, name: str) -> str:
    """Timm counts the last convolution as a group."""
    if name.startswith("last_"):
      return f"blocks.{len(self.blocks)}.0.{name.removeprefix('last_')}"
    return super().reference_name(name)


_SMALL = (
  (Row(1, 16, 1, 2, 3, relu=True),),
  (
    Row(4.5, 24, 1, 2, 3, squeezes=False, relu=True),
    Row(3.67, 24, 1, 1, 3, squeezes=False, relu=True),
  ),
  (Row(4, 40, 1, 2, 5), Row(6, 40, 2, 1, 5)),
  (Row(3, 48, 2, 1, 5),),
  (Row(6, 96, 3, 2, 5),),
)
_LARGE = (
  (Row(1, 16, 1, 1, 3, squeezes=False, relu=True),),
  (Row(4, 24, 1, 2, 3, squeezes=False, relu=True), Row(3, 24, 1, 1, 3, squeezes=False, relu=True)),
  (Row(3, 40, 3, 2, 5, relu=True),),
  (
    Row(6, 80, 1, 2, 3, squeezes=False),
    Row(2.5, 80, 1, 1, 3, squeezes=False),
    Row(2.3, 80, 2, 1, 3, squeezes=False),
  ),
  (Row(6, 112, 2, 1, 3),),
  (Row(6, 160, 3, 2, 5),),
)


def _entry(
  parameters: int, groups: Sequence[Sequence[Row]], middle: int, features: int
) -> Architecture:
  settings = {"groups": groups, "stem": 16, "middle": middle, "features": features}
  form = Form(MobileNetV3, settings, 32, Reference(1000, 224, parameters))
  return Architecture("MobileNet", (form,))


MODELS = {
  "mobilenetv3_small_100": _entry(2_542_856, _SMALL, middle=576, features=1024),
  "mobilenetv3_large_100": _entry(5_483_032, _LARGE, middle=960, features=1280),
}
