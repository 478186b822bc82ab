"""PKT (Passalis and Tefas, ECCV 2018): the probability that examples are neighbours."""

import jax
import jax.numpy as jnp

from jaxkd.losses._numerics import unit
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import features, plus_cross_entropy

_EPSILON = 1e-7


def neighbours(features: jax.Array) -> jax.Array:
  """Returns cosines, moved to [0, 1], over their sum in each row: `[B, D] -> [B, B]`."""
  units = unit(features)
  similarity = (jnp.einsum("id,jd->ij", units, units, precision="highest") + 1) / 2
  return similarity / jnp.sum(similarity, axis=1, keepdims=True)


@register("pkt")
class PKT(Method):
  r"""Cross entropy, and the divergence of the neighbours' probabilities.

  .. math::
    \ell = -\log p^s_y + \frac{w}{B^2} \sum_{ij} q^t_{ij} \log \frac{q^t_{ij}}{q^s_{ij}}, \quad
    q_{ij} = \frac{1 + \cos(f_i, f_j)}{\sum_k \left(1 + \cos(f_i, f_k)\right)}

  Passalis and Tefas, *Learning Deep Representations with Probabilistic Knowledge Transfer*, ECCV
  2018, on the penultimate features f of a batch. An example is its own neighbour, and 1e-7 is added
  to both probabilities in the logarithm, as in the authors' code.
  """

  weight: float = option(30000.0, "the toolkits", NOT_NEGATIVE)

  mixed_labels = True
  search = {"weight": (10000.0, 30000.0, 100000.0)}

  def loss(self, view: View) -> Terms:
    q = neighbours(features(view.student))
    p = neighbours(features(view.teacher))
    divergence = jnp.mean(p * (jnp.log(p + _EPSILON) - jnp.log(q + _EPSILON)))
    return plus_cross_entropy(view, neighbours=self.weight * divergence), {}
