"""A method: its options, its objective, the phases of its row, and the search of `tune`."""

import dataclasses
import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses, metrics
from jaxkd.methods.options import checked
from jaxkd.models import Network, Outputs, layers

Scalars = dict[str, jax.Array]
Terms = tuple[Scalars, Scalars]
"""The terms of a loss, and its diagnostics."""


class View(NamedTuple):
  """The inputs of an objective in a training step.

  Attributes:
    student: outputs of the network that is trained, on the batch.
    teachers: outputs of the frozen networks, on the same augmented images.
    labels: `[B]`; of mixed images the classes with the larger shares.
    constants: the sum of what `Method.prepare` returned for all batches.
    progress: the share of the schedule that is done, in [0, 1).
    adapter: the module that `Method.adapter` returned, trained with the student; or the peers.
    images: the student's input `[B, H, W, channels]`, for peers.
    key: of this step, for methods that draw.
    soft_labels: `[B, C]`, the shares of the classes where images are mixed.
    label_smoothing: the share of labels that `cross_entropy` spreads over all classes, if any.
  """

  student: Outputs
  teachers: tuple[Outputs, ...]
  labels: jax.Array
  constants: Any = ()
  progress: jax.Array | float = 0.0
  adapter: Any = None
  images: Any = None
  key: Any = None
  soft_labels: Any = None
  label_smoothing: float | None = None

  def cross_entropy(self, logits: jax.Array) -> jax.Array:
    """Returns the cross entropy of the labels, mixed and smoothed if they are, `[B]`."""
    if self.has_plain_labels:
      return losses.cross_entropy(logits, self.labels)
    soft, classes = self.soft_labels, logits.shape[-1]
    if soft is None:
      soft = jax.nn.one_hot(self.labels, classes)
    if self.label_smoothing is not None:
      soft = (1 - self.label_smoothing) * soft + self.label_smoothing / classes
    return losses.distillation(logits, self.labels, soft, lam=1.0, tau=1.0)

  @property
  def has_plain_labels(self) -> bool:
    """Whether the labels are neither mixed nor smoothed."""
    return self.soft_labels is None and self.label_smoothing is None

  @property
  def teacher(self) -> Outputs:
    """The only teacher."""
    (teacher,) = self.teachers
    return teacher


class Plan(Protocol):
  """An experiment under one seed: it makes the phases that a method asks for."""

  @property
  def seed(self) -> int:
    """Seed of the experiment's student."""

  def options(self, name: str) -> "Method":
    """Returns a method with the options that the experiment gives it."""

  def teacher(self, objective: "Method | None" = None) -> Any:
    """Returns the phase of the large teacher, by default trained with cross entropy.

    Without `objective` it may be a finished phase, `config.teacher.checkpoint`.
    """

  def small_teacher(self) -> Any:
    """Returns the phase of the small teacher, trained with cross entropy."""

  def student(self, objective: "Method", *teachers: Any) -> Any:
    """Returns a phase that trains the experiment's student under its seed."""

  def assistants(self, names: Sequence[str], weights: Sequence[str] = ()) -> list[Any]:
    """Returns networks to train, each from a file of weights unless that is ''.

    The names 'teacher' and 'small_teacher', or those of their networks, stand for these sections of
    the config. Another network is trained as the teacher is, from random weights.
    """

  def residual(self, name: str, weights: str = "") -> Any:
    """Returns a network to train like the student: `name`, or the student's if it is empty."""

  def train(
    self, network: Any, objective: "Method", *teachers: Any, seed: int | None = None
  ) -> Any:
    """Returns a phase that trains a network of `assistants` or `residual`."""

  def shortened(self, phase: Any, share: float, *, full_schedule: bool = False) -> Any:
    """Returns a phase like another that trains for a share of its epochs.

    Its schedule is squeezed into them, or with `full_schedule` it is the other's, cut off.
    """

  def parameters(self, phase: Any) -> int:
    """Returns the number of parameters of a phase's network."""


@functools.cache
def _types(method: Any) -> dict[str, Any]:
  """Returns the types of a method's options, which take longer to find than to check."""
  return typing.get_type_hints(method)


@dataclasses.dataclass(frozen=True)
class Method:
  """A row of a table. A subclass is a frozen dataclass, and its fields are the method's options.

  `jaxkd.methods.register` gives it its name. A new method is one file that defines `loss`; the rest
  has a default that fits a student of one teacher.

  Attributes:
    version: raise it when the method computes something else for the same options, so that results
      of the old definition are not reused.
    search: by option, the values that `jaxkd.tune` tries by default.
    loss: `View -> (terms, diagnostics)`, dicts of scalars or of per-example `[B]` arrays. The mean
      of each is logged; the sum of the terms is minimised. None if the method's networks are
      trained with other methods' objectives.
    prepare: `(teachers' outputs, labels, mask, num_classes) -> constants`. It is called with each
      batch of the training split, not augmented, before the first step; results are added up.
      The mask `[B]` is false on padding. None if the objective needs no constants.
    adapter: `(student's outputs, teachers' outputs, rngs) -> module`, from abstract outputs. The
      module is trained with the student and then dropped; its `nnx.BatchStat` are kept from step
      to step. None if the objective needs no module.
    compose: `(student, teachers, images, rngs) -> network`, from networks and abstract images. The
      new network takes the student's place: it is trained, evaluated, saved and exported. Its parts
      that come from the teachers are `models.Reused`. The arguments stay as they are. None if the
      student itself is trained.
    predicts_with_teachers: whether `predict` needs the teachers' outputs.
    several_teachers: whether `loss` takes several teachers.
    mixed_labels: whether `loss` takes labels of mixed images. It does if its terms use labels in
      `View.cross_entropy` alone, not the class of each example.
  """

  name: ClassVar[str] = ""
  version: ClassVar[int] = 1
  search: ClassVar[Mapping[str, Sequence[float]]] = {}
  loss: ClassVar[Callable[..., tuple[Scalars, Scalars]] | None] = None
  prepare: ClassVar[Callable[..., Any] | None] = None
  adapter: ClassVar[Callable[..., nnx.Module] | None] = None
  compose: ClassVar[Callable[..., Network] | None] = None
  predicts_with_teachers: ClassVar[bool] = False
  several_teachers: ClassVar[bool] = False
  mixed_labels: ClassVar[bool] = False

  def __post_init__(self) -> None:
    """Checks the options.

    Raises:
      ConfigError: an option has another type or is out of bounds.
    """
    kinds = _types(type(self))  # type: ignore[arg-type]  # mypy takes __hash__ for an instance's
    for field in dataclasses.fields(self):
      value = checked(self.name, field, kinds[field.name], getattr(self, field.name))
      object.__setattr__(self, field.name, value)

  @property
  def peers(self) -> int:
    """How many networks like the student, with other initial weights, are trained with it.

    They are `view.adapter`, a list, and are dropped after the training.
    """
    return 0

  @property
  def reweigh(self) -> Callable[[Mapping[str, Any]], Terms] | None:
    """Weighs the terms by their gradients: `gradients -> (weights, diagnostics)`.

    Gradients and weights are dicts with an entry for each term. The step then takes a backward pass
    for each term, and minimises and logs the weighted terms. A gradient is of the mean over the
    whole batch, in the student's parameters, without weight decay. None: the terms are added up as
    they are, in one backward pass.
    """
    return None

  def phases(self, plan: Plan) -> Any:
    """Returns the last phase of the row, which holds its teachers."""
    return plan.student(self, plan.teacher())

  def parts(self) -> "Sequence[Method]":
    """Returns the methods of the package that `loss` computes with; their versions identify it."""
    return ()

  def predict(self, student: Outputs, teachers: tuple[Outputs, ...]) -> jax.Array:
    """Returns the logits that are evaluated, `[B, C]`."""
    del teachers
    return student.logits


def make_module(
  method: Method,
  student: Outputs,
  teachers: tuple[Outputs, ...],
  rngs: nnx.Rngs,
  create: Callable[[nnx.Rngs], nnx.Module],
) -> nnx.Module | None:
  """Returns the peers or the adapter of a method; None if it has neither.

  `create` makes a network like the student, and the outputs may be abstract.
  """
  if method.peers:
    return nnx.List([create(rngs) for _ in range(method.peers)])
  return method.adapter and method.adapter(student, teachers, rngs)


def hard_and_soft(
  view: View, lam: jax.typing.ArrayLike, soft: jax.Array, prediction: jax.Array | None = None
) -> Scalars:
  """Returns the two terms of Eq. 2: (1 - lam) times cross entropy, lam times `soft`.

  The cross entropy is that of logits `prediction`, by default the student's.
  """
  hard = view.cross_entropy(view.student.logits if prediction is None else prediction)
  lam = jnp.asarray(lam, hard.dtype)
  return {"hard": (1 - lam) * hard, "soft": lam * soft}


def from_label(
  view: View,
  probs: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  student_tau: float,
  standardize: bool = False,
  weight: float = 1.0,
) -> Terms:
  """Returns Eq. 2's terms for a teacher's label `probs`, `[B, C]`, and the label's guidance."""
  student = comparable(view.student.logits, standardize)
  soft = losses.distillation(student, view.labels, probs, lam=1.0, tau=student_tau)
  return hard_and_soft(view, lam, weight * soft), guidance(view, probs)


def guidance(view: View, probs: jax.Array) -> Scalars:
  """Returns the correct guidance of a teacher's label `probs`, `[B, C]`; none for mixed images."""
  # A mixed image has no class that a label could miss.
  if view.soft_labels is not None:
    return {}
  return {
    "misguided": metrics.misguidance(probs, view.labels),
    "label_probability": metrics.label_probability(probs, view.labels),
  }


def plus_cross_entropy(view: View, **terms: jax.Array) -> Scalars:
  """Returns cross entropy and a method's own terms."""
  return {"cross_entropy": view.cross_entropy(view.student.logits), **terms}


def without_cross_entropy(view: View, name: str, total: jax.Array) -> Scalars:
  """Returns cross entropy, and as `name` the rest of a total with the cross entropy of `labels`.

  The total is `[B]`, or the mean over the batch.
  """
  hard = losses.cross_entropy(view.student.logits, view.labels)
  hard = hard if total.ndim else jnp.mean(hard)
  own = hard if view.has_plain_labels else view.cross_entropy(view.student.logits)
  return {"cross_entropy": own, name: total - hard}


def first_alone(view: View, share: float, **terms: jax.Array) -> Scalars:
  """Returns a method's own terms over the first share of the training, then cross entropy."""
  first = jnp.less(view.progress, share)
  hard = jnp.where(first, 0.0, view.cross_entropy(view.student.logits))
  own = {name: jnp.where(first, term, 0.0) for name, term in terms.items()}
  return {"cross_entropy": hard, **own}


def doubling(weight: float, distances: Sequence[jax.Array]) -> jax.Array:
  """Returns the sum of the stages' distances; the last has the weight, each half of the next's."""
  last = len(distances) - 1
  return jnp.sum(jnp.stack([weight / 2 ** (last - i) * x for i, x in enumerate(distances)]), axis=0)


def warmup(progress: jax.typing.ArrayLike, share: float) -> jax.Array:
  """Returns a weight that rises linearly from 0 to 1 over a share of the training."""
  return jnp.minimum(progress / share, 1.0) if share else jnp.ones(())


def comparable(logits: jax.Array, standardize: bool) -> jax.Array:
  """Returns logits, or their z-scores, for a soft term to compare."""
  return losses.standardize(logits) if standardize else logits


def soft_logits(view: View, standardize: bool) -> tuple[jax.Array, jax.Array]:
  """Returns the student's and the only teacher's logits, or their z-scores."""
  student, teacher = view.student.logits, view.teacher.logits
  return comparable(student, standardize), comparable(teacher, standardize)


def features(outputs: Outputs) -> jax.Array:
  """Returns the penultimate features `[B, D]`.

  Raises:
    ValueError: the network gives logits alone.
  """
  if outputs.features is None:
    raise ValueError(
      "the method needs features, but a network gives logits alone: return jaxkd.models.Outputs"
    )
  return outputs.features


def class_map(outputs: Outputs) -> jax.Array:
  """Returns the classifier's logits at each pixel, `[B, H, W, C]`.

  Raises:
    ValueError: the network has none.
  """
  if outputs.class_map is None:
    raise ValueError(
      "the method needs the class_map of a network, whose classifier sees the average of a map"
    )
  return outputs.class_map


def feature_map(outputs: Outputs, stage: int, field: str = "stages") -> jax.Array:
  """Returns the output of a stage as a map `[B, H, W, C]`; -1 is the last stage.

  The field may be `preactivations` instead.

  Raises:
    ValueError: the network has no such stage, or it is not a map.
  """
  maps = getattr(outputs, field)
  count = len(maps)
  if not -count <= stage < count or maps[stage].ndim != 4:
    raise ValueError(
      f"the method needs stage {stage} as a map, but a network has {count} {field}, "
      f"of rank {[x.ndim for x in maps]}"
    )
  return maps[stage]


def stage_pairs(
  student: Outputs,
  teacher: Outputs,
  own: str = "stages",
  target: str = "stages",
  *,
  last: bool = False,
) -> list[tuple[jax.Array, jax.Array]]:
  """Returns the maps of the stages that both networks have, the student's and the teacher's.

  `own` and `target` are fields of their outputs, `stages` or `preactivations`. The first stages are
  paired where one network has more, or the last ones.

  Raises:
    ValueError: a network has no stages, or they are not maps.
  """
  count = max(min(len(getattr(student, own)), len(getattr(teacher, target))), 1)
  return [
    (feature_map(student, stage, own), feature_map(teacher, stage, target))
    for stage in (range(-count, 0) if last else range(count))
  ]


def map_pairs(student: Outputs, teacher: Outputs) -> list[tuple[jax.Array, jax.Array]]:
  """Returns `stage_pairs` of equal size, as in the toolkits: the larger map is averaged down."""
  pairs = []
  for maps in stage_pairs(student, teacher):
    size = min(x.shape[1] for x in maps)
    own, target = (layers.adaptive_average_pool(x, size) for x in maps)
    pairs.append((own, target))
  return pairs
