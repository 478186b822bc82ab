"""ResKD (Li et al., 2021, arXiv 2006.04719): a residual student learns the gap to the teacher."""

from typing import Any

import jax

from jaxkd import losses
from jaxkd.methods import FRACTION, Method, Plan, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft
from jaxkd.models import Outputs


@register("reskd")
class ResKD(Method):
  """KD with the options of `kd`, then a residual student that fits teacher minus student.

  The sum of the student's and the residual student's logits predicts.
  """

  lam: float = option(
    0.5,
    "weight of the gap's squared error against the sum's cross entropy; not in the paper",
    FRACTION,
  )
  network: str = option(
    "",
    "the residual student; empty: the student's network. The original has a much smaller network; "
    "the paper doesn't name its own. It is trained like the student",
    selects=True,
  )
  init_from: str = option(
    "", "file of weights; empty: the student's file, or none for another network", selects=True
  )

  mixed_labels = True
  predicts_with_teachers = True

  def phases(self, plan: Plan) -> Any:
    large = plan.teacher()
    base = plan.student(plan.options("kd"), large)
    # Another seed: under the same seed the same network would start with the weights of its base.
    seed = (base.seed + 2**31) % 2**32
    residual = plan.residual(self.network, self.init_from)
    return plan.train(residual, self, large, base, seed=seed)

  def predict(self, student: Outputs, teachers: tuple[Outputs, ...]) -> jax.Array:
    _, base = teachers
    return base.logits + student.logits

  def loss(self, view: View) -> Terms:
    teacher, base = view.teachers
    gap = losses.fitnet(view.student.logits, teacher.logits - base.logits)
    prediction = self.predict(view.student, view.teachers)
    return hard_and_soft(view, self.lam, gap, prediction), {}
