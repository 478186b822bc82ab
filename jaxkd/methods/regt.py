"""RegT: a regularised teacher, Eq. 8 of the paper."""

from typing import Any

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Plan, Terms, View, option, register
from jaxkd.methods.base import without_cross_entropy


@register("regt")
class RegT(Method):
  """KD, with the options of `kd`, from a teacher whose training rewards distinct wrong classes."""

  beta: float = option(0.01, "0.01 or 0.001; the paper doesn't say which it uses", NOT_NEGATIVE)

  search = {"beta": (0.01, 0.001)}

  def phases(self, plan: Plan) -> Any:
    return plan.student(plan.options("kd"), plan.teacher(self))

  def loss(self, view: View) -> Terms:
    total = losses.regt(view.student.logits, view.labels, beta=self.beta)
    return without_cross_entropy(view, "regularization", total), {}
