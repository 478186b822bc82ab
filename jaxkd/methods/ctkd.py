"""CTKD (Li et al., AAAI 2023): temperatures that learn to make distillation harder."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import hard_and_soft, warmup
from jaxkd.models import Outputs, layers

_TOP, _HIDDEN = 100, 256


@jax.custom_vjp
def reverse_gradient(x: jax.Array, factor: jax.Array) -> jax.Array:
  """Returns x; its gradient is `-factor` times what it would be."""
  del factor
  return x


reverse_gradient.defvjp(
  lambda x, factor: (x, factor),
  lambda factor, gradient: (-factor * gradient, jnp.zeros_like(factor)),
)


class GlobalTemperature(nnx.Module):
  """A number that all examples share."""

  def __init__(self) -> None:
    self.number = nnx.Param(jnp.ones(()))

  def __call__(self, student: jax.Array, teacher: jax.Array) -> jax.Array:
    """Returns the number."""
    del student, teacher
    return self.number[...]


def _zeros(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  del key
  return jnp.zeros(shape), jnp.zeros(shape[-1:])


class InstanceTemperature(nnx.Module):
  """A number for each example: linear layer, batch norm, ReLU and linear layer.

  Its inputs are the teacher's largest probabilities, in descending order, and the student's for the
  same classes. They are constants. The last layer starts at 0.
  """

  def __init__(self, num_classes: int, rngs: nnx.Rngs):
    self.top = min(num_classes, _TOP)
    self.hidden = layers.Linear(2 * self.top, _HIDDEN, init=layers.torch_default, rngs=rngs)
    self.norm = layers.BatchNorm(_HIDDEN)
    self.last = layers.Linear(_HIDDEN, 1, init=_zeros, rngs=rngs)

  def __call__(self, student: jax.Array, teacher: jax.Array) -> jax.Array:
    """Returns numbers `[B]` for logits `[B, C]`."""
    probs = (losses.softmax(logits, 1.0) for logits in jax.lax.stop_gradient((student, teacher)))
    own, theirs = probs
    largest, classes = jax.lax.top_k(theirs, self.top)
    same = jnp.take_along_axis(own, classes, axis=-1)
    x = self.hidden(jnp.concatenate([largest, same], axis=-1))
    return self.last(nnx.relu(self.norm(x)))[:, 0]


@register("ctkd")
class CTKD(Method):
  r"""Distillation at a learned temperature, of all examples or of each.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y + \lambda \tau^2 KL(p^t(\tau) \| p^s(\tau)), \quad
    \tau = \tau_{\text{low}} + \text{span} \cdot \sigma(\theta)

  Li et al., *Curriculum Temperature for Knowledge Distillation*, AAAI 2023. The global theta is a
  number, which starts at 1. With `temperature=instance` it is the output of a small network, which
  sees the probabilities of teacher and student for the example; it starts at 0. The loss that the
  authors print for it adds 1e-7 to the teacher's probabilities, which ours does not. The student
  descends the loss and theta ascends it: its gradient is reversed. The reversed gradient's factor
  rises from 0 to 1 as half a cosine, so that the curriculum goes from easy to hard. The optimiser,
  weight decay included, is the student's.
  """

  temperature: str = option(
    "global",
    "the authors' command for CIFAR-100; instance: one for each example, from a public copy of "
    "the authors' network",
    ("global", "instance"),
  )
  lam: float = option(0.9, "the authors' command for CIFAR-100", FRACTION)
  low: float = option(1.0, "the authors' code", TEMPERATURE)
  span: float = option(20.0, "the authors' code: temperatures up to 21", Bound(0, 1000))
  ramp: float = option(
    10 / 240,
    "the authors' command for CIFAR-100: 10 of 240 epochs, there by epochs, here by steps",
    FRACTION,
  )

  mixed_labels = True
  search = {"lam": (0.5, 0.9), "span": (10.0, 20.0), "ramp": (10 / 240, 40 / 240)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    del teachers
    if self.temperature == "global":
      return GlobalTemperature()
    return InstanceTemperature(student.logits.shape[-1], rngs)

  def loss(self, view: View) -> Terms:
    factor = (1 - jnp.cos(jnp.pi * warmup(view.progress, self.ramp))) / 2
    student, teacher = view.student.logits, view.teacher.logits
    theta = reverse_gradient(view.adapter(student, teacher), factor)
    tau = self.low + self.span * jax.nn.sigmoid(theta)
    soft = losses.divergence(student, teacher, tau=tau)
    return hard_and_soft(view, self.lam, soft), {"tau": tau}
