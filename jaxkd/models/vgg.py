"""VGG with batch normalisation and one linear layer.

Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, in
the form that distillation work trains on CIFAR.
"""

from collections.abc import Sequence
from typing import Any

import jax
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import Sequential
from jaxkd.models.registry import Architecture, Form, Reference


class VGG(Network):
  """Five blocks of `depths` 3x3 convolutions with max pools between them.

  The pool before the last block is there for images from 64 pixels on only. The first block is the
  stem. Stages are the outputs of the others before their pools, as in mdistiller; features are the
  last stage, averaged over the image, or its linear map to `feature_dim` numbers.
  """

  widths = (64, 128, 256, 512, 512)

  def __init__(
    self,
    *,
    depths: Sequence[int],
    num_classes: int,
    in_channels: int = 3,
    feature_dim: int | None = None,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    features = in_channels
    for i, (width, depth) in enumerate(zip(self.widths, depths, strict=True)):
      block = Sequential()
      for j in range(depth):
        block.extend([nnx.relu] if j else [])
        block.extend(layers.conv_bn(features, width, 3, use_bias=True, rngs=rngs))
        features = width
      setattr(self, f"block{i}", block)
    self.neck, self.classifier = layers.make_head(features, num_classes, feature_dim, rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    pools = 4 if x.shape[1] >= 64 else 3
    x = x.astype(self.dtype)
    stages, preactivations = [], []
    for i in range(len(self.widths)):
      if 1 <= i <= pools:
        x = layers.max_pool(x, 2, strides=2)
      preactivations.append(self.run(getattr(self, f"block{i}"), x))
      x = nnx.relu(preactivations[-1])
      stages.append(x)
    features = self.neck(layers.global_average_pool(x))
    return self.classify(features, stages[1:], preactivations[1:], self.neck(x))


# Convolutions in each block; parameters for CIFAR-100.
_DEPTHS = {
  8: ((1, 1, 1, 1, 1), 3_965_028),
  11: ((1, 1, 2, 2, 2), 9_277_284),
  13: ((2, 2, 2, 2, 2), 9_462_180),
  16: ((2, 2, 3, 3, 3), 14_774_436),
  19: ((2, 2, 4, 4, 4), 20_086_692),
}

MODELS = {
  f"vgg{depth}": Architecture("VGG", (Form(VGG, {"depths": depths}, 8, Reference(100, 32, n)),))
  for depth, (depths, n) in _DEPTHS.items()
}
