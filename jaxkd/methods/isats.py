"""ISATS: asymmetric temperatures of each instance, Eq. 10 of the paper."""

import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, NOT_NEGATIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import comparable, from_label
from jaxkd.methods.kd import LAM_SEARCH


@register("isats")
class ISATS(Method):
  """ATS with tau2 = tau*, which has the largest derived variance, and tau1 = tau* + gap."""

  lam: float = option(0.5, "the authors' code for ATS", FRACTION)
  grid: tuple[float, ...] = option(losses.ISATS_GRID, "Eq. 10", TEMPERATURE)
  gap: float = option(1.0, "section 5.3 of the paper", NOT_NEGATIVE)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  standardize: bool = option(False, "as in `kd`")
  keep_guidance: bool = option(False, "extension of this package, as in `ats`", extension=True)

  search = {"lam": LAM_SEARCH}

  def loss(self, view: View) -> Terms:
    teacher = comparable(view.teacher.logits, self.standardize)
    tau1, tau2 = losses.isats_temperatures(teacher, view.labels, self.grid, self.gap)
    if self.keep_guidance:
      tau1, tau2 = losses.guided_temperatures(teacher, view.labels, tau1, tau2)
    terms, guidance = from_label(
      view,
      losses.asymmetric_softmax(teacher, view.labels, tau1, tau2),
      lam=self.lam,
      student_tau=self.student_tau,
      standardize=self.standardize,
    )
    shares = {f"tau_star_{tau:g}": (tau2 == tau).astype(jnp.float32) for tau in self.grid}
    return terms, {**shares, **guidance}
