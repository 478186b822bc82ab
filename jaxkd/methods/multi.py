"""Several teachers: the weighted mean of their labels, and a contrastive term with each."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.common.errors import ConfigError
from jaxkd.methods import (
  FRACTION,
  NOT_NEGATIVE,
  POSITIVE,
  TEMPERATURE,
  Method,
  Plan,
  Terms,
  View,
  option,
  register,
)
from jaxkd.methods.base import comparable, from_label
from jaxkd.methods.crd import CRD
from jaxkd.methods.nokd import CrossEntropy
from jaxkd.models import Outputs


@register("multi")
class Multi(Method):
  """KD from the weighted mean of several teachers' labels, each of `kd` or of `isats`."""

  networks: tuple[str, ...] = option(
    ("teacher", "small_teacher"), "the teachers, named like `takd.assistants`", selects=True
  )
  init_from: tuple[str, ...] = option((), "files of weights, as in `takd`", selects=True)
  weights: tuple[float, ...] = option((1.0, 1.0), "one for each teacher", POSITIVE)
  label: str = option("kd", "the row whose label each teacher gives", ("kd", "isats"))
  lam: float = option(0.5, "the authors' code for ATS; the paper leaves it open", FRACTION)
  tau: float = option(4.0, "the field's default", TEMPERATURE)
  student_tau: float = option(1.0, "the authors' code; Eq. 2 has tau", TEMPERATURE)
  grid: tuple[float, ...] = option(losses.ISATS_GRID, "Eq. 10, for labels of `isats`", TEMPERATURE)
  gap: float = option(1.0, "section 5.3 of the paper, for labels of `isats`", NOT_NEGATIVE)
  standardize: bool = option(False, "as in `kd`")
  contrast: float = option(0.0, "weight of a contrastive term with each teacher", NOT_NEGATIVE)
  contrast_features: int = option(128, "`crd.features`, for that term", POSITIVE)
  contrast_negatives: int = option(16384, "`crd.negatives`, for that term", POSITIVE)
  contrast_tau: float = option(0.07, "`crd.tau`, for that term", TEMPERATURE)

  several_teachers = True

  def phases(self, plan: Plan) -> Any:
    """Returns the student of all teachers.

    Raises:
      ConfigError: there are more or fewer weights than teachers.
    """
    if len(self.weights) != len(self.networks):
      raise ConfigError(
        f"config.multi.weights is {self.weights}, must be {len(self.networks)} numbers > 0, "
        "one for each of config.multi.networks"
      )
    teachers = [
      plan.train(network, CrossEntropy())
      for network in plan.assistants(self.networks, self.init_from)
    ]
    return plan.student(self, *teachers)

  def parts(self) -> Sequence[CRD]:
    options = self.contrast, self.contrast_features, self.contrast_negatives, self.contrast_tau
    return (CRD(*options),) if self.contrast else ()

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    contrasts = [crd.contrast(student, each, rngs) for crd in self.parts() for each in teachers]
    return nnx.List(contrasts)

  def _probabilities(self, teacher: Outputs, labels: jax.Array) -> jax.Array:
    logits = comparable(teacher.logits, self.standardize)
    if self.label == "kd":
      return losses.softmax(logits, self.tau)
    tau1, tau2 = losses.isats_temperatures(logits, labels, self.grid, self.gap)
    return losses.asymmetric_softmax(logits, labels, tau1, tau2)

  def loss(self, view: View) -> Terms:
    shares = [weight / sum(self.weights) for weight in self.weights]
    labels = [
      share * self._probabilities(teacher, view.labels)
      for share, teacher in zip(shares, view.teachers, strict=True)
    ]
    terms, diagnostics = from_label(
      view,
      jnp.sum(jnp.stack(labels), axis=0),
      lam=self.lam,
      student_tau=self.student_tau,
      standardize=self.standardize,
    )
    if self.contrast:
      each = [
        share * contrast(view.student, teacher, view.labels)
        for share, contrast, teacher in zip(shares, view.adapter, view.teachers, strict=True)
      ]
      terms["contrast"] = self.contrast * jnp.sum(jnp.stack(each), axis=0)
    return terms, diagnostics
