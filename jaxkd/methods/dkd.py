"""DKD (Zhao et al., CVPR 2022): target and non-target classes decoupled."""

import dataclasses

import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods.base import Method, Scalars, View, plus_cross_entropy, soft_logits
from jaxkd.methods.options import FRACTION, NOT_NEGATIVE, TEMPERATURE, option
from jaxkd.methods.registry import register


@register("dkd")
@dataclasses.dataclass(frozen=True)
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

  def loss(self, view: View) -> tuple[Scalars, Scalars]:
    """Returns cross entropy and the decoupled term."""
    decoupled = losses.dkd(
      *soft_logits(view, self.standardize),
      view.labels,
      alpha=self.alpha,
      beta=self.beta,
      tau=self.tau,
    )
    weight = jnp.minimum(view.progress / self.warmup, 1.0) if self.warmup else 1.0
    return plus_cross_entropy(view, decoupled=weight * decoupled), {}
