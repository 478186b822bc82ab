"""SP (Tung and Mori, ICCV 2019): the similarity of examples in the last stage."""

import jax
import jax.numpy as jnp

from jaxkd.losses._numerics import unit
from jaxkd.methods import NOT_NEGATIVE, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map, plus_cross_entropy


def similarities(maps: jax.Array) -> jax.Array:
  """Returns inner products of the examples' maps, `[B, H, W, C] -> [B, B]`, in rows of length 1."""
  flat = maps.astype(jnp.float32).reshape(len(maps), -1)
  return unit(jnp.einsum("id,jd->ij", flat, flat, precision="highest"))


@register("sp")
class SP(Method):
  r"""Cross entropy, and the squared difference of the similarities.

  .. math::
    \ell = -\log p^s_y + \frac{w}{B^2} \|G^t - G^s\|^2, \quad
    G_{ij} = \frac{\langle a_i, a_j \rangle}{\sqrt{\sum_k \langle a_i, a_k \rangle^2}}

  Tung and Mori, *Similarity-Preserving Knowledge Distillation*, ICCV 2019, on the maps a of the
  last stage. Sizes and channels of the networks' maps may differ.
  """

  weight: float = option(3000.0, "the toolkits", NOT_NEGATIVE)

  mixed_labels = True
  search = {"weight": (1000.0, 3000.0, 10000.0)}

  def loss(self, view: View) -> Terms:
    student, teacher = (similarities(feature_map(x, -1)) for x in (view.student, view.teacher))
    gap = jnp.mean(jnp.square(teacher - student))
    return plus_cross_entropy(view, similarities=self.weight * gap), {}
