"""CTKD (Li et al., AAAI 2023): a temperature that learns to make distillation harder."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft, warmup
from jaxkd.models import Outputs


@jax.custom_vjp
def reverse_gradient(x: jax.Array, factor: jax.Array) -> jax.Array:
  """Returns x; its gradient is `-factor` times what it would be."""
  del factor
  return x


reverse_gradient.defvjp(
  lambda x, factor: (x, factor),
  lambda factor, gradient: (-factor * gradient, jnp.zeros_like(factor)),
)


class Temperature(nnx.Module):
  """A number that is trained to raise the loss; its sigmoid lies between two temperatures."""

  def __init__(self) -> None:
    self.number = nnx.Param(jnp.ones(()))

  def __call__(self, low: float, span: float, factor: jax.Array) -> jax.Array:
    """Returns a temperature in (low, low + span); `factor` scales its reversed gradient."""
    return low + span * jax.nn.sigmoid(reverse_gradient(self.number[...], factor))


@register("ctkd")
class CTKD(Method):
  r"""Distillation at a temperature that all examples share, and that is learned.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y + \lambda \tau^2 KL(p^t(\tau) \| p^s(\tau)), \quad
    \tau = \tau_{\text{low}} + \text{span} \cdot \sigma(\theta)

  Li et al., *Curriculum Temperature for Knowledge Distillation*, AAAI 2023, with their global
  temperature. The student descends the loss and theta, which starts at 1, ascends it: its gradient
  is reversed. The reversed gradient's factor rises from 0 to 1 as half a cosine, so that the
  curriculum goes from easy to hard. The optimiser, weight decay included, is the student's.
  """

  lam: float = option(0.9, "the authors' command for CIFAR-100", FRACTION)
  low: float = option(1.0, "the authors' code", TEMPERATURE)
  span: float = option(20.0, "the authors' code: temperatures up to 21", Bound(0, 1000))
  ramp: float = option(
    10 / 240,
    "the authors' command for CIFAR-100: 10 of 240 epochs, there by epochs, here by steps",
    FRACTION,
  )

  search = {"lam": (0.5, 0.9), "span": (10.0, 20.0), "ramp": (10 / 240, 40 / 240)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    del student, teachers, rngs
    return Temperature()

  def loss(self, view: View) -> Terms:
    factor = (1 - jnp.cos(jnp.pi * warmup(view.progress, self.ramp))) / 2
    tau = view.adapter(self.low, self.span, factor)
    soft = losses.divergence(view.student.logits, view.teacher.logits, tau=tau)
    return hard_and_soft(self.lam, view.student.logits, view.labels, soft), {"tau": tau}
