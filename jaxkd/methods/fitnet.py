"""FitNet (Romero et al., ICLR 2015): the features of a stage, through a regressor."""

import jax
from flax import nnx

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map, plus_cross_entropy
from jaxkd.models import Outputs, layers


class Regressor(nnx.Module):
  """Brings a stage of the student to the shape of the teacher's: 1x1 convolution, norm, ReLU.

  Where sizes differ the toolkits' convolution has a stride, or is transposed; here the map is
    resized first, whatever the sizes.
  """

  def __init__(self, student: jax.Array, teacher: jax.Array, rngs: nnx.Rngs):
    self.conv = layers.Conv(student.shape[-1], teacher.shape[-1], 1, rngs=rngs)
    self.norm = layers.BatchNorm(teacher.shape[-1])

  def __call__(self, features: jax.Array, target: jax.Array) -> jax.Array:
    """Returns features of the target's shape."""
    shape = (*features.shape[:1], *target.shape[1:3], *features.shape[3:])
    resized = jax.image.resize(features, shape, "linear")
    return jax.nn.relu(self.norm(self.conv(resized)))


@register("fitnet")
class FitNet(Method):
  """Cross entropy, and the mean squared error of a stage's features."""

  weight: float = option(100.0, "the toolkits", NOT_NEGATIVE)
  stage: int = option(1, "the toolkits: the second, counted from 0", NOT_NEGATIVE)

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    own, target = feature_map(student, self.stage), feature_map(teacher, self.stage)
    return Regressor(own, target, rngs)

  def loss(self, view: View) -> Terms:
    target = feature_map(view.teacher, self.stage)
    hint = losses.fitnet(view.adapter(feature_map(view.student, self.stage), target), target)
    return plus_cross_entropy(view, hint=self.weight * hint), {}
