"""From a config to phases: the rows of an experiment, each under its seeds."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from ml_collections import ConfigDict

from jaxkd import data, methods, models
from jaxkd.common.backend import traced_for
from jaxkd.common.errors import ConfigError, UserError, explained
from jaxkd.common.files import file_hash
from jaxkd.methods import Method
from jaxkd.runs.config import SHARED
from jaxkd.runs.phase import Phase
from jaxkd.runs.row_options import of_row
from jaxkd.runs.store import PhaseFolder, StoreError
from jaxkd.training import optim
from jaxkd.training.step import Frozen, functional

ENSEMBLE = "+ens"
"""Ends the name of a row whose students, of several seeds, predict together."""

SECTIONS = ("teacher", "small_teacher")
NETWORKS = (*SECTIONS, "student")
"""The sections of the config that `takd.assistants` and `multi.networks` may name."""


def phases(config: ConfigDict, row: str) -> tuple[Phase, ...]:
  """Returns the phases of a row's students, one for each seed."""
  known = data.identity(config.data.name, config.data.data_dir)
  return tuple(student(config, row, seed, known) for seed in config.seeds)


def student(
  config: ConfigDict, row: str, seed: int, identity: Mapping[str, Any] | None = None
) -> Phase:
  """Returns the phase of a row's student under a seed; `identity` is that of its data set."""
  row = row.removesuffix(ENSEMBLE)
  plan = ExperimentPlan(of_row(config, row), seed, identity)
  with explained(ConfigError, f"config.{row}", UserError):
    return plan.options(row).phases(plan)


def teacher(config: ConfigDict) -> Phase:
  """Returns the phase of the large teacher."""
  return ExperimentPlan(config, 0).teacher()


def seen_by_students(config: ConfigDict) -> Mapping[str, Any]:
  """Returns the data of a student that has a teacher, as in its phase."""
  return student(config, "kd", config.seeds[0]).data


def method(config: ConfigDict, name: str) -> Method:
  """Returns a method with the options of the config's section of its name, or of its members'."""
  names = methods.members(name)
  if len(names) > 1:
    weights = config.get("combined", {})
    return methods.Combined(
      tuple(method(config, each) for each in names), tuple(weights.get(each, 1.0) for each in names)
    )
  section = config.get(name, ConfigDict()).to_dict()
  shared = {key: config[key] for key in SHARED if key in section and section[key] is None}
  return methods.create(name, section | shared)


class ExperimentPlan:
  """An experiment under one seed; see `jaxkd.methods.Plan`, which it implements."""

  def __init__(self, config: ConfigDict, seed: int, identity: Mapping[str, Any] | None = None):
    self._config, self.seed = config, seed
    # The identity of a folder takes a look at every file.
    self._identity = identity or data.identity(config.data.name, config.data.data_dir)

  def options(self, name: str) -> Method:
    """Returns a method with the options of the config's section of its name."""
    return method(self._config, name)

  def teacher(self, objective: Method | None = None) -> Phase:
    """Returns the phase of the large teacher, or the given finished phase."""
    section = self._config.teacher
    if objective:
      self._require_training(f"{objective.name}, which trains its own teacher")
    option = "predictions" if section.predictions else "checkpoint"
    if not section[option]:
      with explained(ConfigError, "config.teacher.name", models.NetworkError):
        return self._phase(section, objective, (), section.seed)
    with explained(ConfigError, f"config.teacher.{option}", StoreError):
      return PhaseFolder.open(section[option]).phase

  def small_teacher(self) -> Phase:
    """Returns the phase of the small teacher."""
    section = self._config.small_teacher
    with explained(ConfigError, "config.small_teacher.name", models.NetworkError):
      return self._phase(section, None, (), section.seed)

  def student(self, objective: Method, *teachers: Phase) -> Phase:
    """Returns a phase that trains the experiment's student under its seed."""
    with explained(ConfigError, "config.student.name", models.NetworkError):
      return self._phase(self._config.student, objective, teachers, self.seed)

  def assistants(self, names: Sequence[str], weights: Sequence[str] = ()) -> list[ConfigDict]:
    """Returns networks to train: sections of the config, or names of networks."""
    if weights and len(weights) != len(names):
      raise UserError(
        f"init_from is {tuple(weights)}, must be (), or {len(names)} files, one for each of "
        f"{', '.join(names)}, '' for none"
      )
    files = weights or ("",) * len(names)
    return [self._named(*pair, SECTIONS) for pair in zip(names, files, strict=True)]

  def residual(self, name: str, weights: str = "") -> ConfigDict:
    """Returns the network `name`, or the student's if '', to be trained like the student."""
    return self._named(name or "student", weights, ("student",))

  def train(
    self, network: ConfigDict, objective: Method, *teachers: Phase, seed: int | None = None
  ) -> Phase:
    """Returns a phase that trains a network of `assistants` or `residual`."""
    plain = objective.name == "cross_entropy" and not teachers and seed is None
    if plain and network == self._config.teacher:
      return self.teacher()
    return self._phase(network, objective, teachers, network.seed if seed is None else seed)

  def shortened(self, phase: Phase, share: float, *, full_schedule: bool = False) -> Phase:
    """Returns the phase that trains for a share of another's epochs."""
    if phase.location or phase.given:
      self._require_training("a row that trains the teacher for fewer epochs")
    return phase.shortened(share, full_schedule=full_schedule)

  def parameters(self, phase: Phase) -> int:
    """Returns the number of parameters of a phase's network."""
    return num_parameters(phase)

  def _require_training(self, purpose: str) -> None:
    """Raises if the teacher is given and not trained."""
    section = self._config.teacher
    for option in ("checkpoint", "predictions"):
      if value := section[option]:
        raise ConfigError(f"config.teacher.{option} is {value!r}, must be empty for {purpose}")
    if not section.epochs:
      raise ConfigError(f"config.teacher.epochs is {section.epochs}, must be > 0 for {purpose}")

  def _named(self, name: str, weights: str, sections: Sequence[str]) -> ConfigDict:
    """Returns the section with this name or network, or else the first one with that network."""
    found = [s for s in sections if name in (s, self._config[s].name)]
    network = self._config[found[0] if found else sections[0]].copy_and_resolve_references()
    if not found:
      network.name, network.options, network.init_from = name, ConfigDict(), ""
      # Those that another network's weights need.
      network.update({key: () for key in ("mean", "std") if key in network})
    if weights:
      network.init_from = weights
    return network

  def _phase(
    self, network: ConfigDict, objective: Method | None, teachers: tuple[Phase, ...], seed: int
  ) -> Phase:
    """Returns the phase that trains a network, by default with cross entropy."""
    config = self._config
    dataset = {**self._identity, "batch_size": config.data.batch_size}
    usual = {"validation": (0,), "train_share": (1,), "seed": (None, seed)}
    dataset |= {key: config.data[key] for key in usual if config.data[key] not in usual[key]}
    dataset |= data.Augmentation.of(config.data).used()
    if network.get("mean"):
      dataset |= {"mean": list(network.mean), "std": list(network.std)}
    if teachers and config.data.views:
      dataset |= {"views": config.data.views, "view_seed": config.data.seed or 0}
    described = {"name": network.name, "dtype": config.dtype, "options": network.options.to_dict()}
    spec = data.find(config.data.name, config.data.data_dir)
    if network.get("image_size", 0) not in (0, spec.image_size):
      described["image_size"] = network.image_size
    described["arrays"] = _arrays_once(_as_text(described), spec)
    if source := models.source_digest(network.name):
      described["source"] = source
    if network.init_from:
      described["init_from"] = file_hash(network.init_from)
    objective = objective or methods.objective("cross_entropy")
    if objective.compose:
      described["composed_by"] = objective.name
    # Without training the rate doesn't matter.
    own = {"epochs": network.epochs, "learning_rate": network.epochs and network.learning_rate}
    return Phase(
      data=dataset,
      network=described,
      schedule={**optim.used(config.optim.to_dict()), **own},
      objective=methods.identity(objective),
      seed=seed,
      teachers=teachers,
      weights=network.init_from,
    )


def spec_of(phase: Phase) -> data.Spec:
  """Returns the data set of a phase, from the phase alone, without its images."""
  fields = ("name", "num_classes", "image_size", "channels", "padding", "flip", "resize")
  mean, std = tuple(phase.data["mean"]), tuple(phase.data["std"])
  return data.Spec(mean=mean, std=std, **{field: phase.data[field] for field in fields})


def network(phase: Phase, rngs: nnx.Rngs | None = None) -> models.Network:
  """Makes the phase's network, initialised under its seed unless `rngs` are given.

  Its parts that are `models.Reused` have random values: checkpoints have the teacher's.
  """
  rngs = rngs or nnx.Rngs(phase.seed)
  made = plain_network(phase, rngs)
  if "composed_by" not in phase.network:
    return made
  return composed(phase, made, [network(teacher) for teacher in phase.teachers], rngs)


def plain_network(phase: Phase, rngs: nnx.Rngs) -> models.Network:
  """Makes the network that a phase names, without the parts that its method adds."""
  made = _create(phase.network, spec_of(phase), rngs)
  if "image_size" in phase.network:
    made.input_size = phase.network["image_size"]
  return made


def input_size(phase: Phase) -> int:
  """Returns height and width of the images that a phase's network sees."""
  return phase.network.get("image_size") or phase.data["image_size"]


def composed(
  phase: Phase, student: models.Network, teachers: Sequence[models.Network], rngs: nnx.Rngs
) -> models.Network:
  """Returns the network that the phase's method makes of the student; see `Method.compose`."""
  objective = objective_of(phase)
  assert objective.compose is not None  # `composed_by` names such methods
  images = jax.ShapeDtypeStruct(_shape(spec_of(phase)), jnp.float32)
  return objective.compose(student, teachers, images, rngs)


def _create(described: Any, spec: data.Spec, rngs: nnx.Rngs) -> models.Network:
  return models.create(
    described["name"],
    num_classes=spec.num_classes,
    image_size=described.get("image_size") or spec.image_size,
    in_channels=spec.channels,
    dtype=jnp.dtype(described["dtype"]),
    rngs=rngs,
    **described["options"],
  )


def num_parameters(phase: Phase) -> int:
  """Returns the number of parameters of a phase's network."""
  weights = nnx.state(_traced_phase(phase), nnx.Any(nnx.Param, models.Reused))
  return sum(x.size for x in jax.tree.leaves(weights))


class Cost(NamedTuple):
  """The size of a network, and the work of an evaluation of one image."""

  parameters: int
  bytes: int  # of all arrays, statistics included
  flops: float  # floating-point operations as XLA counts them


@functools.cache
def cost(phase: Phase) -> Cost:
  """Returns the cost of a phase's network, for which nothing is computed."""
  network, variables = functional(_traced_phase(phase))
  frozen = Frozen(network._replace(input_size=input_size(phase)), spec_of(phase))
  pixels = jax.ShapeDtypeStruct(_shape(frozen.spec), jnp.uint8)
  # On CPUs, grouped convolutions are products with zeros, which would be counted, too.
  with traced_for("gpu"):
    lowered = jax.jit(lambda *args: frozen.apply(*args).logits).lower(variables, pixels)
  size = sum(array.size * array.dtype.itemsize for array in jax.tree.leaves(variables))
  flops = (lowered.cost_analysis() or {}).get("flops", float("nan"))
  return Cost(num_parameters(phase), size, flops)


def outputs(phase: Phase) -> models.Outputs:
  """Returns the shapes of a network's outputs for one image."""
  return _traced_phase(phase, outputs=True)


def _traced_phase(phase: Phase, *, outputs: bool = False) -> Any:
  """Returns the phase's network without its arrays, or its abstract outputs for one image."""
  spec = spec_of(phase)
  if phase.imported:
    raise models.NetworkError(f"the network {phase.network['name']!r} is known by its logits alone")
  if "composed_by" in phase.network:
    return _abstract(functools.partial(network, phase), spec, outputs)
  return _traced(phase.network, spec, outputs=outputs)


def _traced(described: Mapping[str, Any], spec: data.Spec, *, outputs: bool = False) -> Any:
  """Returns a network without its arrays, or its abstract outputs for one image.

  It is a NetworkError if the network can't be made for the data set.
  """
  return _traced_once(_as_text(described), spec, outputs)


def _as_text(described: Mapping[str, Any]) -> str:
  """Returns what makes a network: two of the same text are equal."""
  fields = ("name", "dtype", "options", "image_size")
  own = {field: described[field] for field in fields if field in described}
  # A network may be registered again under its name.
  own["source"] = models.source_digest(own["name"])
  return json.dumps(own, sort_keys=True)


@functools.cache
def _arrays_once(text: str, spec: data.Spec) -> str:
  """Returns the digest of a network's arrays; a NetworkError like `_traced`'s."""
  return models.arrays_digest(_traced_once(text, spec, False))


@functools.cache
def _traced_once(text: str, spec: data.Spec, outputs: bool) -> Any:
  described = json.loads(text)
  with explained(models.NetworkError, f"network {described['name']!r} on {spec.name}"):
    seen = dataclasses.replace(spec, image_size=described.get("image_size") or spec.image_size)
    if outputs:
      model = _traced_once(text, spec, False)
      return nnx.eval_shape(lambda model: model.outputs(jnp.zeros(_shape(seen))), model)
    return _abstract(functools.partial(_create, described, spec), seen, outputs)


def _abstract(create: Callable[[nnx.Rngs], models.Network], spec: data.Spec, outputs: bool) -> Any:
  def make(rngs: nnx.Rngs) -> Any:
    model = create(rngs)
    return model.outputs(jnp.zeros(_shape(spec))) if outputs else model

  return models.abstract(make)


def _shape(spec: data.Spec) -> tuple[int, int, int, int]:
  """Returns the shape of one image."""
  return 1, spec.image_size, spec.image_size, spec.channels


def with_teachers(students: Iterable[Phase]) -> list[Phase]:
  """Returns phases and all their teachers, teachers first, each once."""
  return list(dict.fromkeys(phase for student in students for phase in student.with_teachers()))


def objective_of(phase: Phase) -> Method:
  """Returns the method that a phase minimises."""
  return methods.of_identity(phase.objective)
