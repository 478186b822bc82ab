"""AT (Zagoruyko and Komodakis, ICLR 2017): attention maps of all stages."""

import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map, plus_cross_entropy
from jaxkd.models import layers


@register("at")
class AT(Method):
  """Cross entropy plus the distance between attention maps, summed over common stages.

  The stages are those of `Outputs`, without the stem: of ResNet-110 and VGG8 maps of 32 and 16, 16
  and 8, 8 and 4 pixels.
  """

  weight: float = option(1000.0, "the toolkits, for the same stages", NOT_NEGATIVE)

  version = 2

  def loss(self, view: View) -> Terms:
    # The toolkits also compare the first stages where one network has more, and average the larger
    # map down to the smaller.
    count = max(min(len(view.student.stages), len(view.teacher.stages)), 1)
    maps = []
    for stage in range(count):
      pair = feature_map(view.student, stage), feature_map(view.teacher, stage)
      size = min(x.shape[1] for x in pair)
      maps.append(losses.at(*(layers.adaptive_average_pool(x, size) for x in pair)))
    attention = jnp.sum(jnp.stack(maps), axis=0)
    return plus_cross_entropy(view, attention=self.weight * attention), {}
