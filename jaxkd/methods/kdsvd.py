"""KD-SVD (Lee, Kim and Song, ECCV 2018): singular vectors of neighbouring stages, compared."""

import itertools

import jax
import jax.numpy as jnp

from jaxkd.losses._numerics import unit
from jaxkd.methods import NOT_NEGATIVE, POSITIVE, Method, Terms, View, option, register
from jaxkd.methods.base import map_pairs, plus_cross_entropy


@jax.custom_batching.sequential_vmap
def _eigh_of_one(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
  return tuple(jnp.linalg.eigh(matrix))


def eigh(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns eigenvalues `[B, W]` and eigenvectors `[B, W, W]` of symmetric matrices `[B, W, W]`."""
  # JAX 0.9 to 0.11 on CPUs: batched decompositions wait for each other without end as soon as every
  # core runs one.
  return jax.lax.platform_dependent(
    matrices, cpu=jax.vmap(_eigh_of_one), default=lambda x: tuple(jnp.linalg.eigh(x))
  )


def decompose(maps: jax.Array, number: int) -> tuple[jax.Array, jax.Array]:
  """Returns right singular vectors `[B, W, number]` and values `[B, number]` of `[B, H, W, C]`.

  The matrix of a map has a row for each channel and line, and W columns. The largest singular value
  is first, and a vector points to where its sum is >= 0. The gradient leaves pairs of vectors out
  whose singular values are equal: it does not exist for them.
  """
  x = maps.astype(jnp.float32)
  gram = jnp.einsum("bhwc,bhvc->bwv", x, x, precision="highest")
  fixed = jax.lax.stop_gradient(gram)
  values, vectors = eigh(fixed)
  # A step of perturbation theory from the fixed vectors: 0, with the vectors' gradient.
  gaps = values[:, None, :] - values[:, :, None]
  apart = jnp.abs(gaps) > 1e-6 * jnp.max(values, axis=-1)[:, None, None]
  inverse = jnp.where(apart, 1 / jnp.where(apart, gaps, 1.0), 0.0)
  change = jnp.einsum("bwi,bwv,bvj->bij", vectors, gram - fixed, vectors, precision="highest")
  vectors += jnp.einsum("bwi,bij->bwj", vectors, inverse * change, precision="highest")
  vectors, values = vectors[..., ::-1][..., :number], values[..., ::-1][..., :number]
  down = jnp.sum(jax.lax.stop_gradient(vectors), axis=1, keepdims=True) < 0
  return jnp.where(down, -vectors, vectors), jnp.sqrt(jnp.maximum(values, 0.0))


def aligned(student: jax.Array, teacher: jax.Array) -> jax.Array:
  """Returns the student's vectors nearest to the teacher's `[B, W, k]` or to their negatives."""
  cosines = jnp.einsum("bwi,bwj->bij", student, teacher, precision="highest")
  nearest = jax.nn.one_hot(jnp.argmax(jnp.abs(cosines), axis=1), student.shape[-1], axis=1)
  chosen = jax.lax.stop_gradient(nearest * jnp.sign(cosines))
  return jnp.einsum("bwi,bij->bwj", student, chosen, precision="highest")


def relation(below: jax.Array, above: jax.Array) -> jax.Array:
  """Returns radial basis functions of all pairs of entries, `[B, W, W', k]`."""
  return jnp.exp(-jnp.square(above[:, :, None] - below[:, None]) / 8)


@register("kdsvd")
class KDSVD(Method):
  r"""Cross entropy, and the squared difference of the relations between neighbouring stages.

  .. math::
    \ell = -\log p^s_y + \frac{w}{B} \sum_{\text{stages } m > 1} \|R_m^t - R_m^s\|^2, \quad
    R_{m,ij} = \exp\left(-\tfrac{1}{8} (v_{m,i} - v_{m-1,j})^2\right)

  Lee, Kim and Song, *Self-supervised Knowledge Distillation Using Singular Value Decomposition*,
  ECCV 2018, in mdistiller's form: v are the right singular vectors of a map whose rows are channels
  and lines, so they have the map's width. The student's vectors are those of its first k + 3 that
  are nearest to the teacher's k. All are multiplied by the teacher's k singular values, as a vector
  of length 1. mdistiller takes the vectors' signs from the decomposition, which leaves them open,
  and can't take maps of different widths; here the larger map is averaged down.
  """

  weight: float = option(1.0, "mdistiller", NOT_NEGATIVE)
  vectors: int = option(1, "mdistiller: k", POSITIVE)

  mixed_labels = True
  search = {"weight": (0.3, 1.0, 3.0)}

  def loss(self, view: View) -> Terms:
    pairs = map_pairs(view.student, view.teacher)
    if len(pairs) < 2:
      raise ValueError("kdsvd compares neighbouring stages, but a network has 1 stage")
    stages = []
    for student, teacher in pairs:
      own, _ = decompose(student, self.vectors + 3)
      target, values = decompose(teacher, self.vectors)
      weights = unit(values)[:, None]
      stages.append((weights * aligned(own, target), weights * target))
    gaps = [
      jnp.sum(jnp.square(relation(below[0], above[0]) - relation(below[1], above[1])))
      for below, above in itertools.pairwise(stages)
    ]
    relations = jnp.sum(jnp.stack(gaps)) / len(view.labels)
    return plus_cross_entropy(view, relations=self.weight * relations), {}
