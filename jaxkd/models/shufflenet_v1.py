"""ShuffleNet V1 for CIFAR: three groups, a 1x1 stem.

Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network
for Mobile Devices, 2017, in the form that distillation work trains on CIFAR.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import BatchNorm, Conv, Linear, Sequential
from jaxkd.models.registry import Architecture, Form, Reference


class Bottleneck(nnx.Module):
  """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; before its ReLU.

  With stride 2 the average-pooled input is concatenated, else it is added.
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    *,
    strides: int,
    groups: int,
    rngs: nnx.Rngs,
  ):
    if strides == 2:
      out_features -= in_features
    middle = out_features // 4
    # The stem's few channels are not grouped.
    first_groups = 1 if in_features == ShuffleNetV1.stem_features else groups
    self.conv1 = Conv(in_features, middle, 1, groups=first_groups, rngs=rngs)
    self.bn1 = BatchNorm(middle)
    self.conv2 = Conv(middle, middle, 3, strides=strides, groups=middle, rngs=rngs)
    self.bn2 = BatchNorm(middle)
    self.conv3 = Conv(middle, out_features, 1, groups=groups, rngs=rngs)
    self.bn3 = BatchNorm(out_features)
    self.strides = strides
    self.shuffle_groups = first_groups

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    y = nnx.relu(self.bn1(self.conv1(x)))
    y = layers.channel_shuffle(y, self.shuffle_groups)
    y = nnx.relu(self.bn2(self.conv2(y)))
    y = self.bn3(self.conv3(y))
    if self.strides == 1:
      return y + x
    shortcut = layers.average_pool(x, 3, strides=2, padding=1)
    return jnp.concatenate([y, shortcut], -1)


class ShuffleNetV1(Network):
  """Three stages, each of which halves the resolution.

  Features are the last stage, averaged over the image.

  Args:
    num_classes: number of classes.
    in_channels: channels of the images.
    dtype: what the network computes in.
    remat: recompute the blocks' activations in the backward pass.
    rngs: the stream `params` is used.
  """

  classifier_name = "linear"
  stem_features = 24
  widths = (240, 480, 960)
  depths = (4, 8, 4)
  groups = 3

  def __init__(
    self,
    *,
    num_classes: int,
    in_channels: int = 3,
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    features = self.stem_features
    self.conv1 = Conv(in_channels, features, 1, rngs=rngs)
    self.bn1 = BatchNorm(features)
    for i, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
      blocks = Sequential()
      for j in range(depth):
        strides = 2 if j == 0 else 1
        blocks.append(Bottleneck(features, width, strides=strides, groups=self.groups, rngs=rngs))
        features = width
      setattr(self, f"layer{i + 1}", blocks)
    self.linear = Linear(features, num_classes, rngs=rngs)
    self.dtype = dtype
    self.remat = remat

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = nnx.relu(self.bn1(self.conv1(x.astype(self.dtype))))
    stages, preactivations = [], []
    for i in range(len(self.depths)):
      blocks = getattr(self, f"layer{i + 1}")
      x, preactivation = layers.run_stage(blocks, x, remat=self.remat)
      stages.append(x)
      preactivations.append(preactivation)
    features = layers.global_average_pool(x)
    logits = self.linear.logits(features)
    return Outputs(logits, features, tuple(stages), tuple(preactivations))


MODELS = {
  "shufflenet_v1": Architecture(
    family="ShuffleNet",
    forms=(
      Form(
        network=ShuffleNetV1,
        settings={},
        min_image_size=8,
        reference=Reference(100, 32, 949_258),
      ),
    ),
  )
}
