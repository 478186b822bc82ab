"""TTM (Zheng and Yang, ICLR 2024): WTTM without the weight of the teacher's power sum."""

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import plus_cross_entropy


@register("ttm")
class TTM(Method):
  r"""Cross entropy, and the divergence from the transformed teacher.

  .. math::
    \ell = -\log p^s_y + \beta \, KL(\hat p^t \| p^s), \quad
    \hat p^t_c \propto (p^t_c)^\gamma

  Zheng and Yang, *Knowledge Distillation Based on Transformed Teacher Matching*, ICLR 2024,
  Sec. 3. The teacher has temperature 1 / gamma, the student temperature 1.
  """

  gamma: float = option(
    0.1,
    "the authors' code: its example, VGG13 to VGG8; the teacher's temperature is 1 / gamma",
    Bound(1e-3, 1),
  )
  beta: float = option(
    45.0,
    "the authors' code: its example, VGG13 to VGG8; cross entropy weighs 1 there",
    NOT_NEGATIVE,
  )

  mixed_labels = True
  search = {"gamma": (0.1, 0.2, 0.3), "beta": (20.0, 45.0, 90.0)}

  def loss(self, view: View) -> Terms:
    divergence = losses.divergence(view.student.logits, self.gamma * view.teacher.logits)
    return plus_cross_entropy(view, divergence=self.beta * divergence), {}
