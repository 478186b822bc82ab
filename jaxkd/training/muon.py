"""Muon: momentum whose matrices are orthogonalised."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_RMS = 0.2


def orthogonal(matrix: jax.Array) -> jax.Array:
  """Returns a matrix of the same singular vectors whose singular values are about 1.

  Five Newton-Schulz iterations with Jordan's coefficients bring singular values of at least a
  hundredth of the Frobenius norm into [0.6, 1.3].
  """
  a, b, c = _COEFFICIENTS
  tall = matrix.shape[0] > matrix.shape[1]
  x = matrix.T if tall else matrix
  x = x / (jnp.linalg.norm(x) + 1e-7)
  for _ in range(_ITERATIONS):
    gram = x @ x.T
    x = a * x + (b * gram + c * gram @ gram) @ x
  return x.T if tall else x


def matrices(params: optax.Params) -> optax.Params:
  """Returns whether each parameter has two or more dimensions and is no bias or scale by its name.

  The biases of Flax's attention are `[heads, features]`.
  """

  def is_matrix(path: tuple[Any, ...], x: jax.Array) -> bool:
    # The last key may be a variable's `value`.
    names = {getattr(key, "key", None) for key in path[-2:]}
    return x.ndim > 1 and not names & {"bias", "scale"}

  return jax.tree_util.tree_map_with_path(is_matrix, params)


def scale_by_muon(momentum: float) -> optax.GradientTransformation:
  """Orthogonalises `matrices` with Nesterov momentum; other parameters have Adam's steps.

  Jordan et al., *Muon*, 2024. A kernel `[..., in, out]` is a matrix of `out` columns. A step has
  the root mean square 0.2, that of Adam's steps: learning rate and weight decay of AdamW fit both
  (Liu et al., *Muon is Scalable for LLM Training*, 2025). Adam has the usual 0.9, 0.999 and 1e-8.
  Unlike in the original, the classifier is a matrix like the others.
  """

  def direction(x: jax.Array) -> jax.Array:
    matrix = x.reshape(-1, x.shape[-1])
    scale = _RMS * math.sqrt(max(matrix.shape))
    return scale * orthogonal(matrix).reshape(x.shape)

  orthogonalized = optax.chain(
    optax.trace(decay=momentum, nesterov=True),
    optax.stateless_with_tree_map(lambda x, _: direction(x)),
  )

  def kinds(params: optax.Params) -> optax.Params:
    return jax.tree.map(lambda own: "matrix" if own else "vector", matrices(params))

  return optax.partition({"matrix": orthogonalized, "vector": optax.scale_by_adam()}, kinds)
