"""OFD (Heo et al., ICCV 2019): maps before their ReLU, negative ones only down to a margin."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.methods import NOT_NEGATIVE, Method, Scalars, Terms, View, option, register
from jaxkd.methods.base import doubling, feature_map, plus_cross_entropy, stage_pairs
from jaxkd.models import Outputs, layers


def moments(x: jax.Array, mask: jax.Array) -> Scalars:
  """Returns sums over the images and pixels of `[B, H, W, C]` that the mask `[B]` counts, `[C]`."""
  x = x.astype(jnp.float32)
  counted = jnp.broadcast_to(mask[:, None, None, None], x.shape)
  negative = counted & (x < 0)

  def total(values: jax.Array, where: jax.Array) -> jax.Array:
    return jnp.sum(values, axis=(0, 1, 2), where=where)

  return {
    "number": total(jnp.ones_like(x), counted),
    "sum": total(x, counted),
    "squares": total(jnp.square(x), counted),
    "negative_number": total(jnp.ones_like(x), negative),
    "negative_sum": total(x, negative),
  }


def margin(sums: Scalars) -> jax.Array:
  """Returns the mean of a channel's negative values, `[C]`.

  It is -3 standard deviations where at most 0.1 % of the values are negative.
  """
  number = jnp.maximum(sums["number"], 1)
  mean = sums["sum"] / number
  deviation = jnp.sqrt(jnp.maximum(sums["squares"] / number - jnp.square(mean), 0.0))
  expectation = sums["negative_sum"] / jnp.maximum(sums["negative_number"], 1)
  return jnp.where(sums["negative_number"] > 0.001 * number, expectation, -3 * deviation)


def partial_distance(student: jax.Array, teacher: jax.Array, margin: jax.Array) -> jax.Array:
  """Returns the summed squared difference from the teacher's margin ReLU, `[B]`.

  Where the teacher is not positive the student may be below it.
  """
  target = jnp.maximum(teacher.astype(jnp.float32), layers.along_channels(margin, teacher))
  student = student.astype(jnp.float32)
  counted = (student > target) | (target > 0)
  return jnp.sum(jnp.where(counted, jnp.square(student - target), 0.0), axis=(1, 2, 3))


@register("ofd")
class OFD(Method):
  r"""Cross entropy, and the partial distances of the stages' preactivations.

  .. math::
    \ell = -\log p^s_y + w \sum_{i=1}^n 2^{i-n} d(r_i(S_i), \max(T_i, m_i)), \quad
    d(s, t) = \sum \begin{cases} 0 & s \le t \le 0 \\ (s - t)^2 & \text{else} \end{cases}

  Heo et al., *A Comprehensive Overhaul of Feature Distillation*, ICCV 2019. S and T are maps before
  the ReLU of a stage; a 1x1 convolution r with batch norm, trained with the student, has the
  teacher's channels. As in mdistiller, the last stages are paired where one network has more, and
  the teacher's map is averaged to the size of the student's.

  The margin m of a channel is the expectation of the teacher's negative values. The original takes
  it from scale and bias of the last batch norm, as if its outputs were Gaussian, and leaves a
  ResNet's shortcut out. Here it is their mean over the training split, which needs no batch norm.
  The original's teacher normalises by the batch, here by its running averages.
  """

  weight: float = option(
    1e-3, "the authors' code and mdistiller: of the sum over a map, of the last stage", NOT_NEGATIVE
  )

  mixed_labels = True
  search = {"weight": (3e-4, 1e-3, 3e-3)}

  def prepare(
    self, teachers: tuple[Outputs, ...], labels: jax.Array, mask: jax.Array, num_classes: int
  ) -> Any:
    del labels, num_classes
    (teacher,) = teachers
    stages = range(max(len(teacher.preactivations), 1))
    return [moments(feature_map(teacher, stage, "preactivations"), mask) for stage in stages]

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    pairs = self._pairs(student, *teachers)
    channels = [(own.shape[-1], target.shape[-1]) for own, target in pairs]
    return nnx.List(layers.conv_bn(*pair, 1, rngs=rngs) for pair in channels)

  def loss(self, view: View) -> Terms:
    pairs = self._pairs(view.student, view.teacher)
    sums = view.constants[-len(pairs) :]
    distances = []
    for (own, target), connect, each in zip(pairs, view.adapter, sums, strict=True):
      target = layers.adaptive_average_pool(target, own.shape[1])
      distances.append(partial_distance(connect(own), target, margin(each)))
    return plus_cross_entropy(view, partial=doubling(self.weight, distances)), {}

  def _pairs(self, student: Outputs, teacher: Outputs) -> list[tuple[jax.Array, jax.Array]]:
    return stage_pairs(student, teacher, "preactivations", "preactivations", last=True)
