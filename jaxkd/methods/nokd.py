"""Labels alone: the objective of teachers, and the row without distillation."""

import dataclasses
from typing import Any

from jaxkd import losses
from jaxkd.methods.base import Method, Plan, Scalars, View
from jaxkd.methods.registry import register


@register("cross_entropy", row=False)
@dataclasses.dataclass(frozen=True)
class CrossEntropy(Method):
  """Cross entropy with the labels."""

  def loss(self, view: View) -> tuple[Scalars, Scalars]:
    """Returns the only term."""
    return {"cross_entropy": losses.cross_entropy(view.student.logits, view.labels)}, {}


@register("nokd")
@dataclasses.dataclass(frozen=True)
class NoKD(Method):
  """The student alone."""

  def phases(self, plan: Plan) -> Any:
    """Returns one phase without a teacher."""
    return plan.student(CrossEntropy())
