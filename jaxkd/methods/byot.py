"""BYOT (Zhang et al., ICCV 2019): the student's last layers teach classifiers on its first ones."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import (
  FRACTION,
  NOT_NEGATIVE,
  TEMPERATURE,
  Method,
  Plan,
  Terms,
  View,
  option,
  register,
)
from jaxkd.methods.base import feature_map, features
from jaxkd.models import Outputs, layers


class EarlyClassifier(nnx.Module):
  """A classifier on a stage: a bottleneck of three convolutions, average pool, linear layer."""

  def __init__(self, stage: jax.Array, student: Outputs, size: int, rngs: nnx.Rngs):
    depth = features(student).shape[-1]
    middle = max(depth // 4, 1)
    reach = max(stage.shape[1] // size, 1)

    shapes = (stage.shape[-1], middle, 1), (middle, middle, reach), (middle, depth, 1)
    self.bottleneck = layers.Sequential(
      layers.conv_bn(*shape, nnx.relu, strides=shape[-1], padding=0, rngs=rngs) for shape in shapes
    )
    self.classifier = layers.Linear(depth, student.logits.shape[-1], rngs=rngs)

  def __call__(self, stage: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns logits `[B, C]` and features `[B, D]`."""
    pooled = layers.global_average_pool(self.bottleneck(stage))
    return self.classifier(pooled, jnp.float32), pooled


@register("byot")
class BYOT(Method):
  r"""Self-distillation: no teacher, but classifiers on all stages of the student but the last.

  .. math::
    \ell = (1 - \alpha) \sum_{i=0}^{n} -\log p^i_y +
      \alpha \sum_{i=1}^{n} \tau^2 CE(p^0(\tau), p^i(\tau)) +
      \beta \sum_{i=1}^{n} \sum_d (f^i_d - f^0_d)^2

  with the student itself as 0 and its probabilities and features as constants in the second and
  third sum. Features that are positive on neither side don't count. Zhang et al., *Be Your Own
  Teacher*, ICCV 2019, Eqs. 2 to 5, and the bottlenecks of its public code. The classifiers are
  dropped after the training.
  """

  alpha: float = option(0.1, "the public code", FRACTION)
  beta: float = option(
    1.28e-4,
    "the public code: 1e-6 times the sum over a batch of 128; here the mean over the batch counts",
    NOT_NEGATIVE,
  )
  tau: float = option(3.0, "the public code", TEMPERATURE)

  mixed_labels = True
  search = {"alpha": (0.1, 0.3), "tau": (1.0, 3.0)}

  def phases(self, plan: Plan) -> Any:
    return plan.student(self)

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    del teachers
    maps = [feature_map(student, stage) for stage in range(max(len(student.stages), 1))]
    size = maps[-1].shape[1]
    return nnx.List([EarlyClassifier(stage, student, size, rngs) for stage in maps[:-1]])

  def loss(self, view: View) -> Terms:
    own, zero = view.student, jnp.zeros(view.labels.shape)
    logits, target = jax.lax.stop_gradient((own.logits, features(own).astype(jnp.float32)))
    hard, soft, hint = view.cross_entropy(own.logits), zero, zero
    for stage, leave in zip(own.stages[:-1], view.adapter, strict=True):
      early, pooled = leave(stage)
      pooled = pooled.astype(jnp.float32)
      hard += view.cross_entropy(early)
      soft += losses.kd(early, logits, view.labels, lam=1.0, tau=self.tau)
      counted = (pooled > 0) | (target > 0)
      hint += jnp.sum(jnp.square(pooled - target), axis=-1, where=counted)
    terms = {"hard": (1 - self.alpha) * hard, "soft": self.alpha * soft}
    return {**terms, "features": self.beta * hint}, {}
