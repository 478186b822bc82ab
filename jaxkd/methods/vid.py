"""VID (Ahn et al., CVPR 2019): the teacher's maps under a Gaussian that the student predicts."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import map_pairs, plus_cross_entropy
from jaxkd.models import Outputs
from jaxkd.models.layers import Conv, Sequential, along_channels, torch_default

_EPSILON = 1e-5


class Gaussian(nnx.Module):
  """A mean for each pixel of the teacher's map, by three 1x1 convolutions, and channels' variances.

  The student's maps have `own` channels, the teacher's `target`.
  """

  def __init__(self, own: int, target: int, variance: float, rngs: nnx.Rngs):
    def conv(channels: int) -> Conv:
      return Conv(channels, target, 1, init=torch_default, rngs=rngs)

    self.mean = Sequential([conv(own), nnx.relu, conv(target), nnx.relu, conv(target)])
    # The softplus of it is the variance, less _EPSILON.
    scale = math.log(math.expm1(variance - _EPSILON))
    self.scale = nnx.Param(jnp.full(target, scale, jnp.float32))

  def __call__(self, student: jax.Array, teacher: jax.Array) -> jax.Array:
    """Returns the mean negative log likelihood, less a constant."""
    squares = jnp.square((self.mean(student) - teacher).astype(jnp.float32))
    variance = along_channels(jax.nn.softplus(self.scale[...]) + _EPSILON, squares)
    return jnp.mean(squares / variance + jnp.log(variance)) / 2


@register("vid")
class VID(Method):
  r"""Cross entropy, and the negative log likelihood of the teacher's maps, summed over the stages.

  .. math::
    \ell = -\log p^s_y + w \sum_{\text{stages}} \overline{
             \frac{(t_c - \mu_c(s))^2}{2 \sigma_c^2} + \frac{1}{2} \log \sigma_c^2}, \quad
    \sigma_c^2 = \log(1 + e^{\alpha_c}) + 10^{-5}

  Ahn et al., *Variational Information Distillation for Knowledge Transfer*, CVPR 2019, as in
  RepDistiller: mean and variances are trained with the student, and the larger map is averaged
  down. mdistiller doesn't train the variances.
  """

  weight: float = option(1.0, "the toolkits", NOT_NEGATIVE)
  variance: float = option(5.0, "the toolkits: every variance at first", Bound(1e-3, 100))

  mixed_labels = True
  search = {"weight": (0.3, 1.0, 3.0)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    pairs = jax.eval_shape(map_pairs, student, teacher)
    channels = [(own.shape[-1], target.shape[-1]) for own, target in pairs]
    return nnx.List([Gaussian(*pair, self.variance, rngs) for pair in channels])

  def loss(self, view: View) -> Terms:
    pairs = map_pairs(view.student, view.teacher)
    stages = [predict(*pair) for predict, pair in zip(view.adapter, pairs, strict=True)]
    return plus_cross_entropy(view, likelihood=self.weight * jnp.sum(jnp.stack(stages))), {}
