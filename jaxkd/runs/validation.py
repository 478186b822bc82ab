"""Checks of a config before any work: names, numbers, networks, weights and teachers."""

import itertools
import re
from collections.abc import Iterable
from typing import Any

import jax
from flax import nnx
from ml_collections import ConfigDict

from jaxkd import data, methods, models
from jaxkd.common.errors import ConfigError, UserError
from jaxkd.common.spelling import nearest
from jaxkd.methods import FRACTION, NOT_NEGATIVE, POSITIVE, Bound, View
from jaxkd.models import weights
from jaxkd.runs import planning, teachers
from jaxkd.runs.phase import Phase
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.row_options import of_row
from jaxkd.runs.store import PhaseFolder

_SEED = Bound(0, 2**32, high_open=True)
_BELOW_1 = Bound(0, 1, high_open=True)
_SHARE = Bound(0, 1, low_open=True)
_NUMBERS = {
  "data.validation": _BELOW_1,
  "data.train_share": _SHARE,
  "teacher.epochs": POSITIVE,
  "teacher.learning_rate": POSITIVE,
  "teacher.seed": _SEED,
  "small_teacher.epochs": POSITIVE,
  "small_teacher.learning_rate": POSITIVE,
  "small_teacher.seed": _SEED,
  "student.epochs": POSITIVE,
  "student.learning_rate": POSITIVE,
  "optim.momentum": _BELOW_1,
  "optim.weight_decay": NOT_NEGATIVE,
  "optim.warmup": _BELOW_1,
  "optim.decay": _SHARE,
  "run.eval_every_epochs": POSITIVE,
  "run.checkpoint_every_steps": POSITIVE,
  "run.keep_checkpoints": POSITIVE,
  "run.cohort": POSITIVE,
  "run.steps_per_dispatch": NOT_NEGATIVE,
  "run.resident_gib": NOT_NEGATIVE,
  "run.workers": NOT_NEGATIVE,
}


def validate(config: ConfigDict) -> None:
  """Checks every option before any work.

  Raises:
    ConfigError: naming the first option that is wrong, its value and what it may be.
  """
  _check_names(config)
  _check_numbers(config)
  for row in ("", *config.tuned):
    _check_methods(of_row(config, row))
  _check_rows(config)


def _require(ok: Any, option: str, value: Any, allowed: object) -> None:
  if not ok:
    raise ConfigError(f"config.{option} is {value!r}, must be {allowed}")


def _require_name(option: str, name: str, names: Iterable[str]) -> None:
  _require(name in names, option, name, nearest(name, names))


def _check_names(config: ConfigDict) -> None:
  _require(bool(config.rows), "rows", config.rows, "one row or more")
  for option, names in (("rows", config.rows), ("tuned", config.tuned)):
    for name in names:
      single = name.removesuffix(ENSEMBLE)
      if ":" not in single:
        _require_name(option, single, methods.list_methods())
  _require(
    re.fullmatch(r"[\w.-]+", config.title) and config.title.strip("."),
    "title",
    config.title,
    "letters, digits, _, . and -: it names a folder",
  )
  _require(config.ensemble > 1, "ensemble", config.ensemble, "2 or more")
  _require(
    len(config.seeds) % config.ensemble == 0 or not any(r.endswith(ENSEMBLE) for r in config.rows),
    "seeds",
    config.seeds,
    f"as many as fill ensembles of {config.ensemble} (config.ensemble) for rows that end in "
    f"{ENSEMBLE!r}",
  )
  for option, values in (("rows", config.rows), ("seeds", config.seeds)):
    _require(len(set(values)) == len(values), option, values, "without repetitions")
  _require(
    config.seeds and all(type(seed) is int and seed in _SEED for seed in config.seeds),
    "seeds",
    config.seeds,
    "one integer or more in [0, 2**32)",
  )
  _require_name("dtype", config.dtype, ("float32", "bfloat16"))
  _require_name("run.loader", config.run.loader, data.LOADERS)
  try:
    planning.spec_of_config(config)
  except data.DataError as error:
    raise ConfigError(f"config.data.name: {error}") from error
  for section in (*planning.SECTIONS, "student"):
    try:
      models.find(config[section].name)
    except (UserError, ValueError) as error:
      raise ConfigError(f"config.{section}.name: {error}") from error


def _check_numbers(config: ConfigDict) -> None:
  for option, bound in _NUMBERS.items():
    section, key = option.split(".")
    allowed = "in [0, 2**32)" if bound is _SEED else bound
    _require(config[section][key] in bound, option, config[section][key], allowed)
  seed = config.data.seed
  _require(seed is None or seed in _SEED, "data.seed", seed, "in [0, 2**32)")
  batch_size, devices = config.data.batch_size, jax.device_count()
  _require(
    batch_size > 0 and batch_size % devices == 0,
    "data.batch_size",
    batch_size,
    f"a positive multiple of the number of devices, {devices}",
  )
  milestones = config.optim.milestones
  ends = (config.optim.warmup, *milestones, 1.0)
  _require(
    all(end in FRACTION for end in milestones) and all(a < b for a, b in itertools.pairwise(ends)),
    "optim.milestones",
    milestones,
    f"numbers, ascending in ({config.optim.warmup:g}, 1): after the warm-up",
  )


def _check_methods(config: ConfigDict) -> None:
  """Checks the options of all methods, also of those that no row uses."""
  for name in methods.all_methods():
    if name in config:
      methods.create(name, config[name].to_dict())


def _check_rows(config: ConfigDict) -> None:
  """Traces every phase that the rows need, without its arrays."""
  students = [planning.student(config, row, config.seeds[0]) for row in config.rows]
  phases = planning.with_teachers(students)
  if config.teacher.checkpoint:
    _check_teacher(config)
    _require(
      any(phase.location for phase in phases) or not any(s.teachers for s in students),
      "teacher.checkpoint",
      config.teacher.checkpoint,
      f"empty, since none of the rows {', '.join(config.rows)} uses it",
    )
  for phase in phases:
    if not phase.location:
      _check_weights(phase)
      _check_loss(phase)


def _check_loss(phase: Phase) -> None:
  """Evaluates a phase's loss on shapes.

  Raises:
    ConfigError: the networks or the loss can't be traced.
  """
  objective = planning.objective_of(phase)
  num_classes = planning.spec_of(phase).num_classes

  def loss(student, theirs, labels):
    constants = objective.prepare and objective.prepare(
      [teacher.logits for teacher in theirs], labels, labels >= 0, num_classes
    )
    adapter = objective.adapter and objective.adapter(student, theirs, nnx.Rngs(0))
    assert objective.loss is not None  # methods.objective refuses such methods
    return objective.loss(View(student, theirs, labels, constants, 0.0, adapter))

  own, theirs = planning.outputs(phase), tuple(map(planning.outputs, phase.teachers))
  try:
    jax.eval_shape(loss, own, theirs, jax.ShapeDtypeStruct((1,), "int32"))
  except (TypeError, ValueError) as error:
    raise ConfigError(
      f"method {objective.name!r} with student {phase.network['name']!r}: {error}"
    ) from error


def _check_weights(phase: Phase) -> None:
  if not phase.weights:
    return
  model = nnx.eval_shape(lambda: planning.network(phase, nnx.Rngs(0)))
  try:
    weights.from_torch(model, weights.read(phase.weights))
  except (OSError, TypeError, ValueError) as error:
    raise ConfigError(f"init_from of network {phase.network['name']!r}: {error}") from error


def _check_teacher(config: ConfigDict) -> None:
  folder = PhaseFolder.open(config.teacher.checkpoint)
  _require(
    teachers.predicts_alone(folder.phase),
    "teacher.checkpoint",
    config.teacher.checkpoint,
    "of a network that predicts alone, not with others",
  )
  try:
    names = data.class_names(planning.spec_of_config(config), config.data.data_dir)
  except data.DataError:
    # Data that are not there yet are compared before training.
    names = None
  teachers.class_order(folder, planning.spec_of_config(config), names)
