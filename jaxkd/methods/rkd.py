"""RKD (Park et al., CVPR 2019): distances and angles between examples."""

import dataclasses

from jaxkd import losses
from jaxkd.methods.base import Method, Scalars, View, features, plus_cross_entropy
from jaxkd.methods.options import NOT_NEGATIVE, option
from jaxkd.methods.registry import register


@register("rkd")
@dataclasses.dataclass(frozen=True)
class RKD(Method):
  """Cross entropy, and Huber losses of distances and angles of the penultimate features."""

  distance: float = option(25.0, "the original", NOT_NEGATIVE)
  angle: float = option(50.0, "the original", NOT_NEGATIVE)

  def loss(self, view: View) -> tuple[Scalars, Scalars]:
    """Returns cross entropy and the relations."""
    relations = losses.rkd(
      features(view.student), features(view.teacher), distance=self.distance, angle=self.angle
    )
    return plus_cross_entropy(view, relations=relations), {}
