"""NST (Huang and Wang, 2017): the distribution of the channels' selectivity in all stages."""

import jax
import jax.numpy as jnp

from jaxkd.losses._numerics import unit
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import map_pairs, plus_cross_entropy


def discrepancy(student: jax.Array, teacher: jax.Array) -> jax.Array:
  """Returns the squared maximum mean discrepancy of two maps' channels, by a quadratic kernel."""

  def kernel(a, b):
    products = jnp.einsum("bcp,bdp->bcd", a, b, precision="highest")
    return jnp.mean(jnp.square(products))

  s, t = (unit(jnp.moveaxis(x, -1, 1).reshape(len(x), x.shape[-1], -1)) for x in (student, teacher))
  return kernel(t, t) + kernel(s, s) - 2 * kernel(s, t)


@register("nst")
class NST(Method):
  r"""Cross entropy, and the discrepancy of the channels' patterns, summed over the stages.

  .. math::
    \ell = -\log p^s_y + w \sum_{\text{stages}} \left(
             \overline{\langle t_i, t_j \rangle^2} + \overline{\langle s_i, s_j \rangle^2}
             - 2\, \overline{\langle s_i, t_j \rangle^2} \right)

  Huang and Wang, *Like What You Like: Knowledge Distill via Neuron Selectivity Transfer*, 2017,
  with their quadratic kernel. s and t are the channels' maps, of length 1 each; bars are means over
  the batch and all pairs of channels. The larger map is averaged down, as in the toolkits.
  """

  weight: float = option(50.0, "the toolkits", NOT_NEGATIVE)

  mixed_labels = True
  search = {"weight": (20.0, 50.0, 100.0)}

  def loss(self, view: View) -> Terms:
    stages = [discrepancy(*pair) for pair in map_pairs(view.student, view.teacher)]
    return plus_cross_entropy(view, selectivity=self.weight * jnp.sum(jnp.stack(stages))), {}
