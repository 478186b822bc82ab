"""RLD (Sun et al., ICCV 2025): the teacher's logits without what contradicts the label."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, NOT_NEGATIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import plus_cross_entropy, warmup


def confidence(logits: jax.Array, chosen: jax.Array) -> jax.Array:
  """Returns logits of two classes, `[B, 2]`: the chosen one of each row, and all others."""
  own = jnp.sum(logits, axis=-1, where=chosen)
  return jnp.stack([own, jax.nn.logsumexp(logits, axis=-1, where=~chosen)], axis=-1)


@register("rld")
class RLD(Method):
  r"""Cross entropy, the teacher's confidence for the label's class, and the classes below it.

  .. math::
    \ell = -\log p^s_y
           + \alpha \tau_c^2 \, KL\big((p^t_m, 1 - p^t_m) \| (p^s_y, 1 - p^s_y)\big)
           + \beta \tau^2 \, KL(\tilde p^t \| \tilde p^s)

  Sun et al., *Knowledge Distillation with Refined Logits*, ICCV 2025. The student learns the
  probability of the teacher's own prediction m for the label's class y, at temperature tau_c. The
  tildes mark the softmax at tau over the classes that the teacher ranks below y; an example without
  such classes has no last term.
  """

  alpha: float = option(1.0, "the authors' code", NOT_NEGATIVE)
  beta: float = option(8.0, "the authors' code", NOT_NEGATIVE)
  tau: float = option(4.0, "the authors' code", TEMPERATURE)
  confidence_tau: float = option(
    4.0,
    "the authors' command for CIFAR-100, whose --same-t takes tau; their code has 1 without it",
    TEMPERATURE,
  )
  warmup: float = option(
    20 / 240,
    "the authors' code: 20 of 240 epochs, linear, there by epochs, here by steps",
    FRACTION,
  )

  search = {"alpha": (0.5, 1.0, 2.0), "beta": (2.0, 4.0, 8.0), "confidence_tau": (1.0, 4.0)}

  def loss(self, view: View) -> Terms:
    student, teacher = (x.logits.astype(jnp.float32) for x in (view.student, view.teacher))
    classes = student.shape[-1]
    right = jax.nn.one_hot(view.labels, classes, dtype=bool)
    predicted = jax.nn.one_hot(jnp.argmax(teacher, axis=-1), classes, dtype=bool)
    tau = self.confidence_tau
    pair = confidence(student / tau, right), confidence(teacher / tau, predicted)
    sample = tau**2 * losses.divergence(*pair)

    own = jnp.sum(teacher, axis=-1, where=right, keepdims=True)
    below = (teacher < own) & ~jnp.isneginf(teacher)
    some = jnp.any(below, axis=-1, keepdims=True)
    # Equal logits where no class remains: their divergence is 0.
    student, teacher = (
      jnp.where(below, x, jnp.where(some, -jnp.inf, 0.0)) for x in (student, teacher)
    )
    masked = losses.divergence(student, teacher, tau=self.tau)
    weight = warmup(view.progress, self.warmup)
    terms = {"confidence": self.alpha * weight * sample, "masked": self.beta * weight * masked}
    return plus_cross_entropy(view, **terms), {}
