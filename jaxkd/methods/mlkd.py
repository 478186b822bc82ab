"""MLKD (Jin, Wang and Lin, CVPR 2023): logits matched by example, by batch and by class."""

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import FRACTION, TEMPERATURE, Method, Terms, View, option, register


def products(probs: jax.Array) -> jax.Array:
  """Returns the inner products of all pairs of rows, `[N, D] -> [N, N]`."""
  return jnp.einsum("id,jd->ij", probs, probs, precision="highest")


def gap(student: jax.Array, teacher: jax.Array) -> jax.Array:
  """Returns the summed squared difference of the products, over the number of rows."""
  return jnp.sum(jnp.square(products(student) - products(teacher))) / len(student)


def unsure(confidence: jax.Array) -> jax.Array:
  """Returns the share that is at most the median: 1/2 for an even number without ties."""
  return jnp.mean((confidence <= jnp.median(confidence)).astype(confidence.dtype))


@register("mlkd")
class MLKD(Method):
  r"""Cross entropy, and the differences of softened probabilities on three levels.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y + \lambda \sum_\tau \Big(
             u_B \tau^2 KL(P^t_\tau \| P^s_\tau)
           + \tfrac{u_B}{B} \|P^t_\tau P_\tau^{tT} - P^s_\tau P_\tau^{sT}\|^2
           + \tfrac{u_C}{C} \|P_\tau^{tT} P^t_\tau - P_\tau^{sT} P^s_\tau\|^2 \Big)

  Jin, Wang and Lin, *Multi-Level Logit Distillation*, CVPR 2023. P are the probabilities of a
  batch, `[B, C]`. In the authors' code a mask of unsure examples or classes only scales each sum:
  :math:`u_B` is the share of examples whose highest probability is at most the median, :math:`u_C`
  the share of classes whose summed probability is; both are about 1/2.

  The original adds terms of a second view of each image, with RandAugment and Cutout, which costs a
  second pass of both networks. Here there is the crop and the flip alone, and the sums are those of
  `MLKD_NOAUG` in the code of RLD (Sun et al., ICCV 2025). The original trains for 480 epochs, twice
  the usual number, from half the learning rate.
  """

  lam: float = option(
    0.9, "the authors' code; their second view, with RandAugment, is left out here", FRACTION
  )
  taus: tuple[float, ...] = option((2.0, 3.0, 4.0, 5.0, 6.0), "the authors' code", TEMPERATURE)

  mixed_labels = True
  search = {"lam": (0.5, 0.9)}

  def loss(self, view: View) -> Terms:
    probs = losses.softmax(view.teacher.logits)
    examples, classes = unsure(jnp.max(probs, axis=-1)), unsure(jnp.sum(probs, axis=0))

    def levels(tau: float) -> jax.Array:
      pair = view.student.logits, view.teacher.logits
      s, t = (losses.softmax(logits, tau) for logits in pair)
      instance = jnp.mean(losses.divergence(*pair, tau=tau))
      return jnp.stack([examples * instance, examples * gap(s, t), classes * gap(s.T, t.T)])

    total = self.lam * jnp.sum(jnp.stack([levels(tau) for tau in self.taus]), axis=0)
    hard = (1 - self.lam) * view.cross_entropy(view.student.logits)
    instance, batch, by_class = total
    return {"hard": hard, "instance": instance, "batch": batch, "class": by_class}, {}
