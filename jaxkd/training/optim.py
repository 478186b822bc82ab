"""Learning-rate schedules and the optimiser."""

import collections
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import optax

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


def schedule(options: Mapping[str, Any], total_steps: int) -> optax.Schedule:
  """Linear warm-up from 0, then steps down.

  Of the options, `learning_rate` is the peak, `warmup` and `milestones` are fractions of the steps,
  `decay` is the factor at each milestone.

  Examples:
    >>> rate = schedule({"learning_rate": 0.5, "warmup": 0.1, "decay": 0.1,
    ...                  "milestones": (0.5,)}, total_steps=20)
    >>> [round(float(rate(step)), 3) for step in (0, 1, 2, 9, 10)]
    [0.0, 0.25, 0.5, 0.5, 0.05]
  """
  warmup = round(options["warmup"] * total_steps)
  # In a very short run, several milestones may fall on one step.
  boundaries: dict[int, float] = collections.defaultdict(lambda: 1.0)
  for milestone in options["milestones"]:
    boundaries[round(milestone * total_steps) - warmup] *= options["decay"]
  steps = optax.piecewise_constant_schedule(options["learning_rate"], dict(boundaries))
  if warmup:
    rise = optax.linear_schedule(0.0, options["learning_rate"], warmup)
    steps = optax.join_schedules([rise, steps], [warmup])
  # optax mixes the step with floats; exact up to 2**24 steps.
  return lambda step: steps(jnp.asarray(step, jnp.float32))


def optimizer(options: Mapping[str, Any], rate: optax.Schedule) -> optax.GradientTransformation:
  """SGD with momentum and L2 regularisation, as PyTorch's `SGD` does it.

  The decay is added to the gradient, before momentum and learning rate, for every parameter.
  """
  return optax.chain(
    optax.add_decayed_weights(options["weight_decay"]),
    optax.sgd(rate, momentum=options["momentum"]),
  )
