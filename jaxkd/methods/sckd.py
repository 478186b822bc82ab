"""SCKD (Zhu and Wang, ICCV 2021): KD where its gradient agrees with that of the labels."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft, soft_logits
from jaxkd.methods.kd import LAM_SEARCH


@register("sckd")
class SCKD(Method):
  """KD where the inner product of its gradient and that of the cross entropy is not negative.

  The gradients are those in the student's logits, which cost nothing; the original takes those in
  the student's parameters. Where KD is dropped the cross entropy keeps its weight, 1 - lam.
  """

  lam: float = option(0.5, "the authors' code for ATS; the paper leaves it open", FRACTION)
  tau: float = option(4.0, "the field's default; the paper leaves it open", TEMPERATURE)
  student_tau: float | None = option(None, "None: tau", TEMPERATURE)
  per: str = option(
    "sample",
    "'sample' decides for each example; 'batch' by the sum over the batch, for all of it, which is "
    "nearer to the original's decision in each step; the paper is silent on it",
    ("sample", "batch"),
  )
  standardize: bool = option(False, "as in `kd`")

  search = {"tau": losses.ISATS_GRID, "lam": LAM_SEARCH}

  def loss(self, view: View) -> Terms:
    student, teacher = view.student.logits, view.teacher.logits
    soft = losses.kd(
      *soft_logits(view, self.standardize),
      view.labels,
      lam=1.0,
      tau=self.tau,
      student_tau=self.student_tau,
    )
    agreement = losses.gradient_agreement(
      student,
      teacher,
      view.labels,
      tau=self.tau,
      student_tau=self.student_tau,
      standardize=self.standardize,
    )
    if self.per == "batch":
      agreement = jnp.broadcast_to(jnp.sum(agreement), agreement.shape)
    agrees = jax.lax.stop_gradient((agreement >= 0).astype(soft.dtype))
    terms = hard_and_soft(self.lam, student, view.labels, agrees * soft)
    return terms, {"agreement": agrees}
