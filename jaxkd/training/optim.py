"""Learning-rate schedules and optimisers."""

import collections
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import optax

from jaxkd.training.muon import matrices, scale_by_muon

RECIPE = {
  "momentum": 0.9,
  "weight_decay": 5e-4,
  "warmup": 5 / 240,
  "milestones": (150 / 240, 180 / 240, 210 / 240),
  "decay": 0.1,
}
"""The authors' recipe; warmup and milestones are fractions of the training.

It differs from their code in two ways, here told for CIFAR-100 at a peak of 0.05. Their rate
changes between epochs: in the first six it is 1e-8, 0.01, 0.02, 0.03, 0.04 and 0.05. Here the
warm-up rises with each step: it is theirs at the start of an epoch, and 0.01 more at its end. Their
epochs end with a smaller batch, so 240 epochs have 240 times 391 steps. Here batches run across the
ends of epochs, 390.625 steps an epoch: 90 steps fewer. The drops come at the same epochs.
"""


LATER = {
  "name": "sgd",
  "schedule": "step",
  "beta1": None,
  "beta2": None,
  "eps": None,
  "decay_norms_and_biases": True,
  "clip_norm": 0.0,
  "accumulate": 1,
  "label_smoothing": 0.0,
  "ema": 0.0,
  "batch_norm_groups": 1,
}
"""Options beside those of `RECIPE`, with the values that change nothing."""

STEP = ("label_smoothing", "accumulate", "ema", "batch_norm_groups")
"""The options of the training step."""

BETAS = ("beta1", "beta2", "eps")
OPTIMIZERS: dict[str, dict[str, float]] = {
  "sgd": {},
  "nesterov": {},
  "adamw": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
  "lamb": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-6},
  "muon": {"beta1": 0.95},
}
"""The optimisers by name, with the options of `BETAS` that each uses, as published."""

MOMENTUM = ("sgd", "nesterov")
"""The optimisers that use `momentum`."""

SCHEDULES = ("step", "cosine", "linear", "constant")


def used(options: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the options that make a difference, with the values that None stands for.

  Examples:
    >>> used({**RECIPE, **LATER}) == RECIPE
    True
    >>> used({**RECIPE, **LATER, "name": "muon", "schedule": "cosine"})
    {'name': 'muon', 'schedule': 'cosine', 'beta1': 0.95, 'weight_decay': 0.0005, 'warmup': 0.02...}
  """
  options = {**LATER, **options}
  own = OPTIMIZERS[options["name"]]
  unused = set(BETAS) - own.keys()
  unused |= set() if options["name"] in MOMENTUM else {"momentum"}
  unused |= set() if options["schedule"] == "step" else {"milestones", "decay"}
  options |= {key: value for key, value in own.items() if options[key] is None}
  return {
    key: value
    for key, value in options.items()
    if key not in unused and (key not in LATER or value != LATER[key])
  }


def unusual(options: Mapping[str, Any]) -> dict[str, Any]:
  """Returns the options that differ from the only ones that there once were: those of `RECIPE`."""
  return {key: value for key, value in used(options).items() if key in LATER}


def schedule(options: Mapping[str, Any], total_steps: int) -> optax.Schedule:
  """Linear warm-up from 0, then steps down, or another of `SCHEDULES`.

  Of the options, `learning_rate` is the peak, `warmup` and `milestones` are fractions of the steps,
  `decay` is the factor at each milestone. `cosine` and `linear` end at 0.

  Examples:
    >>> rate = schedule({"learning_rate": 0.5, "warmup": 0.1, "decay": 0.1,
    ...                  "milestones": (0.5,)}, total_steps=20)
    >>> [round(float(rate(step)), 3) for step in (0, 1, 2, 9, 10)]
    [0.0, 0.25, 0.5, 0.5, 0.05]
  """
  warmup = round(options["warmup"] * total_steps)
  peak, rest = options["learning_rate"], max(total_steps - warmup, 1)
  kind = options.get("schedule", LATER["schedule"])
  if kind == "step":
    # In a very short run, several milestones may fall on one step.
    boundaries: dict[int, float] = collections.defaultdict(lambda: 1.0)
    for milestone in options["milestones"]:
      boundaries[round(milestone * total_steps) - warmup] *= options["decay"]
    steps = optax.piecewise_constant_schedule(peak, dict(boundaries))
  elif kind == "cosine":
    steps = optax.cosine_decay_schedule(peak, rest)
  else:
    steps = optax.linear_schedule(peak, 0.0 if kind == "linear" else peak, rest)
  if warmup:
    rise = optax.linear_schedule(0.0, peak, warmup)
    steps = optax.join_schedules([rise, steps], [warmup])
  # optax mixes the step with floats; exact up to 2**24 steps.
  return lambda step: steps(jnp.asarray(step, jnp.float32))


def optimizer(options: Mapping[str, Any], rate: optax.Schedule) -> optax.GradientTransformation:
  """Returns the optimiser `name`, after `clip_norm` has bounded the gradient's norm.

  `sgd` and `nesterov` are PyTorch's `SGD`: the decay is added to the gradient, before momentum and
  learning rate. The other optimisers add it to their step, before the learning rate. Without
  `decay_norms_and_biases` it holds for `muon.matrices` alone.
  """
  options = {**LATER, **used(options)}
  name, momentum = options["name"], options.get("momentum")
  everything = options["decay_norms_and_biases"]
  decay = optax.add_decayed_weights(options["weight_decay"], None if everything else matrices)
  steps = [optax.clip_by_global_norm(options["clip_norm"])] if options["clip_norm"] else []
  if name in MOMENTUM:
    steps += [decay, optax.sgd(rate, momentum=momentum, nesterov=name == "nesterov")]
    return optax.chain(*steps)
  if name == "muon":
    steps.append(scale_by_muon(options["beta1"]))
  else:
    steps.append(optax.scale_by_adam(*(options[key] for key in BETAS)))
  steps.append(decay)
  if name == "lamb":
    steps.append(optax.scale_by_trust_ratio())
  return optax.chain(*steps, optax.scale_by_learning_rate(rate))
