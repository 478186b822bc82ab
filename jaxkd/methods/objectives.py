"""What phases minimise: an objective for each loss that a method trains with.

`OBJECTIVES` maps a name to a function from the options of a phase's `loss` to
its objective.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods.contrast import Contrast
from jaxkd.models import Outputs, layers

Scalars = dict[str, jax.Array]


class View(NamedTuple):
  """What a loss sees of a training step.

  Attributes:
    student: the network that is trained, on the batch.
    teachers: the frozen networks, on the same augmented images.
    labels: `[B]`.
    constants: the sum of what `Objective.prepare` returned.
    progress: the share of the run that is done, in [0, 1).
    adapter: what `Objective.adapter` returned, trained with the student.
  """

  student: Outputs
  teachers: tuple[Outputs, ...]
  labels: jax.Array
  constants: Any = ()
  progress: jax.Array | float = 0.0
  adapter: Any = None


def own_logits(student: Outputs, teachers: tuple[Outputs, ...]) -> jax.Array:
  """The prediction of all but the methods that add networks up."""
  return student.logits


class Objective(NamedTuple):
  """What a phase minimises.

  Attributes:
    loss: `view -> (terms, diagnostics)`, two dicts of scalars or per-example
      `[B]` arrays. The mean of each is logged; the sum of the terms is the
      loss.
    prepare: `(teachers' logits, labels, mask, num_classes) -> constants`,
      called before the first step with each batch of the training split, not
      augmented; what it returns is added up. None if the loss needs nothing of
      the kind.
    adapter: `(student, teachers, rngs) -> module`, from abstract outputs: makes
      a module that is trained with the student and then dropped, whose
      `nnx.BatchStat` are what it keeps from step to step; None if the loss
      needs none.
    predict: `(student, teachers) -> logits`, the phase's prediction.
  """

  loss: Callable[[View], tuple[Scalars, Scalars]]
  prepare: Callable[[list[jax.Array], jax.Array, jax.Array, int], Any] | None = None
  adapter: Callable[[Outputs, tuple[Outputs, ...], nnx.Rngs], nnx.Module] | None = None
  predict: Callable[[Outputs, tuple[Outputs, ...]], jax.Array] = own_logits


def objective(options: Mapping[str, Any]) -> Objective:
  """Builds the objective that a phase's `loss` describes."""
  options = dict(options)
  return OBJECTIVES[options.pop("name")](**options)


# --- Without a teacher --------------------------------------------------------


def _cross_entropy() -> Objective:
  def loss(view):
    hard = losses.cross_entropy(view.student.logits, view.labels)
    return {"cross_entropy": hard}, {}

  return Objective(loss)


def _regt(*, beta: float) -> Objective:
  def loss(view):
    hard = losses.cross_entropy(view.student.logits, view.labels)
    total = losses.regt(view.student.logits, view.labels, beta=beta)
    return {"cross_entropy": hard, "regularization": total - hard}, {}

  return Objective(loss)


# --- From a teacher's label: Eq. 2 as two terms, each with its weight ---------


def _mixed(
  lam: jax.typing.ArrayLike,
  student: jax.Array,
  labels: jax.Array,
  soft: jax.Array,
) -> Scalars:
  hard = losses.cross_entropy(student, labels)
  lam = jnp.asarray(lam, hard.dtype)
  return {"hard": (1 - lam) * hard, "soft": lam * soft}


def _comparable(standardize: bool) -> Callable[[jax.Array], jax.Array]:
  """Returns what makes of logits that which soft terms compare."""
  return losses.standardize if standardize else lambda logits: logits


def _soft_logits(view: View, standardize: bool) -> tuple[jax.Array, jax.Array]:
  """Returns the student's and the teacher's logits, or their z-scores."""
  (teacher,) = view.teachers
  comparable = _comparable(standardize)
  return comparable(view.student.logits), comparable(teacher.logits)


def _kd(
  *,
  lam: float,
  tau: float,
  student_tau: float | None,
  standardize: bool,
  until: float,
  weight: float = 1.0,
) -> Objective:
  def loss(view):
    soft = weight * losses.kd(
      *_soft_logits(view, standardize),
      view.labels,
      lam=1.0,
      tau=tau,
      student_tau=student_tau,
    )
    # From then on the labels alone.
    share = jnp.where(view.progress < until, lam, 0.0)
    return _mixed(share, view.student.logits, view.labels, soft), {}

  return Objective(loss)


def _ats(
  *,
  lam: float,
  tau1: float,
  tau2: float,
  student_tau: float,
  standardize: bool,
) -> Objective:
  def loss(view):
    soft = losses.ats(
      *_soft_logits(view, standardize),
      view.labels,
      lam=1.0,
      tau1=tau1,
      tau2=tau2,
      student_tau=student_tau,
    )
    return _mixed(lam, view.student.logits, view.labels, soft), {}

  return Objective(loss)


def _isats(
  *,
  lam: float,
  grid: tuple[float, ...],
  gap: float,
  student_tau: float,
  standardize: bool,
) -> Objective:
  def loss(view):
    student, teacher = _soft_logits(view, standardize)
    tau1, tau2 = losses.isats_temperatures(teacher, view.labels, grid, gap)
    soft = losses.ats(
      student,
      teacher,
      view.labels,
      lam=1.0,
      tau1=tau1,
      tau2=tau2,
      student_tau=student_tau,
    )
    # The distribution of tau* that section 5.3 of the paper reports.
    shares = {f"tau_star_{tau:g}": (tau2 == tau).astype(jnp.float32) for tau in grid}
    return _mixed(lam, view.student.logits, view.labels, soft), shares

  return Objective(loss)


def _fgcr(
  *,
  lam: float,
  tau: float,
  alpha: float,
  student_tau: float | None,
  standardize: bool = False,
) -> Objective:
  def prepare(teacher_logits, labels, mask, num_classes):
    (logits,) = map(_comparable(standardize), teacher_logits)
    # What is masked is of no class.
    labels = jnp.where(mask, labels, num_classes)
    means = losses.class_mean_probabilities(logits, labels, num_classes, tau=tau - 1)
    counts = jnp.sum(jax.nn.one_hot(labels, num_classes), axis=0)[:, None]
    return {"sums": counts * means, "counts": counts}

  def loss(view):
    soft = losses.fgcr(
      *_soft_logits(view, standardize),
      view.labels,
      view.constants["sums"] / jnp.maximum(view.constants["counts"], 1),
      lam=1.0,
      tau=tau,
      alpha=alpha,
      student_tau=student_tau,
    )
    return _mixed(lam, view.student.logits, view.labels, soft), {}

  return Objective(loss, prepare)


def _sckd(
  *,
  lam: float,
  tau: float,
  student_tau: float | None,
  per: str,
  standardize: bool = False,
) -> Objective:
  def loss(view):
    (teacher,) = view.teachers
    soft = losses.kd(
      *_soft_logits(view, standardize),
      view.labels,
      lam=1.0,
      tau=tau,
      student_tau=student_tau,
    )
    agreement = losses.gradient_agreement(
      view.student.logits,
      teacher.logits,
      view.labels,
      tau=tau,
      student_tau=student_tau,
      standardize=standardize,
    )
    if per == "batch":
      agreement = jnp.broadcast_to(jnp.sum(agreement), agreement.shape)
    agrees = jax.lax.stop_gradient((agreement >= 0).astype(soft.dtype))
    terms = _mixed(lam, view.student.logits, view.labels, agrees * soft)
    return terms, {"agreement": agrees}

  return Objective(loss)


def _multi(
  *,
  lam: float,
  tau: float,
  student_tau: float | None,
  label: str,
  gap: float,
  grid: tuple[float, ...],
  weights: tuple[float, ...],
  contrast: Mapping[str, Any] | None,
  standardize: bool = False,
) -> Objective:
  shares = [weight / sum(weights) for weight in weights]
  comparable = _comparable(standardize)

  def probs_of(teacher, labels):
    logits = comparable(teacher.logits)
    if label == "kd":
      return losses.softmax(logits, tau)
    tau1, tau2 = losses.isats_temperatures(logits, labels, grid, gap)
    return losses.asymmetric_softmax(logits, labels, tau1, tau2)

  def loss(view):
    probs = sum(
      share * probs_of(teacher, view.labels)
      for share, teacher in zip(shares, view.teachers, strict=True)
    )
    soft = losses.distillation(
      comparable(view.student.logits),
      view.labels,
      probs,
      lam=1.0,
      tau=tau if student_tau is None else student_tau,
    )
    return _mixed(lam, view.student.logits, view.labels, soft), {}

  if contrast is None:
    return Objective(loss)
  contrast = dict(contrast)
  weight = contrast.pop("weight")

  def adapter(student, teachers, rngs):
    return nnx.List([Contrast(student, teacher, **contrast, rngs=rngs) for teacher in teachers])

  def loss_with_contrast(view):
    terms, diagnostics = loss(view)
    each = [
      share * contrast_with(view.student, teacher, view.labels)
      for share, contrast_with, teacher in zip(shares, view.adapter, view.teachers, strict=True)
    ]
    total = jnp.sum(jnp.stack(each), axis=0)
    return {**terms, "contrast": weight * total}, diagnostics

  return Objective(loss_with_contrast, adapter=adapter)


# --- Cross entropy, and a term of the method's own ----------------------------


def _plus_cross_entropy(view: View, **terms: jax.Array) -> Scalars:
  hard = losses.cross_entropy(view.student.logits, view.labels)
  return {"cross_entropy": hard, **terms}


def _dist(*, beta: float, gamma: float, tau: float) -> Objective:
  def loss(view):
    (teacher,) = view.teachers
    hard = jnp.mean(losses.cross_entropy(view.student.logits, view.labels))
    total = losses.dist(
      view.student.logits,
      teacher.logits,
      view.labels,
      beta=beta,
      gamma=gamma,
      tau=tau,
    )
    return {"cross_entropy": hard, "relations": total - hard}, {}

  return Objective(loss)


def _dkd(
  *,
  alpha: float,
  beta: float,
  tau: float,
  warmup: float,
  standardize: bool = False,
) -> Objective:
  def loss(view):
    decoupled = losses.dkd(
      *_soft_logits(view, standardize),
      view.labels,
      alpha=alpha,
      beta=beta,
      tau=tau,
    )
    weight = jnp.minimum(view.progress / warmup, 1.0) if warmup else 1.0
    return _plus_cross_entropy(view, decoupled=weight * decoupled), {}

  return Objective(loss)


def _rkd(*, distance: float, angle: float) -> Objective:
  def loss(view):
    (teacher,) = view.teachers
    relations = losses.rkd(
      view.student.features,
      teacher.features,
      distance=distance,
      angle=angle,
    )
    return _plus_cross_entropy(view, relations=relations), {}

  return Objective(loss)


def _at(*, weight: float) -> Objective:
  def loss(view):
    (teacher,) = view.teachers
    # As the toolkits do: the first stages where one network has more, and the
    # larger map averaged down to the smaller.
    count = min(len(view.student.stages), len(teacher.stages))
    maps = []
    for stage in range(count):
      pair = _stage(view.student, stage), _stage(teacher, stage)
      size = min(features.shape[1] for features in pair)
      maps.append(losses.at(*(layers.adaptive_average_pool(x, size) for x in pair)))
    attention = jnp.sum(jnp.stack(maps), axis=0)
    return _plus_cross_entropy(view, attention=weight * attention), {}

  return Objective(loss)


def _stage(outputs: Outputs, stage: int) -> jax.Array:
  if not 0 <= stage < len(outputs.stages) or outputs.stages[stage].ndim != 4:
    raise ValueError(f"stage {stage} is not one of maps, of {len(outputs.stages)} stages")
  return outputs.stages[stage]


def _to_size_of(features: jax.Array, other: jax.Array) -> jax.Array:
  """Resizes maps `[B, H, W, C]` to the height and width of others."""
  shape = (*features.shape[:1], *other.shape[1:3], *features.shape[3:])
  return jax.image.resize(features, shape, "linear")


class _Regressor(nnx.Module):
  """Brings a stage of the student to the shape of the teacher's.

  Where sizes differ the toolkits' convolution has a stride, or is transposed;
  here the map is resized first, whatever the sizes.
  """

  def __init__(self, student: Outputs, teacher: Outputs, stage: int, rngs):
    features, channels = (_stage(outputs, stage).shape[-1] for outputs in (student, teacher))
    self.conv = layers.Conv(features, channels, 1, rngs=rngs)
    self.norm = layers.BatchNorm(channels)

  def __call__(self, features: jax.Array, target: jax.Array) -> jax.Array:
    return jax.nn.relu(self.norm(self.conv(_to_size_of(features, target))))


def _fitnet(*, weight: float, stage: int) -> Objective:
  def adapter(student, teachers, rngs):
    return _Regressor(student, teachers[0], stage, rngs)

  def loss(view):
    (teacher,) = view.teachers
    target = teacher.stages[stage]
    hint = losses.fitnet(view.adapter(view.student.stages[stage], target), target)
    return _plus_cross_entropy(view, hint=weight * hint), {}

  return Objective(loss, adapter=adapter)


def _crd(*, weight: float, features: int, negatives: int, tau: float) -> Objective:
  def adapter(student, teachers, rngs):
    return Contrast(
      student,
      teachers[0],
      features=features,
      negatives=negatives,
      tau=tau,
      rngs=rngs,
    )

  def loss(view):
    (teacher,) = view.teachers
    contrast = view.adapter(view.student, teacher, view.labels)
    return _plus_cross_entropy(view, contrast=weight * contrast), {}

  return Objective(loss, adapter=adapter)


# --- A network that adds to another -------------------------------------------


def _reskd(*, lam: float) -> Objective:
  def predict(student, teachers):
    _, base = teachers
    return base.logits + student.logits

  def loss(view):
    teacher, base = view.teachers
    gap = losses.fitnet(view.student.logits, teacher.logits - base.logits)
    prediction = predict(view.student, view.teachers)
    return _mixed(lam, prediction, view.labels, gap), {}

  return Objective(loss, predict=predict)


OBJECTIVES: Mapping[str, Callable[..., Objective]] = {
  "at": _at,
  "ats": _ats,
  "crd": _crd,
  "cross_entropy": _cross_entropy,
  "dist": _dist,
  "dkd": _dkd,
  "fgcr": _fgcr,
  "fitnet": _fitnet,
  "isats": _isats,
  "kd": _kd,
  "multi": _multi,
  "regt": _regt,
  "reskd": _reskd,
  "rkd": _rkd,
  "sckd": _sckd,
}
