"""OFA-KD (Hao et al., NeurIPS 2023): exits of all stages, for networks of different families."""

import itertools

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, TEMPERATURE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import features, plus_cross_entropy
from jaxkd.models import Outputs, layers
from jaxkd.models.layers import Conv, Sequential


def _pointwise(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """He-normal kernel, PyTorch's default bias."""
  return layers.he_fan_out(key, shape)[0], layers.torch_default(key, shape)[1]


def _normal(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Normal with deviation 0.02, zero bias."""
  return 0.02 * jax.random.normal(key, shape), jnp.zeros(shape[-1:])


def _halved(own: int, target: int, rngs: nnx.Rngs) -> Sequential:
  """Two separable convolutions, the first of which halves the resolution."""
  net = Sequential()
  for strides, out in ((2, own), (1, target)):
    net.append(Conv(own, own, 3, strides=strides, groups=own, rngs=rngs))
    net.extend(layers.conv_bn(own, out, 1, nnx.relu, rngs=rngs))
  return net


class Exit(nnx.Module):
  """Logits from a stage: `number` halvings, a mean over the pixels, and a linear layer.

  Each halving but the last doubles the channels; the last has `width` of them. Without a halving a
  1x1 convolution has.
  """

  def __init__(self, own: int, width: int, classes: int, number: int, rngs: nnx.Rngs):
    channels = [own * 2**i for i in range(number)] + [width]
    self.blocks = Sequential(_halved(*pair, rngs) for pair in itertools.pairwise(channels))
    if not number:
      self.blocks.append(Conv(own, width, 1, use_bias=True, init=_pointwise, rngs=rngs))
    self.head = layers.Linear(width, classes, init=_normal, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, own] -> [B, classes]`, float32; `[B, own]` is taken as one pixel."""
    x = x if x.ndim == 4 else x[:, None, None]
    return self.head(layers.global_average_pool(self.blocks(x)), jnp.float32)


@register("ofa")
class OFA(Method):
  r"""Cross entropy, and the divergence of the student and its exits from an enhanced teacher.

  .. math::
    \ell = -\log p^s_y + v \, d(p^s) + w \sum_{\text{stages } i} d(p^{(i)}), \quad
    d(p) = -\left((1 + p^t_y)^\gamma - 1\right) \log p_y - \sum_{c \ne y} (p^t_c)^\gamma \log p_c

  Hao et al., *One-for-All: Bridge the Gap Between Heterogeneous Architectures in Knowledge
  Distillation*, NeurIPS 2023. The exits bring the student's stages to logits, and are trained with
  it. All softmaxes but that of the cross entropy are at temperature tau. With gamma = 1 a distance
  is the cross entropy of KD.

  The original's students have four stages, where the exit of stage i halves the map 4 - i times;
  with n stages here it does n - i times. The stages of an MLP are vectors: their exits are those of
  a last stage. The original has further exits for the tokens of transformers.
  """

  weight: float = option(1.0, "the authors' code: of each exit, w", NOT_NEGATIVE)
  kd: float = option(1.0, "the authors' code: of the student itself, v", NOT_NEGATIVE)
  gamma: float = option(1.0, "the authors' command for CIFAR-100; 1.5 for ImageNet", Bound(0.1, 10))
  tau: float = option(1.0, "the authors' code", TEMPERATURE)

  search = {"weight": (0.3, 1.0, 3.0), "gamma": (1.0, 1.2, 1.5)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    width = max(features(outputs).shape[-1] for outputs in (student, *teachers))
    classes, count = student.logits.shape[-1], len(student.stages)
    if not count:
      raise ValueError("the method needs stages, but the student has none")
    return nnx.List(
      Exit(x.shape[-1], width, classes, count - 1 - i if x.ndim == 4 else 0, rngs)
      for i, x in enumerate(student.stages)
    )

  def loss(self, view: View) -> Terms:
    logits = view.student.logits
    right = jax.nn.one_hot(view.labels, logits.shape[-1])
    target = (losses.softmax(view.teacher.logits, self.tau) + right) ** self.gamma - right

    def distance(logits: jax.Array) -> jax.Array:
      return losses.distillation(logits / self.tau, view.labels, target, lam=1.0, tau=1.0)

    exits = [distance(leave(x)) for leave, x in zip(view.adapter, view.student.stages, strict=True)]
    total = jnp.sum(jnp.stack(exits), axis=0)
    terms = {"soft": self.kd * distance(logits), "exits": self.weight * total}
    return plus_cross_entropy(view, **terms), {}
