"""SRD (Miles and Mikolajczyk, AAAI 2024): normalised features, through a linear projector."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, TEMPERATURE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import features, plus_cross_entropy
from jaxkd.models import Outputs, layers

_EPSILON = 1e-4
_SOURCE = "the authors' code for ImageNet; they publish none for CIFAR-100"


def normalized(x: jax.Array) -> jax.Array:
  """Returns `[B, D]` with mean 0 and variance 1 over the batch."""
  x = x.astype(jnp.float32)
  variance = jnp.var(x, axis=0, keepdims=True)
  return (x - jnp.mean(x, axis=0, keepdims=True)) * jax.lax.rsqrt(variance + _EPSILON)


@register("srd")
class SRD(Method):
  r"""Cross entropy, the log of the sum of all differences of normalised features, and KD.

  .. math::
    \ell = -\log p^s_y + w \log \sum_{b,d} \left|\hat s_{bd} - \hat t_{bd}\right|^\alpha
           + v \, \tau^2 KL(p^t(\tau) \| p^s(\tau))

  Miles and Mikolajczyk, *Understanding the Role of the Projector in Knowledge Distillation*, AAAI
  2024. t are the teacher's penultimate features. s are the student's, which a linear layer with
  bias, trained with the student, brings to as many. The hats mark batch norm without scale and
  bias, by the batch. A large power alpha weighs the largest differences most.
  """

  weight: float = option(2.0, _SOURCE, NOT_NEGATIVE)
  alpha: float = option(4.0, _SOURCE, Bound(1, 16))
  kd: float = option(1.0, f"{_SOURCE}: weight of the divergence", NOT_NEGATIVE)
  tau: float = option(1.0, _SOURCE, TEMPERATURE)

  mixed_labels = True
  search = {"weight": (0.5, 1.0, 2.0), "alpha": (2.0, 4.0)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    own, target = (features(outputs).shape[-1] for outputs in (student, *teachers))
    return layers.Linear(own, target, init=layers.torch_default, rngs=rngs)

  def loss(self, view: View) -> Terms:
    projected = view.adapter(features(view.student), jnp.float32)
    difference = normalized(projected) - normalized(features(view.teacher))
    total = jnp.sum(jnp.abs(difference) ** self.alpha)
    # The difference is 0 for a batch of one example.
    log_sum = jnp.log(jnp.maximum(total, jnp.finfo(total.dtype).tiny))
    soft = losses.divergence(view.student.logits, view.teacher.logits, tau=self.tau)
    return plus_cross_entropy(view, features=self.weight * log_sum, soft=self.kd * soft), {}
