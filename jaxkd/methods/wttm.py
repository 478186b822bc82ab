"""WTTM (Zheng and Yang, ICLR 2024): the student matches a power of the teacher's probabilities."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import plus_cross_entropy


@register("wttm")
class WTTM(Method):
  r"""Cross entropy, and the weighted divergence from the transformed teacher.

  .. math::
    \ell = -\log p^s_y + \beta U \, KL(\hat p^t \| p^s), \quad
    U = \sum_c (p^t_c)^\gamma, \quad \hat p^t_c = (p^t_c)^\gamma / U

  Zheng and Yang, *Knowledge Distillation Based on Transformed Teacher Matching*, ICLR 2024,
  Sec. 4. The transformed teacher is the softmax at temperature 1 / gamma, and the student has
  temperature 1. U, the power sum, lies in [1, C^(1 - gamma)]: it is large for a smooth teacher.
  Without it the method is TTM.
  """

  gamma: float = option(
    0.1,
    "the paper, Tables 8 and 9: 0.1 for 6 of 13 pairs on CIFAR-100, 0.2 to 0.4 for the others; "
    "the teacher's temperature is 1 / gamma",
    Bound(1e-3, 1),
  )
  beta: float = option(
    2.25,
    "the paper, Table 8: VGG13 to VGG8; 1.4 to 16 for the other pairs on CIFAR-100; cross "
    "entropy weighs 1 there and in the authors' code",
    NOT_NEGATIVE,
  )
  mixed_labels = True
  search = {"gamma": (0.1, 0.2, 0.3), "beta": (1.5, 2.25, 4.0)}

  def loss(self, view: View) -> Terms:
    teacher = view.teacher.logits.astype(jnp.float32)
    divergence = losses.divergence(view.student.logits, self.gamma * teacher)
    power_sum = jnp.sum(jnp.exp(self.gamma * jax.nn.log_softmax(teacher)), axis=-1)
    terms = plus_cross_entropy(view, divergence=self.beta * power_sum * divergence)
    return terms, {"power_sum": power_sum}
