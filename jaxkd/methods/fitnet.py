"""FitNet (Romero et al., ICLR 2015): the features of a stage, through a regressor."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map, plus_cross_entropy
from jaxkd.models import Outputs, layers


def transposed_default(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """PyTorch's default for transposed convolutions, which counts a kernel's outputs."""
  bound = 1 / math.sqrt(math.prod(shape[:-2]) * shape[-1])
  kernel = jax.random.uniform(key, shape, minval=-bound, maxval=bound)
  bias = jax.random.uniform(jax.random.fold_in(key, 1), shape[-1:], minval=-bound, maxval=bound)
  return kernel, bias


class Regressor(nnx.Module):
  """Brings a stage of the student to the shape of the teacher's: convolution, batch norm, ReLU.

  `relu` says whether there is a ReLU.

  The convolution is the toolkits'. It has 3x3 pixels and stride 2 if the student's map is twice as
  large, 4x4 pixels and a transposed stride of 2 if it is half as large. A map of equal size or
  larger by n pixels is convolved with (n+1)x(n+1) pixels and no padding. It has no bias, which
  batch norm would cancel.

  The toolkits have no regressor for other sizes, where the teacher's map is larger. Here the
  student's map is then resized linearly, and convolved with 1x1 pixels.
  """

  def __init__(self, student: jax.Array, teacher: jax.Array, rngs: nnx.Rngs, relu: bool = True):
    own, target = student.shape[1:3], teacher.shape[1:3]
    larger, *unequal = {s - t for s, t in zip(own, target, strict=True)}
    halves = own == tuple(2 * size for size in target)
    self.doubles = target == tuple(2 * size for size in own)
    self.resizes = bool(larger < 0 or unequal) and not (halves or self.doubles)
    size, strides, padding = (1, 1, 0) if self.resizes else (1 + larger, 1, 0)
    if halves:
      size, strides, padding = 3, 2, 1
    elif self.doubles:
      # Transposed, as zeros are put between the pixels.
      size, strides, padding = 4, 1, 2
    self.conv = layers.Conv(
      student.shape[-1],
      teacher.shape[-1],
      size,
      strides=strides,
      padding=padding,
      init=transposed_default if self.doubles else layers.torch_default,
      rngs=rngs,
    )
    self.norm = layers.BatchNorm(teacher.shape[-1])
    self.relu = relu

  def __call__(self, features: jax.Array, target: jax.Array) -> jax.Array:
    """Returns features of the target's shape."""
    if self.doubles:
      between, zero = (0, 0, 1), jnp.zeros((), features.dtype)
      features = jax.lax.pad(features, zero, ((0, 0, 0), between, between, (0, 0, 0)))
    elif self.resizes:
      shape = (*features.shape[:1], *target.shape[1:3], *features.shape[3:])
      features = jax.image.resize(features, shape, "linear")
    features = self.norm(self.conv(features))
    return jax.nn.relu(features) if self.relu else features


@register("fitnet")
class FitNet(Method):
  """Cross entropy plus the mean squared error of a stage's features."""

  weight: float = option(100.0, "the toolkits", NOT_NEGATIVE)
  stage: int = option(
    1, "counted from 0; the toolkits' hint layer 2, where the stem is 0", NOT_NEGATIVE
  )

  mixed_labels = True
  version = 2

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    own, target = feature_map(student, self.stage), feature_map(teacher, self.stage)
    return Regressor(own, target, rngs)

  def loss(self, view: View) -> Terms:
    target = feature_map(view.teacher, self.stage)
    hint = losses.fitnet(view.adapter(feature_map(view.student, self.stage), target), target)
    return plus_cross_entropy(view, hint=self.weight * hint), {}
