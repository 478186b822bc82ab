"""FGCR: fused global class relations, Eq. 7 of the paper."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import comparable, from_label
from jaxkd.models import Outputs


@register("fgcr")
class FGCR(Method):
  """KD whose teacher label is mixed with the mean label of its class, at temperature tau - 1."""

  lam: float = option(0.5, "the authors' code for ATS; the paper leaves it open", FRACTION)
  tau: float = option(
    4.0, "the field's default; the paper leaves it open", Bound(1, TEMPERATURE.high, low_open=True)
  )
  alpha: float = option(0.5, "share of the class mean: 0.1 or 0.5 in the paper", FRACTION)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  standardize: bool = option(False, "as in `kd`")

  search = {"alpha": (0.1, 0.5)}

  def prepare(
    self, teachers: tuple[Outputs, ...], labels: jax.Array, mask: jax.Array, num_classes: int
  ) -> dict[str, Any]:
    (teacher,) = teachers
    logits = comparable(teacher.logits, self.standardize)
    # Masked examples get a label outside of the classes, which counts for no class.
    labels = jnp.where(mask, labels, num_classes)
    means = losses.class_mean_probabilities(logits, labels, num_classes, tau=self.tau - 1)
    counts = jnp.sum(jax.nn.one_hot(labels, num_classes), axis=0)[:, None]
    return {"sums": counts * means, "counts": counts}

  def loss(self, view: View) -> Terms:
    probs = losses.fused_probabilities(
      comparable(view.teacher.logits, self.standardize),
      view.labels,
      view.constants["sums"] / jnp.maximum(view.constants["counts"], 1),
      tau=self.tau,
      alpha=self.alpha,
    )
    return from_label(
      view, probs, lam=self.lam, student_tau=self.student_tau, standardize=self.standardize
    )
