"""RKD (Park et al., CVPR 2019): distances and angles between examples."""

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import features, plus_cross_entropy


@register("rkd")
class RKD(Method):
  """Cross entropy, and Huber losses of distances and angles of the penultimate features."""

  distance: float = option(25.0, "the original", NOT_NEGATIVE)
  angle: float = option(50.0, "the original", NOT_NEGATIVE)

  mixed_labels = True

  def loss(self, view: View) -> Terms:
    relations = losses.rkd(
      features(view.student), features(view.teacher), distance=self.distance, angle=self.angle
    )
    return plus_cross_entropy(view, relations=relations), {}
