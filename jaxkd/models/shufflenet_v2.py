"""ShuffleNet V2 1.0x for CIFAR and for ImageNet.

Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
Design, 2018. The CIFAR form has a 1x1 stem without pooling, as distillation
work trains it; the ImageNet form is torchvision's.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import BatchNorm, Conv, Init, Linear, Sequential
from jaxkd.models.registry import Architecture, Form, Reference


class Unit(nnx.Module):
  """Half of the channels pass; with stride 2 both halves are convolved.

  Returns its output before the last ReLU. The half that passes has been
  activated before, so another ReLU leaves it as it is.
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    *,
    strides: int,
    init: Init,
    rngs: nnx.Rngs,
  ):
    half = out_features // 2

    def depthwise(features):
      conv = Conv(
        features,
        features,
        3,
        strides=strides,
        groups=features,
        init=init,
        rngs=rngs,
      )
      return [conv, BatchNorm(features)]

    def pointwise(features):
      return [
        Conv(features, half, 1, init=init, rngs=rngs),
        BatchNorm(half),
      ]

    self.branch1 = (
      None if strides == 1 else Sequential(depthwise(in_features) + pointwise(in_features))
    )
    self.branch2 = Sequential(
      [
        *pointwise(half if strides == 1 else in_features),
        nnx.relu,
        *depthwise(half),
        *pointwise(half),
      ]
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    if self.branch1 is None:
      left, right = jnp.split(x, 2, axis=-1)
    else:
      left, right = self.branch1(x), x
    y = jnp.concatenate([left, self.branch2(right)], -1)
    return layers.channel_shuffle(y, 2)


class ShuffleNetV2(Network):
  """A stem, three stages that halve the resolution, a last 1x1 convolution.

  Features are the last convolution's output, averaged over the image.

  Args:
    cifar: the CIFAR form's 1x1 stem, or a strided 3x3 one and a max pool.
    num_classes: number of classes.
    in_channels: channels of the images.
    dtype: what the network computes in.
    remat: recompute the blocks' activations in the backward pass.
    rngs: the stream `params` is used.
  """

  classifier_name = "fc"
  stem_features = 24
  widths = (116, 232, 464)
  depths = (4, 8, 4)
  last_features = 1024

  def __init__(
    self,
    *,
    cifar: bool,
    num_classes: int,
    in_channels: int = 3,
    dtype: jnp.dtype = jnp.float32,
    remat: bool = False,
    rngs: nnx.Rngs,
  ):
    init = layers.he_fan_out if cifar else layers.torch_default
    features = self.stem_features
    self.conv1 = Sequential(
      [
        Conv(in_channels, features, 1, init=init, rngs=rngs)
        if cifar
        else Conv(in_channels, features, 3, strides=2, init=init, rngs=rngs),
        BatchNorm(features),
        nnx.relu,
      ]
    )
    for i, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
      units = Sequential()
      for j in range(depth):
        strides = 2 if j == 0 else 1
        units.append(Unit(features, width, strides=strides, init=init, rngs=rngs))
        features = width
      setattr(self, f"stage{i + 2}", units)
    self.conv5 = Sequential(
      [
        Conv(features, self.last_features, 1, init=init, rngs=rngs),
        BatchNorm(self.last_features),
        nnx.relu,
      ]
    )
    self.fc = Linear(
      self.last_features,
      num_classes,
      init=layers.he_fan_in if cifar else layers.torch_default,
      rngs=rngs,
    )
    self.cifar = cifar
    self.dtype = dtype
    self.remat = remat

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = self.conv1(x.astype(self.dtype))
    if not self.cifar:
      x = layers.max_pool(x, 3, strides=2, padding=1)
    stages, preactivations = [], []
    for i in range(len(self.depths)):
      units = getattr(self, f"stage{i + 2}")
      x, preactivation = layers.run_stage(units, x, remat=self.remat)
      stages.append(x)
      preactivations.append(preactivation)
    features = layers.global_average_pool(self.conv5(x))
    logits = self.fc.logits(features)
    return Outputs(logits, features, tuple(stages), tuple(preactivations))

  def reference_name(self, name: str) -> str:
    """The CIFAR form counts a unit's layers through both branches."""
    if not self.cifar:
      return name
    parts = name.split(".")
    match parts[0]:
      case "fc":
        return "linear"
      case "conv1" | "conv5":
        kind = ("conv", "bn")[int(parts[1])]
        return kind + ("1" if parts[0] == "conv1" else "2")
    stage, unit, branch, layer = parts
    # A position in `branch2` counts the ReLU behind its first two layers.
    position = int(layer) - (branch == "branch2" and int(layer) > 2)
    number = 1 + position // 2
    if branch == "branch2" and unit == "0":
      number += 2
    kind = ("conv", "bn")[position % 2]
    return f"layer{int(stage[-1]) - 1}.{unit}.{kind}{number}"


MODELS = {
  "shufflenet_v2": Architecture(
    family="ShuffleNet",
    forms=(
      Form(
        network=ShuffleNetV2,
        settings={"cifar": True},
        min_image_size=8,
        reference=Reference(100, 32, 1_355_528),
      ),
      Form(
        network=ShuffleNetV2,
        settings={"cifar": False},
        min_image_size=65,
        reference=Reference(1000, 224, 2_278_604),
      ),
    ),
  )
}
