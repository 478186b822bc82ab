"""AlexNet, in torchvision's form, with a second geometry for small images.

Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014. Both geometries
have the same parameters, so that ImageNet weights fit both.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import Conv, Linear, torch_default
from jaxkd.models.registry import Architecture, Form, Reference


class AlexNet(Network):
  """Five convolutions with three max pools, three linear layers with dropout.

  The form for small images halves the stem's stride and leaves the last pool out: from 64x64 images
  the classifier gets the 6x6 map that it gets from 224x224 ones in the other form. Stages end
  before the pools (the last one always with the fifth convolution). The first convolution is a
  stage, not a stem, so that the maps are nearly as large as an ImageNet ResNet's. Features are the
  second linear layer after its ReLU.
  """

  classifier_name = "fc3"
  # Torchvision counts ReLUs, pools and dropout as layers too.
  reference_names = {
    **{f"conv{i + 1}": f"features.{n}" for i, n in enumerate((0, 3, 6, 8, 10))},
    **{f"fc{i + 1}": f"classifier.{n}" for i, n in enumerate((1, 4, 6))},
  }
  grid = 6

  def __init__(
    self,
    *,
    small: bool,
    num_classes: int,
    in_channels: int = 3,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
  ):
    super().__init__(dtype=dtype)
    conv = functools.partial(Conv, use_bias=True, init=torch_default, rngs=rngs)
    linear = functools.partial(Linear, init=torch_default, rngs=rngs)
    self.conv1 = conv(in_channels, 64, 11, strides=2 if small else 4, padding=2)
    self.conv2 = conv(64, 192, 5)
    self.conv3 = conv(192, 384, 3)
    self.conv4 = conv(384, 256, 3)
    self.conv5 = conv(256, 256, 3)
    self.dropout1 = layers.dropout(0.5, rngs)
    self.fc1 = linear(256 * self.grid**2, 4096)
    self.dropout2 = layers.dropout(0.5, rngs)
    self.fc2 = linear(4096, 4096)
    self.fc3 = linear(4096, num_classes)
    self.small = small

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    first = self.conv1(x.astype(self.dtype))
    second = self.conv2(layers.max_pool(nnx.relu(first), 3, strides=2))
    x = layers.max_pool(nnx.relu(second), 3, strides=2)
    third = self.conv5(nnx.relu(self.conv4(nnx.relu(self.conv3(x)))))
    preactivations = first, second, third
    stages = tuple(nnx.relu(p) for p in preactivations)
    x = stages[-1]
    if not self.small:
      x = layers.max_pool(x, 3, strides=2)
    x = layers.adaptive_average_pool(x, self.grid)
    # The reference's linear layer sees channels first.
    x = jnp.moveaxis(x, -1, 1).reshape(x.shape[0], -1)
    x = nnx.relu(self.fc1(self.dropout1(x)))
    features = nnx.relu(self.fc2(self.dropout2(x)))
    return self.classify(features, stages, preactivations)


_FORMS = (
  Form(AlexNet, {"small": True}, 32, Reference(200, 64, 57_823_240)),
  Form(AlexNet, {"small": False}, 65, Reference(1000, 224, 61_100_840)),
)
MODELS = {"alexnet": Architecture("AlexNet", _FORMS)}
