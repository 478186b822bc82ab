"""Cross entropy: the objective of teachers, and the row without distillation."""

from typing import Any

from jaxkd.methods import Method, Plan, Terms, View, register
from jaxkd.methods.base import plus_cross_entropy


@register("cross_entropy", row=False)
class CrossEntropy(Method):
  """Cross entropy with the labels."""

  mixed_labels = True

  def loss(self, view: View) -> Terms:
    return plus_cross_entropy(view), {}


@register("nokd")
class NoKD(Method):
  """The student, trained without a teacher."""

  def phases(self, plan: Plan) -> Any:
    return plan.student(CrossEntropy())
