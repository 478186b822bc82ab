"""Combined methods: the weighted sum of the losses of several methods, such as `crd+kd`."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from jaxkd.common.errors import ConfigError
from jaxkd.methods.base import Method, Plan, Scalars, Terms, View
from jaxkd.methods.options import POSITIVE
from jaxkd.models import Outputs


class Adapters(nnx.Module):
  """The adapters of the members, as attributes of their names."""


@dataclasses.dataclass(frozen=True)
class Combined(Method):
  r"""The sum of whole losses, each with the cross entropy that it has: w_1 l_1 + w_2 l_2 + ...

  Its name is that of its members, joined by +. The members have
  one student and the same teachers; a member without teachers may join. Terms are named after
  their member, as in `crd_contrast`.

  The combination of RepDistiller, cross entropy + KD at temperature 4 + 0.8 CRD, is `crd+kd` with
  `kd.lam=1` and `student_tau=4`: CRD has the cross entropy, and KD the soft term alone.
  """

  members: tuple[Method, ...] = ()
  weights: tuple[float, ...] = ()

  def __post_init__(self) -> None:
    """Checks that the members fit together.

    Raises:
      ConfigError: they don't, or a weight is out of bounds.
    """
    names = [member.name for member in self.members]

    def give(**attributes: Any) -> None:
      # The dataclass is frozen.
      for name, value in attributes.items():
        object.__setattr__(self, name, value)

    give(name="+".join(names))
    if len(set(names)) < len(names):
      self._refuse("each method must come once")
    for name, weight in zip(names, self.weights, strict=True):
      if weight not in POSITIVE:
        raise ConfigError(f"config.combined.{name} is {weight!r}, must be a number {POSITIVE}")
    for member in self.members:
      for reason, holds in (
        ("trains peers of the student", member.peers),
        ("weighs its terms by their gradients", member.reweigh),
        ("adds layers to the student", member.compose),
        ("predicts with its teachers", member.predicts_with_teachers),
      ):
        if holds:
          self._refuse(f"{member.name!r} can't be combined, since it {reason}")
    give(
      mixed_labels=all(member.mixed_labels for member in self.members),
      several_teachers=any(member.several_teachers for member in self.members),
    )
    if any(member.adapter for member in self.members):
      give(adapter=self._adapters)
    if any(member.prepare for member in self.members):
      give(prepare=self._constants)

  def _refuse(self, reason: str) -> None:
    raise ConfigError(f"config.rows has {self.name!r}: {reason}")

  def phases(self, plan: Plan) -> Any:
    found = [_student_of(member, plan) for member in self.members]
    for member, objective_and_teachers in zip(self.members, found, strict=True):
      if objective_and_teachers is None:
        self._refuse(f"the student of {member.name!r} is not trained as the experiment's")
    objectives, teachers = zip(*filter(None, found), strict=True)
    taught = [(m, t) for m, t in zip(self.members, teachers, strict=True) if t]
    for (one, first), (other, second) in itertools.pairwise(taught):
      if first != second:
        self._refuse(f"{one.name!r} and {other.name!r} have different teachers")
    if any(m.several_teachers and not t for m, t in zip(self.members, teachers, strict=True)):
      self._refuse("its methods have different teachers")
    objective = Combined(tuple(objectives), self.weights)
    return plan.student(objective, *(taught[0][1] if taught else ()))

  def _adapters(
    self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs
  ) -> nnx.Module:
    adapters = Adapters()
    for member in self.members:
      if member.adapter:
        setattr(adapters, member.name, member.adapter(student, teachers, rngs))
    return adapters

  def _constants(self, *batch: Any) -> tuple[Any, ...]:
    return tuple(member.prepare(*batch) if member.prepare else () for member in self.members)

  def loss(self, view: View) -> Terms:
    terms: Scalars = {}
    diagnostics: Scalars = {}
    for place, (member, weight) in enumerate(zip(self.members, self.weights, strict=True)):
      assert member.loss is not None  # methods.objective refuses such methods
      own = view._replace(
        constants=view.constants[place] if self.prepare else (),
        adapter=getattr(view.adapter, member.name) if member.adapter else None,
        key=None if view.key is None else jax.random.fold_in(view.key, place),
      )
      found, more = member.loss(own)
      terms |= {f"{member.name}_{name}": weight * term for name, term in found.items()}
      diagnostics |= {f"{member.name}_{name}": value for name, value in more.items()}
    return terms, diagnostics


class _Recorder:
  """A plan that remembers the students that it makes."""

  def __init__(self, plan: Plan):
    self._plan = plan
    self.students: list[tuple[Any, tuple[Method, tuple[Any, ...]]]] = []

  def __getattr__(self, name: str) -> Any:
    return getattr(self._plan, name)

  def student(self, objective: Method, *teachers: Any) -> Any:
    """Returns the phase of the plan."""
    phase = self._plan.student(objective, *teachers)
    self.students.append((phase, (objective, teachers)))
    return phase


def _student_of(member: Method, plan: Plan) -> tuple[Method, tuple[Any, ...]] | None:
  """Returns objective and teachers of a row's student; None if the last phase is no student."""
  recorder: Any = _Recorder(plan)
  phases: Callable[[Any], Any] = member.phases
  last = phases(recorder)
  return next((made for phase, made in recorder.students if phase is last), None)
