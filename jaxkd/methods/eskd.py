"""ESKD (Cho and Hariharan, ICCV 2019): KD from a teacher that was stopped early."""

import dataclasses
from typing import Any

from jaxkd.methods import FRACTION, Bound, Method, Plan, option, register
from jaxkd.methods.kd import STKD


@register("eskd")
class ESKD(Method):
  """KD, with the options of `kd`, from a large teacher that trains for fewer epochs.

  The original has two interventions. The default is its remedy for large teachers, a teacher that
  stops early. The other is distillation that stops early in the student's training: `until` below
  1, with `teacher_epochs` 1. The paper doesn't say which of the two its row ESKD is.
  """

  teacher_epochs: float = option(
    1 / 3,
    "share of the teacher's epochs; the paper doesn't say it; the original tries 35 and 50 of 200",
    Bound(0, 1, low_open=True),
  )
  teacher_schedule: str = option(
    "squeezed",
    "the original, as it is reported: teachers of 200, 50 and 35 epochs lower the rate every 60, "
    "15 and 10 epochs, so warm-up and drops keep their shares of the training. 'full': the teacher "
    "has the rates of all its epochs and is stopped; the recipe's first third has no drop",
    ("squeezed", "full"),
  )
  until: float = option(
    1.0, "`kd.until` of this row; below 1 it is the original's second intervention", FRACTION
  )

  search = STKD.search

  def phases(self, plan: Plan) -> Any:
    full = self.teacher_schedule == "full"
    early = plan.shortened(plan.teacher(), self.teacher_epochs, full_schedule=full)
    kd: Any = plan.options("kd")
    return plan.student(dataclasses.replace(kd, until=self.until), early)
