"""KD (Hinton et al., 2015): Eq. 2 of the paper."""

from typing import Any

import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import (
  FRACTION,
  NOT_NEGATIVE,
  TEMPERATURE,
  Method,
  Plan,
  Terms,
  View,
  option,
  register,
)
from jaxkd.methods.base import comparable, from_label

LAM_SEARCH = (0.5, 0.9)
"""Weights of the soft term: the authors' code has 0.5, the toolkits 0.9."""


@register("kd")
class KD(Method):
  """KD from the large teacher: (1 - lam) CE + lam weight s^2 CE(p_t(tau), p_s(s)).

  s is the student's temperature, `student_tau`. The default is that of the authors' code, in which
  KD is `ats` with tau1 = tau2 = tau: rows differ in the teacher's label alone. Eq. 2 has s = tau;
  with tau 4, its soft term weighs lam * 16 = 8. In an experiment, `config.student_tau` is the
  temperature of all rows: 4 gives Eq. 2 with tau 4.
  """

  lam: float = option(0.5, "the authors' code for ATS; the paper leaves it open for KD", FRACTION)
  tau: float = option(4.0, "the field's default; the paper leaves it open for KD", TEMPERATURE)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  standardize: bool = option(
    False,
    "True: z-scores of the logits (Sun et al., 2024), there with tau and student_tau 2, lam 0.9, "
    "weight 10: 0.1 of the cross entropy beside 9 times the soft term",
  )
  until: float = option(1.0, "share of the training with the soft term", FRACTION)
  weight: float = option(1.0, "factor of the soft term, beside lam", NOT_NEGATIVE)

  mixed_labels = True
  search = {"tau": losses.ISATS_GRID, "lam": LAM_SEARCH}

  def loss(self, view: View) -> Terms:
    return from_label(
      view,
      losses.softmax(comparable(view.teacher.logits, self.standardize), self.tau),
      lam=jnp.where(view.progress < self.until, self.lam, 0.0),
      student_tau=self.student_tau,
      standardize=self.standardize,
      weight=self.weight,
    )


@register("stkd")
class STKD(Method):
  """KD from the small teacher, with the options of `kd`."""

  search = {f"kd.{option}": values for option, values in KD.search.items()}

  def phases(self, plan: Plan) -> Any:
    return plan.student(plan.options("kd"), plan.small_teacher())
