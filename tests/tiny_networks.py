"""Networks that compile fast, for tests of training: `tests.tiny_networks:TinyNet`."""

import functools

import jax
from flax import nnx

from jaxkd import models


class TinyNet(nnx.Module):
  """A convolution with batch statistics, dropout, and a classifier."""

  def __init__(self, num_classes, in_channels, width=8, rate=0.0, *, rngs):
    self.conv = nnx.Conv(in_channels, width, (3, 3), strides=2, rngs=rngs)
    self.norm = nnx.BatchNorm(width, rngs=rngs)
    self.dropout = nnx.Dropout(rate, rngs=rngs)
    self.classifier = nnx.Linear(width, num_classes, rngs=rngs)

  def __call__(self, x):
    stage = jax.nn.relu(self.norm(self.conv(x)))
    features = self.dropout(stage.mean((1, 2)))
    return models.Outputs(self.classifier(features), features, (stage,))


class TinyZooNet(TinyNet):
  """The same of the package's layers, so that a frozen teacher is folded."""

  def __init__(self, num_classes, in_channels, width=8, *, rngs):
    super().__init__(num_classes, in_channels, width, rngs=rngs)
    self.conv = models.layers.Conv(in_channels, width, 3, strides=2, rngs=rngs)
    self.norm = models.layers.BatchNorm(width)


TinyDropoutNet = functools.partial(TinyNet, rate=0.5)
