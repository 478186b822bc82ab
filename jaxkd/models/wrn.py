"""Wide residual networks of 6n+4 layers for CIFAR, without dropout.

Zagoruyko and Komodakis, Wide Residual Networks, 2016. Normalisation and ReLU precede convolutions.
"""

import functools
from typing import Any

import jax
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Outputs
from jaxkd.models.layers import BatchNorm, Conv, Linear, Staged
from jaxkd.models.registry import Architecture, Form, Reference


class PreactivationBlock(nnx.Module):
  """Normalises first; a changed shape is projected from the activated input."""

  def __init__(self, in_features: int, out_features: int, strides: int, rngs: nnx.Rngs):
    self.bn1 = BatchNorm(in_features)
    self.conv1 = Conv(in_features, out_features, 3, strides=strides, rngs=rngs)
    self.bn2 = BatchNorm(out_features)
    self.conv2 = Conv(out_features, out_features, 3, rngs=rngs)
    same = in_features == out_features
    self.shortcut = None if same else Conv(in_features, out_features, 1, strides=strides, rngs=rngs)

  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the block's output and its input before the first ReLU.

    The latter is the preactivation of the stage that ends before this block.
    """
    preactivation = self.bn1(x)
    activated = nnx.relu(preactivation)
    y = self.conv2(nnx.relu(self.bn2(self.conv1(activated))))
    shortcut = x if self.shortcut is None else self.shortcut(activated)
    return y + shortcut, preactivation


class WideResNet(Staged):
  """Three stages of pre-activation blocks, with `width` times the widths 16, 32 and 64.

  Stages are the sums that the last blocks return, before normalisation and ReLU, as in mdistiller.
  A stage's preactivation is the stage after the normalisation that follows it, in the next stage's
  first block or before the classifier. Features are the last one's ReLU, averaged over the image.
  """

  classifier_name = "fc"
  stage_names = ("block1", "block2", "block3")
  reference_names = {"shortcut": "convShortcut", r"^(block\d)": r"\1.layer"}

  def __init__(
    self,
    *,
    depth: int,
    width: int,
    num_classes: int,
    in_channels: int = 3,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    if depth < 10 or depth % 6 != 4:
      raise ValueError(f"depth must be 6n+4 with n >= 1, got {depth}")
    self.conv1 = Conv(in_channels, 16, 3, rngs=rngs)
    block = functools.partial(PreactivationBlock, rngs=rngs)
    features = (16, 16 * width, 32 * width, 64 * width)
    self.add_stages(block, features, ((depth - 4) // 6,) * 3, strides=1)
    self.bn1 = BatchNorm(64 * width)
    self.fc = Linear(64 * width, num_classes, rngs=rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = self.conv1(x.astype(self.dtype))
    stages, preactivations = [], []
    for name in self.stage_names:
      for j, block in enumerate(getattr(self, name)):
        x, preactivation = self.run(block, x)
        if j == 0:
          preactivations.append(preactivation)
      stages.append(x)
    # The first is the stem's, which is no stage.
    preactivations = [*preactivations[1:], self.bn1(x)]
    x = nnx.relu(preactivations[-1])
    return self.classify(layers.global_average_pool(x), stages, preactivations, x)


# Depths and widths, and their parameters for CIFAR-100.
_SIZES = ((16, 2), (28, 1), (28, 2), (28, 3), (28, 4), (28, 8), (40, 1), (40, 2))
_PARAMETERS = (703_284, 375_348, 1_479_220, 3_311_412, 5_872_180, 23_401_012, 569_780, 2_255_156)

MODELS = {
  f"wrn{depth}_{width}": Architecture(
    "WideResNet",
    (Form(WideResNet, {"depth": depth, "width": width}, 4, Reference(100, 32, parameters)),),
  )
  for (depth, width), parameters in zip(_SIZES, _PARAMETERS, strict=True)
}
