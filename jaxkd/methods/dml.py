"""DML (Zhang et al., CVPR 2018): students that train together teach one another."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Plan, Terms, View, option, register


@register("dml")
class DML(Method):
  r"""Deep mutual learning: no teacher, but peers of the student's architecture.

  .. math:: \ell_i = -\log p^i_y + \frac{w}{K - 1} \sum_{j \ne i} KL(p^j \| p^i)

  for each of the K networks, the student and its peers, with \(p^j\) held constant. Zhang et al.,
  *Deep Mutual Learning*, CVPR 2018, Eqs. 4 to 8. There the networks are updated in turn, each
  against the newest predictions of the others; here all of them are updated at once. The student
  alone is evaluated and kept.
  """

  count: int = option(1, "peers beside the student; the paper has one, or up to four", Bound(1, 15))
  weight: float = option(1.0, "the paper", NOT_NEGATIVE)

  mixed_labels = True
  search = {"weight": (0.5, 1.0, 2.0)}

  @property
  def peers(self) -> int:
    return self.count

  def phases(self, plan: Plan) -> Any:
    return plan.student(self)

  def loss(self, view: View) -> Terms:
    logits = [view.student.logits, *(peer.outputs(view.images).logits for peer in view.adapter)]
    hard = [view.cross_entropy(own) for own in logits]
    # Each network takes the others' predictions as constants.
    mutual = [
      losses.divergence(own, jax.lax.stop_gradient(other))
      for own in logits
      for other in logits
      if other is not own
    ]
    cross_entropy, divergence = (jnp.sum(jnp.stack(terms), axis=0) for terms in (hard, mutual))
    return {"cross_entropy": cross_entropy, "mutual": self.weight / self.count * divergence}, {}
