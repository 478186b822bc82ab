"""Cross entropy: the objective of teachers, and the row without distillation."""

from typing import Any

from jaxkd import losses
from jaxkd.methods import Method, Plan, Terms, View, register


@register("cross_entropy", row=False)
class CrossEntropy(Method):
  """Cross entropy with the labels."""

  def loss(self, view: View) -> Terms:
    return {"cross_entropy": losses.cross_entropy(view.student.logits, view.labels)}, {}


@register("nokd")
class NoKD(Method):
  """The student, trained without a teacher."""

  def phases(self, plan: Plan) -> Any:
    return plan.student(CrossEntropy())
