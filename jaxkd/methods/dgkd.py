"""DGKD (Son et al., ICCV 2021): the teacher and all assistants teach together."""

from typing import Any

import jax
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
from jaxkd.methods.base import hard_and_soft
from jaxkd.methods.takd import chain


@register("dgkd")
class DGKD(Method):
  """KD from the teacher and the assistants of `takd` at once, some of them dropped in each step.

  Each assistant learns from the teacher and from all assistants before it, as the student does. Son
  et al., *Densely Guided Knowledge Distillation Using Multiple Teacher Assistants*, ICCV 2021. The
  divergences are summed over classes, as in KD; the authors' code has their mean over classes,
  which weighs them C times less.
  """

  lam: float = option(
    0.5, "between labels and the sum of the teachers' terms; the authors' code: 1", FRACTION
  )
  tau: float = option(5.0, "the authors' code", TEMPERATURE)
  drop: int = option(
    1,
    "the authors' code: how many teachers each step leaves out at random; a network with no "
    "more teachers than that drops none",
    NOT_NEGATIVE,
  )

  mixed_labels = True
  several_teachers = True
  search = {"tau": losses.ISATS_GRID, "drop": (0, 1)}

  def phases(self, plan: Plan) -> Any:
    return plan.student(self, *chain(plan, self, dense=True))

  def loss(self, view: View) -> Terms:
    logits = view.student.logits
    each = [
      losses.kd(logits, teacher.logits, view.labels, lam=1.0, tau=self.tau)
      for teacher in view.teachers
    ]
    kept = jnp.ones(len(each))
    if 0 < self.drop < len(each):
      kept = (jax.random.permutation(view.key, len(each)) >= self.drop).astype(kept.dtype)
    soft = jnp.sum(kept[:, None] * jnp.stack(each), axis=0)
    return hard_and_soft(view, self.lam, soft), {}
