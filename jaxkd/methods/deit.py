"""DeiT's hard distillation (Touvron et al., ICML 2021): the teacher's class is a second label."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, Method, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft


@register("deit")
class DeiT(Method):
  r"""Cross entropy with the label and with the class that the teacher predicts.

  .. math:: \ell = -(1 - \lambda) \log p^s_y - \lambda \log p^s_{\arg\max_c z^t_c}

  Touvron et al., *Training data-efficient image transformers & distillation through attention*,
  ICML 2021, Eq. 3. A network with a distillation token learns the label with the class token's
  classifier and the teacher's class with the other, and is evaluated by the mean of their logits.
  The classifier of another network learns both, as the paper's Table 3 has it for "hard
  distillation".
  """

  lam: float = option(0.5, "the paper, Eq. 3", FRACTION)

  mixed_labels = True
  search = {"lam": (0.3, 0.5, 0.7)}

  def loss(self, view: View) -> Terms:
    predicted = jnp.argmax(view.teacher.logits, axis=-1)
    own, second = view.student.heads or (view.student.logits,) * 2
    taught = losses.cross_entropy(second, jax.lax.stop_gradient(predicted))
    agrees = (predicted == view.labels).astype(jnp.float32)
    terms = hard_and_soft(view, self.lam, taught, own)
    return terms, {"teacher_accuracy": agrees}
