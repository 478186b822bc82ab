"""SCKD (Zhu and Wang, ICCV 2021): KD where its gradient agrees with that of the labels."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import guidance, hard_and_soft, soft_logits
from jaxkd.methods.kd import LAM_SEARCH


@register("sckd")
class SCKD(Method):
  """KD where the cosine of its gradient and that of the cross entropy is not negative.

  As in the original each step has one gate, by the gradients in the student's parameters, in which
  weight decay has no part. Where KD is dropped the cross entropy keeps its weight, 1 - lam.
  `agreement` is logged: the share of the steps, or of the examples, that keep KD.
  """

  version = 2

  lam: float = option(0.5, "the authors' code for ATS; the paper leaves it open", FRACTION)
  tau: float = option(4.0, "the field's default; the paper leaves it open", TEMPERATURE)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  per: str = option(
    "step",
    "the original: a gate for each step, which takes a second backward pass of the student. "
    "'batch' and 'sample' compare gradients in the logits, at no cost: 'batch' has a gate for each "
    "step, 'sample' one for each example",
    ("step", "batch", "sample"),
  )
  standardize: bool = option(False, "as in `kd`")

  search = {"tau": losses.ISATS_GRID, "lam": LAM_SEARCH}

  @property
  def reweigh(self) -> Callable[[Mapping[str, Any]], Terms] | None:
    return self._gate if self.per == "step" else None

  def _gate(self, gradients: Mapping[str, Any]) -> Terms:
    # It has the sign of the cosine.
    product = optax.tree.vdot(gradients["hard"], gradients["soft"])
    agrees = (product >= 0).astype(product.dtype)
    return {"hard": jnp.ones_like(agrees), "soft": agrees}, {"agreement": agrees}

  def loss(self, view: View) -> Terms:
    student, teacher = view.student.logits, view.teacher.logits
    scores = soft_logits(view, self.standardize)
    soft = losses.kd(*scores, view.labels, lam=1.0, tau=self.tau, student_tau=self.student_tau)
    diagnostics = guidance(view, losses.softmax(scores[1], self.tau))
    if self.per == "step":
      return hard_and_soft(view, self.lam, soft), diagnostics
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
    terms = hard_and_soft(view, self.lam, agrees * soft)
    return terms, {"agreement": agrees, **diagnostics}
