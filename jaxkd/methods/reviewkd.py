"""ReviewKD (Chen et al., CVPR 2021): a teacher's stage, from this and all deeper stages."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import FRACTION, NOT_NEGATIVE, POSITIVE, Method, Terms, View, option, register
from jaxkd.methods.base import features, plus_cross_entropy, stage_pairs, warmup
from jaxkd.models import Outputs, layers


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """PyTorch's `kaiming_uniform_` with a = 1."""
  kernel, bias = layers.torch_default(key, shape)
  return math.sqrt(3) * kernel, bias


def nearest(x: jax.Array, height: int, width: int) -> jax.Array:
  """Resizes `[B, H, W, C]`: pixel i is pixel floor(i H / height), as in PyTorch."""
  for axis, size in ((1, height), (2, width)):
    old = x.shape[axis]
    pixels = [jax.lax.index_in_dim(x, i * old // size, axis, keepdims=False) for i in range(size)]
    x = x if old == size else jnp.stack(pixels, axis)
  return x


class Fusion(nnx.Module):
  """Attention based fusion (ABF) of a stage with the fusion of the next deeper one.

  Each pixel has two weights, one for the stage and one for the deeper fusion, which is resized to
  the stage. The deepest level has no deeper one. The maps have `own` channels, the fusion `middle`,
  the teacher's maps `target`.
  """

  attention: layers.Conv

  def __init__(self, own: int, middle: int, target: int, *, deepest: bool, rngs: nnx.Rngs):
    self.reduce = layers.conv_bn(own, middle, 1, init=_uniform, rngs=rngs)
    self.expand = layers.conv_bn(middle, target, 3, init=_uniform, rngs=rngs)
    if not deepest:
      self.attention = layers.Conv(
        2 * middle, 2, 1, use_bias=True, init=layers.torch_default, rngs=rngs
      )

  def __call__(
    self, x: jax.Array, deeper: jax.Array | None, target: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns the fusion with the target's height and width, and features of its shape."""
    x = self.reduce(x)
    if deeper is not None:
      deeper = nearest(deeper, *x.shape[1:3])
      weights = jax.nn.sigmoid(self.attention(jnp.concatenate([x, deeper], axis=-1)))
      x = x * weights[..., :1] + deeper * weights[..., 1:]
    x = nearest(x, *target.shape[1:3])
    return x, self.expand(x)


def hierarchical(student: jax.Array, teacher: jax.Array) -> jax.Array:
  """Returns the hierarchical context loss (HCL) of each example, `[B]`.

  It is the weighted mean of the mean squared errors of the maps as they are, and averaged to 4x4,
  2x2 and 1x1 pixels where they are larger. Each weight is half of the one before.
  """
  sizes = [size for size in (4, 2, 1) if size < teacher.shape[1]]
  errors = [losses.fitnet(student, teacher)]
  for size in sizes:
    errors.append(
      losses.fitnet(*(layers.adaptive_average_pool(x, size) for x in (student, teacher)))
    )
  weights = jnp.array([0.5**i for i in range(len(errors))])
  return jnp.average(jnp.stack(errors), axis=0, weights=weights)


def levels(student: Outputs, teacher: Outputs) -> list[tuple[jax.Array, jax.Array]]:
  """Returns the student's and the teacher's maps of each level, the deepest first.

  The penultimate features are the deepest, as maps of one pixel.
  """
  pooled = features(student)[:, None, None], features(teacher)[:, None, None]
  return [pooled, *reversed(stage_pairs(student, teacher, "stages", "preactivations"))]


@register("reviewkd")
class ReviewKD(Method):
  r"""Cross entropy, and the loss of `hierarchical` between fused and teacher's maps, summed.

  .. math::
    \ell = -\log p^s_y + w \min(1, t / t_0) \sum_{\text{levels } l}
             HCL(f_l, T_l), \quad f_l = \text{ABF}(S_l, f_{l+1})

  Chen et al., *Distilling Knowledge via Knowledge Review*, CVPR 2021. The levels are the stages and
  the penultimate features. As in the authors' code, the student's maps S are stages after their
  ReLU, and the teacher's maps T are before it. The fusions are trained with the student. Where one
  network has more stages, which the original never has, its first ones are taken.
  """

  weight: float = option(
    5.0,
    "the authors: 5 for most pairs on CIFAR-100, 8 for ResNet-32x4 to ShuffleNetV2, 1 for "
    "ResNet-110 to 32, 0.6 for ResNet-56 to 20",
    NOT_NEGATIVE,
  )
  warmup: float = option(
    20 / 240,
    "the authors' code: 20 of 240 epochs, linear, there by epochs, here by steps",
    FRACTION,
  )
  channels: int = option(
    512, "the authors' code: of the fusions, or of the student's features if fewer", POSITIVE
  )

  mixed_labels = True
  search = {"weight": (0.6, 1.0, 5.0, 8.0)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    middle = min(self.channels, features(student).shape[-1])
    pairs = jax.eval_shape(levels, student, teacher)
    channels = [(own.shape[-1], target.shape[-1]) for own, target in pairs]
    return nnx.List(
      Fusion(own, middle, target, deepest=i == 0, rngs=rngs)
      for i, (own, target) in enumerate(channels)
    )

  def loss(self, view: View) -> Terms:
    fused, gaps = None, []
    for fuse, (own, target) in zip(view.adapter, levels(view.student, view.teacher), strict=True):
      fused, reviewed = fuse(own, fused, target)
      gaps.append(hierarchical(reviewed, target))
    weight = self.weight * warmup(view.progress, self.warmup)
    return plus_cross_entropy(view, review=weight * jnp.sum(jnp.stack(gaps), axis=0)), {}
