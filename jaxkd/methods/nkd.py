"""NKD (Yang et al., ICCV 2023): the label's class by the teacher's confidence, the others apart."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import plus_cross_entropy


@register("nkd")
class NKD(Method):
  r"""Cross entropy, weighted anew by the teacher, and the cross entropy among the wrong classes.

  .. math::
    \ell = -\log p^s_y - p^t_y \log p^s_y
           - \gamma \tau^2 \sum_{c \ne y} \hat p^t_c(\tau) \log \hat p^s_c(\tau)

  Yang et al., *From Knowledge Distillation to Self-Knowledge Distillation: A Unified Approach with
  Normalized Loss and Customized Soft Labels*, ICCV 2023. The hats mark the softmax over the wrong
  classes alone, and the label's class has temperature 1.
  """

  gamma: float = option(
    3.5, "the authors' code for CIFAR-100; there 1 or 1.5 for ImageNet", NOT_NEGATIVE
  )
  tau: float = option(3.0, "the authors' code for CIFAR-100; there 1 for ImageNet", TEMPERATURE)

  search = {"gamma": (1.0, 1.5, 3.5), "tau": (1.0, 3.0)}

  def loss(self, view: View) -> Terms:
    student, teacher = (x.logits.astype(jnp.float32) for x in (view.student, view.teacher))
    right = jax.nn.one_hot(view.labels, student.shape[-1], dtype=bool)
    confidence = jnp.sum(losses.softmax(teacher), axis=-1, where=right)
    target = confidence * losses.cross_entropy(student, view.labels)
    student, teacher = (jnp.where(right, -jnp.inf, x) for x in (student, teacher))
    entropy = jnp.sum(jax.scipy.special.entr(losses.softmax(teacher, self.tau)), axis=-1)
    others = losses.divergence(student, teacher, tau=self.tau) + self.tau**2 * entropy
    return plus_cross_entropy(view, target=target, others=self.gamma * others), {}
