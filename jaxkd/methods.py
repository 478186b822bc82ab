"""Every row of the tables: which phases it has, and which loss each uses.

A row is a function from a config and a seed to the phase of its student, which
holds its teachers. A loss is an entry of `OBJECTIVES`, built from the options
that the phase's identity contains.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from flax import nnx

from jaxkd import data, losses, models
from jaxkd.step import Objective, Scalars
from jaxkd.store import Entry, Phase

# --- Objectives ---------------------------------------------------------------


def _cross_entropy() -> Objective:
  def loss(student, teachers, labels, constants):
    return {"cross_entropy": losses.cross_entropy(student.logits, labels)}, {}

  return Objective(loss)


def _regt(*, beta: float) -> Objective:
  def loss(student, teachers, labels, constants):
    hard = losses.cross_entropy(student.logits, labels)
    total = losses.regt(student.logits, labels, beta=beta)
    return {"cross_entropy": hard, "regularization": total - hard}, {}

  return Objective(loss)


def _mixed(lam: float, student, labels, soft: jax.Array) -> Scalars:
  """Eq. 2 as two terms, each with its weight."""
  hard = losses.cross_entropy(student.logits, labels)
  return {"hard": (1 - lam) * hard, "soft": lam * soft}


def _kd(*, lam: float, tau: float, student_tau: float | None) -> Objective:
  def loss(student, teachers, labels, constants):
    (teacher,) = teachers
    soft = losses.kd(
      student.logits,
      teacher.logits,
      labels,
      lam=1.0,
      tau=tau,
      student_tau=student_tau,
    )
    return _mixed(lam, student, labels, soft), {}

  return Objective(loss)


def _ats(
  *, lam: float, tau1: float, tau2: float, student_tau: float
) -> Objective:
  def loss(student, teachers, labels, constants):
    (teacher,) = teachers
    soft = losses.ats(
      student.logits,
      teacher.logits,
      labels,
      lam=1.0,
      tau1=tau1,
      tau2=tau2,
      student_tau=student_tau,
    )
    return _mixed(lam, student, labels, soft), {}

  return Objective(loss)


def _isats(
  *, lam: float, grid: tuple[float, ...], gap: float, student_tau: float
) -> Objective:
  def loss(student, teachers, labels, constants):
    (teacher,) = teachers
    tau1, tau2 = losses.isats_temperatures(teacher.logits, labels, grid, gap)
    soft = losses.ats(
      student.logits,
      teacher.logits,
      labels,
      lam=1.0,
      tau1=tau1,
      tau2=tau2,
      student_tau=student_tau,
    )
    # The distribution of tau* that section 5.3 of the paper reports.
    shares = {
      f"tau_star_{tau:g}": (tau2 == tau).astype(jnp.float32) for tau in grid
    }
    return _mixed(lam, student, labels, soft), shares

  return Objective(loss)


def _fgcr(
  *, lam: float, tau: float, alpha: float, student_tau: float | None
) -> Objective:
  def prepare(teacher_logits, labels, num_classes):
    (logits,) = teacher_logits
    return losses.class_mean_probabilities(
      logits, labels, num_classes, tau=tau - 1
    )

  def loss(student, teachers, labels, class_means):
    (teacher,) = teachers
    soft = losses.fgcr(
      student.logits,
      teacher.logits,
      labels,
      class_means,
      lam=1.0,
      tau=tau,
      alpha=alpha,
      student_tau=student_tau,
    )
    return _mixed(lam, student, labels, soft), {}

  return Objective(loss, prepare)


def _sckd(
  *, lam: float, tau: float, student_tau: float | None, per: str
) -> Objective:
  def loss(student, teachers, labels, constants):
    (teacher,) = teachers
    logits = student.logits, teacher.logits, labels
    soft = losses.kd(*logits, lam=1.0, tau=tau, student_tau=student_tau)
    agreement = losses.gradient_agreement(
      *logits, tau=tau, student_tau=student_tau
    )
    if per == "batch":
      agreement = jnp.broadcast_to(jnp.sum(agreement), agreement.shape)
    agrees = jax.lax.stop_gradient((agreement >= 0).astype(soft.dtype))
    terms = _mixed(lam, student, labels, agrees * soft)
    return terms, {"agreement": agrees}

  return Objective(loss)


def _dist(*, beta: float, gamma: float, tau: float) -> Objective:
  def loss(student, teachers, labels, constants):
    (teacher,) = teachers
    hard = jnp.mean(losses.cross_entropy(student.logits, labels))
    total = losses.dist(
      student.logits, teacher.logits, labels, beta=beta, gamma=gamma, tau=tau
    )
    return {"cross_entropy": hard, "relations": total - hard}, {}

  return Objective(loss)


OBJECTIVES: Mapping[str, Callable[..., Objective]] = {
  "ats": _ats,
  "cross_entropy": _cross_entropy,
  "dist": _dist,
  "fgcr": _fgcr,
  "isats": _isats,
  "kd": _kd,
  "regt": _regt,
  "sckd": _sckd,
}


def objective(options: Mapping[str, Any]) -> Objective:
  """Builds the objective that a phase's `loss` describes."""
  options = dict(options)
  return OBJECTIVES[options.pop("name")](**options)


def network(phase: Phase, spec: data.Spec) -> models.Network:
  """Makes the phase's network, initialised under its seed.

  Raises:
    ValueError: the network can't be made for the data set; see
      `models.create`.
  """
  return models.create(
    phase.network["name"],
    num_classes=spec.num_classes,
    image_size=spec.image_size,
    in_channels=spec.channels,
    dtype=jnp.dtype(phase.network["dtype"]),
    rngs=nnx.Rngs(phase.seed),
    **phase.network["options"],
  )


# --- Rows ---------------------------------------------------------------------


def _phase(
  config: ml_collections.ConfigDict,
  network: ml_collections.ConfigDict,
  seed: int,
  loss: str,
  teachers: tuple[Phase, ...] = (),
) -> Phase:
  options = config[loss].to_dict() if loss in config else {}
  return Phase(
    data={"name": config.data.name, "batch_size": config.data.batch_size},
    network={
      "name": network.name,
      "dtype": config.dtype,
      "options": network.options.to_dict(),
    },
    optim={
      **config.optim.to_dict(),
      "epochs": network.epochs,
      "learning_rate": network.learning_rate,
    },
    loss={"name": loss, **options},
    seed=seed,
    teachers=teachers,
  )


def teacher(config: ml_collections.ConfigDict) -> Phase:
  """The large teacher, trained with cross entropy, or a given one."""
  if config.teacher.checkpoint:
    return Entry.open(config.teacher.checkpoint).phase
  return _phase(config, config.teacher, config.teacher.seed, "cross_entropy")


def _student(config, seed, loss, *teachers: Phase) -> Phase:
  return _phase(config, config.student, seed, loss, teachers)


def nokd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """The student alone."""
  return _student(config, seed, "cross_entropy")


def stkd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the small teacher."""
  small = config.small_teacher
  return _student(
    config, seed, "kd", _phase(config, small, small.seed, "cross_entropy")
  )


def kd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the large teacher."""
  return _student(config, seed, "kd", teacher(config))


def eskd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the large teacher, stopped early."""
  whole = teacher(config)
  epochs = config.eskd.teacher_epochs * config.teacher.epochs
  early = dataclasses.replace(whole, optim={**whole.optim, "epochs": epochs})
  return _student(config, seed, "kd", early)


def takd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD through assistants, each distilled from the one before."""
  last = teacher(config)
  for name in config.takd.assistants:
    network = config.teacher.copy_and_resolve_references()
    network.name, network.options = name, ml_collections.ConfigDict()
    last = _phase(config, network, config.teacher.seed, "kd", (last,))
  return _student(config, seed, "kd", last)


def sckd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD where its gradient agrees with that of the cross entropy."""
  return _student(config, seed, "sckd", teacher(config))


def dist(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """Inter- and intra-class relations of the large teacher."""
  return _student(config, seed, "dist", teacher(config))


def ats(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD with asymmetric temperatures."""
  return _student(config, seed, "ats", teacher(config))


def fgcr(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD with fused global class relations."""
  return _student(config, seed, "fgcr", teacher(config))


def regt(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from a teacher that was regularised in its training."""
  regularised = _phase(config, config.teacher, config.teacher.seed, "regt")
  return _student(config, seed, "kd", regularised)


def isats(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD with asymmetric temperatures of each instance."""
  return _student(config, seed, "isats", teacher(config))


ROWS: Mapping[str, Callable[[ml_collections.ConfigDict, int], Phase]] = {
  row.__name__: row
  for row in (
    nokd,
    stkd,
    kd,
    eskd,
    takd,
    sckd,
    dist,
    ats,
    fgcr,
    regt,
    isats,
  )
}
