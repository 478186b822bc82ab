"""ATS (Li et al., NeurIPS 2022): asymmetric temperatures, Eq. 9 of the paper."""

from typing import Any

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import comparable, from_label


@register("ats")
class ATS(Method):
  """KD whose teacher label has temperature tau1 on the true class and tau2 on the others."""

  lam: float = option(0.5, "the authors' code", FRACTION)
  tau1: float = option(4.0, "authors search 1 to 6, recommend tau1 - tau2 in [1, 2]", TEMPERATURE)
  tau2: float = option(3.0, "the authors search 1 to 5", TEMPERATURE)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  standardize: bool = option(False, "as in `kd`")
  keep_guidance: bool = option(
    False,
    "extension of this package: True moves tau1 of single examples towards tau2, only as far as "
    "needed to keep the true class on top, see `losses.guided_temperatures`",
    extension=True,
  )

  # Fig. 10 of the ATS paper.
  search = {"tau1": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "tau2": (1.0, 2.0, 3.0, 4.0, 5.0)}

  def loss(self, view: View) -> Terms:
    teacher = comparable(view.teacher.logits, self.standardize)
    taus: Any = self.tau1, self.tau2
    if self.keep_guidance:
      taus = losses.guided_temperatures(teacher, view.labels, *taus)
    return from_label(
      view,
      losses.asymmetric_softmax(teacher, view.labels, *taus),
      lam=self.lam,
      student_tau=self.student_tau,
      standardize=self.standardize,
    )
