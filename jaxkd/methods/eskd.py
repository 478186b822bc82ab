"""ESKD (Cho and Hariharan, ICCV 2019): KD from a teacher that was stopped early."""

import dataclasses
from typing import Any

from jaxkd.methods import FRACTION, Bound, Method, Plan, option, register
from jaxkd.methods.kd import STKD


@register("eskd")
class ESKD(Method):
  """KD, with the options of `kd`, from a large teacher that trains for fewer epochs."""

  teacher_epochs: float = option(
    1 / 3, "share of the teacher's epochs; the paper doesn't say it", Bound(0, 1, low_open=True)
  )
  until: float = option(
    1.0, "`kd.until` of this row; below 1 it is the original's second intervention", FRACTION
  )

  search = STKD.search

  def phases(self, plan: Plan) -> Any:
    early = plan.shortened(plan.teacher(), self.teacher_epochs)
    kd: Any = plan.options("kd")
    return plan.student(dataclasses.replace(kd, until=self.until), early)
