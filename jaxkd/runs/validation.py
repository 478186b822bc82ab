"""Checks of a config before any work: names, numbers, networks, weights and teachers."""

import functools
import itertools
import operator
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from ml_collections import ConfigDict

from jaxkd import data, methods, models
from jaxkd.common.buckets import located
from jaxkd.common.errors import ConfigError, UserError, explained
from jaxkd.common.files import exists, file_hash
from jaxkd.common.spelling import closest, hint, nearest
from jaxkd.methods import FRACTION, NOT_NEGATIVE, POSITIVE, TEMPERATURE, Bound, View
from jaxkd.methods.base import make_module
from jaxkd.methods.options import SEED
from jaxkd.models import Outputs, weights
from jaxkd.runs import planning, predicted, teachers
from jaxkd.runs.config import default
from jaxkd.runs.phase import Phase
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.row_options import of_row
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import optim, predictions
from jaxkd.training.step import groups_fit

_BELOW_1 = Bound(0, 1, high_open=True)
_SHARE = Bound(0, 1, low_open=True)
BOUNDS = {
  "student_tau": TEMPERATURE,
  "data.validation": _BELOW_1,
  "data.train_share": _SHARE,
  "data.seed": SEED,
  "data.policy_operations": POSITIVE,
  "data.policy_magnitude": Bound(0, 30),
  "data.erasing": FRACTION,
  "data.mixup": NOT_NEGATIVE,
  "data.cutmix": NOT_NEGATIVE,
  "data.views": NOT_NEGATIVE,
  **dict.fromkeys((f"{network}.epochs" for network in planning.NETWORKS), NOT_NEGATIVE),
  **dict.fromkeys((f"{network}.learning_rate" for network in planning.NETWORKS), POSITIVE),
  "teacher.seed": SEED,
  "small_teacher.seed": SEED,
  "teacher.image_size": NOT_NEGATIVE,
  "small_teacher.image_size": NOT_NEGATIVE,
  "optim.momentum": _BELOW_1,
  "optim.weight_decay": NOT_NEGATIVE,
  "optim.warmup": _BELOW_1,
  "optim.decay": _SHARE,
  "optim.beta1": _BELOW_1,
  "optim.beta2": _BELOW_1,
  "optim.eps": POSITIVE,
  "optim.clip_norm": NOT_NEGATIVE,
  "optim.accumulate": POSITIVE,
  "optim.batch_norm_groups": POSITIVE,
  "optim.label_smoothing": _BELOW_1,
  "optim.ema": _BELOW_1,
  "run.eval_every_epochs": POSITIVE,
  "run.checkpoint_every_steps": POSITIVE,
  "run.keep_checkpoints": POSITIVE,
  "run.cohort": POSITIVE,
  "run.steps_per_dispatch": NOT_NEGATIVE,
  "run.resident_gib": NOT_NEGATIVE,
  "run.workers": NOT_NEGATIVE,
  "run.predictions_gib": NOT_NEGATIVE,
}
"""The numbers that options of a config take."""

_OPTIONAL = ("data.seed", *(f"optim.{key}" for key in optim.BETAS))
"""Numbers that may also be None."""


def validate(config: ConfigDict) -> None:
  """Checks every option before any work; the ConfigError names the first wrong option."""
  _check_complete(config)
  _check_names(config)
  _check_numbers(config)
  for row in ("", *config.tuned):
    own = of_row(config, row)
    # Methods that no row uses are checked, too.
    for name in filter(own.get, methods.all_methods()):
      planning.method(own, name)
  _check_rows(config)


def _require(ok: Any, option: str, value: Any, allowed: object) -> None:
  if not ok:
    raise ConfigError(f"config.{option} is {value!r}, must be {allowed}")


def _check_complete(config: ConfigDict) -> None:
  """Finds the sections and options that a config written from scratch lacks."""
  for name, value in default().items():
    # A method that was registered later has the factor 1.
    keys = value if isinstance(value, ConfigDict) and name != "combined" else ()
    parts = [name, *(f"{name}.{key}" for key in keys)]
    for option in parts:
      section: Any = config
      for key in option.split("."):
        if not isinstance(section, ConfigDict) or key not in section:
          raise ConfigError(f"config.{option} is missing; start from jaxkd.runs.config.default()")
        section = section[key]


def _check_names(config: ConfigDict) -> None:
  rows, seeds, size, title = config.rows, config.seeds, config.ensemble, config.title
  _require(bool(rows), "rows", rows, "one row or more")
  single = list(methods.list_methods())
  both = [*single, *(f"{name}{ENSEMBLE}" for name in single)]
  joined = "or several joined by '+', each alone or"
  allowed = f"one of {', '.join(single)}, {joined} with {ENSEMBLE!r} behind it"
  for name in rows:
    row = name.removesuffix(ENSEMBLE)
    _require(_known(row, single), "rows", name, allowed + hint(name, [*both, *_alike(row, single)]))
  # An ensemble has the options of its row.
  for name in config.tuned:
    near = [*single, *_alike(name.removesuffix(ENSEMBLE), single)]
    _require(_known(name, single), "tuned", name, nearest(name, near))
  allowed = "letters, digits, _, . and -: it names a folder"
  _require(re.fullmatch(r"[\w.-]+", title) and title.strip("."), "title", title, allowed)
  _require(size > 1, "ensemble", size, "2 or more")
  allowed = f"a multiple of {size} seeds (config.ensemble) for rows that end in {ENSEMBLE!r}"
  filled = len(seeds) % size == 0 or not any(row.endswith(ENSEMBLE) for row in rows)
  _require(filled, "seeds", seeds, allowed)
  for option, values in (("rows", rows), ("seeds", seeds)):
    _require(len(set(values)) == len(values), option, values, "without repetitions")
  integers = all(type(seed) is int and seed in SEED for seed in seeds)
  _require(seeds and integers, "seeds", seeds, "one integer or more in [0, 2**32)")
  allowed = "'float32' or 'bfloat16'"
  _require(repr(config.dtype) in allowed.split(), "dtype", config.dtype, allowed)
  policy, policies = config.data.policy, data.POLICIES
  allowed = f"empty, or {nearest(policy, policies)}"
  _require(policy in ("", *policies), "data.policy", policy, allowed)
  for option in ("policy_operations", "policy_magnitude"):
    value, usual = config.data[option], data.UNCHANGED._asdict()[option]
    allowed = f"{usual}: the policy {policy!r} doesn't use it"
    _require(policy == "randaugment" or value == usual, f"data.{option}", value, allowed)
  loader, loaders = config.run.loader, data.LOADERS
  _require(loader in loaders, "run.loader", loader, nearest(loader, loaders))
  option = "data_dir" if config.data.name == "folder" else "name"
  with explained(ConfigError, f"config.data.{option}", data.DataError):
    data.find(config.data.name, config.data.data_dir)
  for section in planning.NETWORKS:
    with explained(ConfigError, f"config.{section}.name", UserError):
      models.find(config[section].name)
    if file := config[section].init_from:
      with explained(ConfigError, f"config.{section}.init_from", UserError):
        file_hash(file)
    _check_normalisation(config, section)


def _check_normalisation(config: ConfigDict, name: str) -> None:
  """Checks the mean and deviation that a network's section gives, one for each channel."""
  section = config[name]
  mean, std = section.get("mean", ()), section.get("std", ())
  if not (mean or std):
    return
  channels = data.find(config.data.name, config.data.data_dir).channels
  allowed = f"{channels} numbers in [0, 1), of pixels in [0, 1]"
  _require(len(mean) == channels and all(0 <= x < 1 for x in mean), f"{name}.mean", mean, allowed)
  allowed = f"{channels} numbers in (0, 1], of pixels in [0, 1]"
  _require(len(std) == channels and all(0 < x <= 1 for x in std), f"{name}.std", std, allowed)
  if section.get("checkpoint") or section.get("predictions"):
    allowed = "empty: a finished teacher has the normalisation of its training"
    _require(not mean, f"{name}.mean", mean, allowed)


def _known(row: str, single: Sequence[str]) -> bool:
  """Returns whether a row names a method, one to import, or several that are combined."""
  return ":" in row or all(name in single for name in methods.members(row))


def _alike(row: str, single: Sequence[str]) -> list[str]:
  """Returns a combined row with each of its unknown methods replaced by the nearest one."""
  names = methods.members(row)
  alike = [name if name in single else closest(name, single) for name in names]
  return ["+".join(alike)] if len(names) > 1 and all(alike) else []


def _check_numbers(config: ConfigDict) -> None:
  for option, bound in BOUNDS.items():
    value = functools.reduce(operator.getitem, option.split("."), config)
    unset = value is None and option in _OPTIONAL
    _require(unset or value in bound, option, value, bound)
  batch_size, devices = config.data.batch_size, jax.device_count()
  allowed = f"a positive multiple of the number of devices, {devices}"
  _require(batch_size > 0 and batch_size % devices == 0, "data.batch_size", batch_size, allowed)
  _check_optimizer(config)


def _check_optimizer(config: ConfigDict) -> None:
  """Finds names that are unknown, and options that the optimiser would ignore."""
  own, batch_size, devices = config.optim, config.data.batch_size, jax.device_count()
  for option, known in (("name", optim.OPTIMIZERS), ("schedule", optim.SCHEDULES)):
    _require(own[option] in known, f"optim.{option}", own[option], nearest(own[option], known))
  for key in set(optim.BETAS) - optim.OPTIMIZERS[own.name].keys():
    _require(own[key] is None, f"optim.{key}", own[key], f"None: {own.name!r} has no {key}")
  usual = optim.RECIPE["momentum"]
  needless = own.name not in optim.MOMENTUM and own.momentum != usual
  allowed = f"{usual}: {own.name!r} doesn't use it"
  _require(not needless, "optim.momentum", own.momentum, allowed)
  allowed = f"a divisor of the {batch_size // devices} examples of a batch on each device"
  divides = (batch_size // devices) % own.accumulate == 0
  _require(divides, "optim.accumulate", own.accumulate, allowed)
  part = batch_size // own.accumulate
  groups = own.batch_norm_groups
  allowed = f"a divisor of the {part} examples that pass through the student at once, and less"
  _require(groups_fit(part, groups), "optim.batch_norm_groups", groups, allowed)
  if own.schedule != "step":
    usual, allowed = optim.RECIPE["decay"], f"the schedule {own.schedule!r} doesn't use it"
    _require(own.decay == usual, "optim.decay", own.decay, f"{usual}: {allowed}")
    return
  milestones, warmup = own.milestones, own.warmup
  allowed = f"numbers, ascending in ({warmup:g}, 1): after the warm-up"
  numbers = all(end in FRACTION for end in milestones)
  ascending = numbers and all(a < b for a, b in itertools.pairwise((warmup, *milestones, 1.0)))
  _require(ascending, "optim.milestones", milestones, allowed)


def _check_rows(config: ConfigDict) -> None:
  """Traces every phase that the rows need, without its arrays."""
  students = [planning.student(config, row, config.seeds[0]) for row in config.rows]
  phases = planning.with_teachers(students)
  for option in filter(config.teacher.get, ("checkpoint", "predictions")):
    _check_teacher(config, option)
    used = any(phase.location for phase in phases) or not any(s.teachers for s in students)
    allowed = f"empty, since none of the rows {', '.join(config.rows)} uses it"
    _require(used, f"teacher.{option}", config.teacher[option], allowed)
  for phase in phases:
    if not phase.location:
      if phase.given and not phase.weights:
        name = phase.network["name"]
        sections = [s for s in planning.NETWORKS if not config[s].epochs]
        # An assistant may have another name than its section's network.
        section = min(sections, key=lambda s: (config[s].name != name, config[s].init_from))
        allowed = f"> 0 for the network {name!r}: without init_from its weights are random"
        _require(False, f"{section}.epochs", config[section].epochs, allowed)
      _check_phase(phase, _initial(config, phase))


def _initial(config: ConfigDict, phase: Phase) -> str:
  """Returns the option that names a phase's file of initial weights."""
  sections = [s for s in planning.NETWORKS if config[s].init_from == phase.weights]
  # Two networks may have the same file.
  sections.sort(key=lambda s: config[s].name != phase.network["name"])
  rows = [
    n for n in methods.all_methods() if phase.weights in config.get(n, {}).get("init_from", ())
  ]
  return f"config.{[*sections, *rows, 'teacher'][0]}.init_from"


def _check_phase(phase: Phase, initial: str) -> None:
  """Compares initial weights with the network, and evaluates the loss on shapes."""
  if phase.weights:
    model = models.abstract(functools.partial(planning.plain_network, phase))
    with explained(ConfigError, f"{initial}, of network {phase.network['name']!r}"):
      weights.from_torch(model, weights.read(phase.weights), exact=phase.given)
  objective = planning.objective_of(phase)
  if phase.given and objective.compose:
    raise ConfigError(
      f"epochs of {phase.name} is 0, must be > 0: {objective.name!r} adds layers to the network, "
      "and trains them"
    )
  _check_recipe(phase, objective)
  check_views(phase)
  stored = _stored(phase)
  if stored and not suffices(phase, stored):
    teacher, storage = next(iter(stored.items()))
    kept = "logits and features" if storage.features else "logits"
    raise ConfigError(
      f"the method {objective.name!r} needs more of its teacher than the {kept} in "
      f"{teacher.location}; name the network by teacher.checkpoint"
    )
  theirs = predicted.outputs(phase.teachers, stored)
  student = phase.network["name"]
  smoothing = phase.schedule.get("label_smoothing", 0.0)
  for member in objective.members if isinstance(objective, methods.Combined) else (objective,):
    with explained(ConfigError, f"method {member.name!r} with student {student!r}"):
      used = loss_shapes(phase, member, theirs)
    allowed = f"0: the method {member.name!r} does not take its labels by View.cross_entropy"
    _require(not smoothing or used != {"labels"}, "optim.label_smoothing", smoothing, allowed)


def check_views(phase: Phase) -> None:
  """Finds options of the data that predictions by example and view can't have."""
  for option in ("mixup", "cutmix") if phase.views else ():
    value = phase.data.get(option, 0)
    _require(not value, f"data.{option}", value, "0 with data.views: it mixes images of a batch")


def _stored(phase: Phase) -> dict[Phase, predictions.Storage]:
  """Returns the storage of each teacher that is a folder of predictions, which are checked."""
  found = {}
  for teacher in phase.teachers:
    if teacher.location and exists(located(teacher.location) / predictions.ABOUT_FILE):
      given = predictions.Predictions(teacher.location)
      predicted.check_data(given, phase.data)
      if planning.objective_of(phase).prepare and not given.has(predictions.CLEAN):
        raise ConfigError(
          f"the method {phase.objective['name']!r} needs the teacher's logits of images without "
          f"augmentation, which {given.path} lacks; import "
          "them with --import_clean into a new folder"
        )
      found[teacher] = given.storage
  return found


def suffices(phase: Phase, stored: Mapping[Phase, predictions.Storage]) -> bool:
  """Returns whether a student's method can learn from stored outputs of its teachers."""
  objective = planning.objective_of(phase)
  if objective.predicts_with_teachers or objective.compose:
    return False
  try:
    loss_shapes(phase, objective, predicted.outputs(phase.teachers, stored))
  # A user's own method may miss the features in any way.
  except Exception:
    return False
  return True


def loss_shapes(phase: Phase, objective: methods.Method, teachers: tuple[Outputs, ...]) -> set[str]:
  """Evaluates a method's loss on the shapes of a phase, for abstract outputs of its teachers.

  Returns which of `labels` and `cross_entropy` of its view the method uses.
  """
  spec = planning.spec_of(phase)
  used = set()

  class Watched(View):
    """Notices how the method uses labels."""

    @property
    def labels(self):
      used.add("labels")
      return self[View._fields.index("labels")]

    def cross_entropy(self, logits):
      used.add("cross_entropy")
      return super().cross_entropy(logits)

  def loss(student, theirs, labels):
    constants = objective.prepare and objective.prepare(
      theirs, labels, labels >= 0, spec.num_classes
    )
    create = functools.partial(planning.network, phase)
    assert objective.loss is not None  # methods.objective refuses such methods
    view = Watched(
      student,
      theirs,
      labels,
      constants,
      adapter=make_module(objective, student, theirs, nnx.Rngs(0), create),
      images=jnp.zeros((1, spec.image_size, spec.image_size, spec.channels)),
      key=jax.random.key(0),
    )
    return objective.loss(view)

  own = planning.outputs(phase)
  jax.eval_shape(loss, own, teachers, jax.ShapeDtypeStruct((1,), "int32"))
  return used


def _check_recipe(phase: Phase, objective: methods.Method) -> None:
  """Finds options of data and optimiser that a method does not take."""
  for option in ("mixup", "cutmix"):
    value = phase.data.get(option, 0.0)
    allowed = f"0: the method {objective.name!r} needs the class of each image"
    _require(objective.mixed_labels or not value, f"data.{option}", value, allowed)
  parts = phase.schedule.get("accumulate", 1)
  allowed = f"1: the method {objective.name!r} compares gradients of whole batches"
  _require(parts == 1 or not objective.reweigh, "optim.accumulate", parts, allowed)


def _check_teacher(config: ConfigDict, option: str) -> None:
  folder = PhaseFolder.open(config.teacher[option])
  held = exists(folder.path / predictions.ABOUT_FILE)
  other = "checkpoint" if option == "predictions" else "predictions"
  _require(not config.teacher[other], f"teacher.{other}", config.teacher[other], "empty beside it")
  allowed = f"the folder of a network; --config.teacher.{other} takes this folder"
  if held != (option == "predictions"):
    _require(False, f"teacher.{option}", config.teacher[option], allowed)
  spec = data.find(config.data.name, config.data.data_dir)
  allowed = "of a network that predicts alone, not with others"
  alone = not planning.objective_of(folder.phase).predicts_with_teachers
  _require(alone, f"teacher.{option}", config.teacher[option], allowed)
  try:
    names = data.class_names(spec, config.data.data_dir)
  except data.DataError:
    # The classes of missing data are compared before training.
    names = None
  size = config.teacher.image_size or spec.image_size
  teachers.class_order(folder, spec, names, None if held else size)
