"""BAN (Furlanello et al., ICML 2018): generations of the student, each taught by the one before."""

from typing import Any

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Bound, Method, Plan, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft
from jaxkd.methods.nokd import CrossEntropy


@register("ban")
class BAN(Method):
  """Born-again networks: no large teacher, but generations of the student itself.

  The first generation learns the labels. Each later one starts from other initial weights and
  learns the probabilities of the one before. The last generation has the experiment's seed, so it
  starts where the student of `nokd` does.
  """

  generations: int = option(3, "the paper has up to three on CIFAR-100", Bound(1, 16))
  lam: float = option(
    1.0,
    "the paper's BAN, without labels; its BAN+L has both: 0.5 is its plain sum, halved",
    FRACTION,
  )
  tau: float = option(1.0, "the paper has no temperature", TEMPERATURE)

  mixed_labels = True
  search = {"lam": (0.5, 1.0), "tau": (1.0, 4.0)}

  def phases(self, plan: Plan) -> Any:
    network = plan.residual("")
    # Seeds far from those of experiments.
    seeds = [(plan.seed + 2**31 + 2**20 * number) % 2**32 for number in range(self.generations)]
    last = plan.train(network, CrossEntropy(), seed=seeds[0])
    for other in seeds[1:]:
      last = plan.train(network, self, last, seed=other)
    return plan.student(self, last)

  def loss(self, view: View) -> Terms:
    student, teacher = view.student.logits, view.teacher.logits
    soft = losses.kd(student, teacher, view.labels, lam=1.0, tau=self.tau)
    return hard_and_soft(view, self.lam, soft), {}
