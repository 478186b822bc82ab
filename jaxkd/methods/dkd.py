"""DKD (Zhao et al., CVPR 2022): target and non-target classes decoupled."""

from jaxkd import losses
from jaxkd.methods import FRACTION, NOT_NEGATIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import plus_cross_entropy, soft_logits, warmup


@register("dkd")
class DKD(Method):
  """Cross entropy, and the divergences of the target class and among the others."""

  alpha: float = option(1.0, "the original", NOT_NEGATIVE)
  beta: float = option(
    8.0, "the original: 2 for ResNets on CIFAR, 6 for VGGs and WRNs, 8 for most", NOT_NEGATIVE
  )
  tau: float = option(4.0, "the original", TEMPERATURE)
  warmup: float = option(20 / 240, "the original: 20 of 240 epochs, linear", FRACTION)
  standardize: bool = option(
    False, "True: z-scores (Sun et al., 2024), there with tau 2, and alpha and beta times 9"
  )

  def loss(self, view: View) -> Terms:
    decoupled = losses.dkd(
      *soft_logits(view, self.standardize),
      view.labels,
      alpha=self.alpha,
      beta=self.beta,
      tau=self.tau,
    )
    weight = warmup(view.progress, self.warmup)
    return plus_cross_entropy(view, decoupled=weight * decoupled), {}
