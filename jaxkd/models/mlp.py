"""Multi-layer perceptrons."""

import itertools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from jaxkd.models import layers
from jaxkd.models.base import Network, Outputs
from jaxkd.models.layers import Linear, Sequential
from jaxkd.models.registry import Architecture, Form, Reference

# Depth and width of a series of 0.1, 0.3, 0.5, 0.6 and 0.9 million parameters on 28x28 images, for
# the two-dimensional features of the paper's figure 2.
SERIES = ((1, 128), (2, 256), (3, 320), (3, 400), (4, 432))


class MLP(Network):
  """`depth` hidden layers of equal width with ReLU, on flattened images.

  Stages are the hidden layers, `[B, width]`; features are the last of them, or its linear map to
  `feature_dim` numbers.
  """

  def __init__(
    self,
    *,
    num_classes: int,
    image_size: int,
    in_channels: int = 3,
    depth: int = 2,
    width: int = 256,
    feature_dim: int | None = None,
    dtype: DTypeLike = jnp.float32,
    rngs: nnx.Rngs,
  ):
    super().__init__(dtype=dtype)
    widths = [image_size * image_size * in_channels] + [width] * depth
    self.hidden = Sequential(Linear(*pair, rngs=rngs) for pair in itertools.pairwise(widths))
    self.neck, self.classifier = layers.make_head(widths[-1], num_classes, feature_dim, rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = x.astype(self.dtype).reshape(x.shape[0], -1)
    stages, preactivations = [], []
    for layer in self.hidden:
      preactivations.append(layer(x))
      x = nnx.relu(preactivations[-1])
      stages.append(x)
    return self.classify(self.neck(x), stages, preactivations)


MODELS = {
  "mlp": Architecture("MLP", (Form(MLP, {}, 1, Reference(10, 28, 269_322, in_channels=1)),))
}
