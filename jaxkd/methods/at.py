"""AT (Zagoruyko and Komodakis, ICLR 2017): attention maps of all stages."""

import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import map_pairs, plus_cross_entropy


@register("at")
class AT(Method):
  """Cross entropy plus the distance between attention maps, summed over common stages.

  The stages are those of `Outputs`, without the stem: of ResNet-110 and VGG8 maps of 32 and 16, 16
  and 8, 8 and 4 pixels.
  """

  weight: float = option(1000.0, "the toolkits, for the same stages", NOT_NEGATIVE)

  mixed_labels = True
  version = 2

  def loss(self, view: View) -> Terms:
    maps = [losses.at(*pair) for pair in map_pairs(view.student, view.teacher)]
    attention = jnp.sum(jnp.stack(maps), axis=0)
    return plus_cross_entropy(view, attention=self.weight * attention), {}
