"""CAT-KD (Guo et al., CVPR 2023): class activation maps of the last stage."""

import jax
import jax.numpy as jnp

from jaxkd.losses._numerics import unit
from jaxkd.methods import NOT_NEGATIVE, POSITIVE, Method, Terms, View, option, register
from jaxkd.methods.base import class_map, plus_cross_entropy
from jaxkd.models import Outputs, layers


@register("catkd")
class CATKD(Method):
  r"""Cross entropy, and the mean squared difference of the class activation maps.

  .. math::
    \ell = -\log p^s_y + w \, \overline{(\phi(A^t) - \phi(A^s))^2}

  Guo, Yan, Li and Lin, *Class Attention Transfer Based Knowledge Distillation*, CVPR 2023. A are
  the classifier's logits at each pixel of the map before the global average, averaged down to a
  grid; phi gives each class's grid the length 1. In the original the classifiers have no bias; here
  a bias is part of each pixel.
  """

  weight: float = option(
    400.0,
    "the authors' code; 0.7 to 15 without `normalize` and 15 to 600 with it for their pairs on "
    "CIFAR-100",
    NOT_NEGATIVE,
  )
  resolution: int = option(
    2, "the authors' code: pixels of the grid's side; 4 for ShuffleNets there", POSITIVE
  )
  normalize: bool = option(True, "the authors' code; False for their pairs within a family")

  mixed_labels = True
  search = {"weight": (15.0, 80.0, 400.0)}

  def loss(self, view: View) -> Terms:
    def attention(outputs: Outputs) -> jax.Array:
      grid = layers.adaptive_average_pool(class_map(outputs), self.resolution)
      rows = jnp.moveaxis(grid, -1, 1).reshape(len(grid), grid.shape[-1], -1)
      return unit(rows) if self.normalize else rows

    gap = jnp.mean(jnp.square(attention(view.teacher) - attention(view.student)))
    return plus_cross_entropy(view, attention=self.weight * gap), {}
