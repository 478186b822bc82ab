"""How compact the classes are in feature space."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxkd.losses import _numerics


class FeatureAngles(NamedTuple):
  """Angles between features, in degrees.

  Attributes:
    within_mean: mean over the pairs of examples of one class.
    within_std: population standard deviation over these pairs.
    between_mean: mean over the pairs of examples of two classes.
    between_std: population standard deviation over these pairs.
  """

  within_mean: jax.Array
  within_std: jax.Array
  between_mean: jax.Array
  between_std: jax.Array


class _Moments(NamedTuple):
  """Number, mean and sum of squared deviations, of any number of values."""

  size: jax.Array
  mean: jax.Array
  squares: jax.Array

  @classmethod
  def of(cls, values: jax.Array, where: jax.Array) -> "_Moments":
    size = jnp.sum(where, dtype=values.dtype)
    mean = jnp.sum(values, where=where) / jnp.maximum(size, 1)
    return cls(size, mean, jnp.sum(jnp.square(values - mean), where=where))

  def merge(self, other: "_Moments") -> "_Moments":
    # Chan's update: sums of billions of float32 angles would lose the spread.
    size = self.size + other.size
    share = other.size / jnp.maximum(size, 1)
    gap = other.mean - self.mean
    return _Moments(
      size,
      self.mean + gap * share,
      self.squares + other.squares + jnp.square(gap) * self.size * share,
    )

  def mean_and_std(self) -> tuple[jax.Array, jax.Array]:
    some = self.size > 0
    std = jnp.sqrt(self.squares / jnp.where(some, self.size, 1))
    return jnp.where(some, self.mean, jnp.nan), jnp.where(some, std, jnp.nan)


@functools.partial(jax.jit, static_argnames="block")
def feature_angles(features: jax.Array, labels: jax.Array, *, block: int = 1024) -> FeatureAngles:
  r"""Mean and spread of the angles within and between classes.

  .. math::
    A(i, j) = \arccos \frac{h_i^T h_j}{\|h_i\| \|h_j\|}

  Eq. 3 and Fig. 3 of the paper, over all pairs of different examples. The pairs
  are visited in blocks: memory does not grow with their number.

  Args:
    features: `[N, D]`, any floating dtype; a feature of length 0 has no
      direction, its pairs are left out.
    labels: `[N]`, integers >= 0.
    block: examples per side of a block.

  Returns:
    :class:`FeatureAngles`, scalars in degrees; NaN where there are no pairs.

  Examples:
    >>> import jax.numpy as jnp
    >>> features = jnp.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 2.0]])
    >>> angles = feature_angles(features, jnp.array([0, 0, 1, 1]))
    >>> print(f"{angles.within_mean:.1f} {angles.between_mean:.1f}")
    22.5 67.5
  """
  features = _numerics.accumulate(features)
  norms = _numerics.safe_norm(features, keepdims=True)
  units = features / jnp.where(norms > 0, norms, 1)
  labels = jnp.where(norms[:, 0] > 0, jnp.asarray(labels, jnp.int32), -1)

  block = min(block, len(features))
  blocks = -(-len(features) // block)
  padding = blocks * block - len(features)
  units = jnp.pad(units, ((0, padding), (0, 0)))
  units = units.reshape(blocks, block, -1)
  labels = jnp.pad(labels, (0, padding), constant_values=-1)
  labels = labels.reshape(blocks, block)
  within_block = jnp.arange(block)

  def visit(row, column, moments):
    cosines = jnp.einsum("id,jd->ij", units[row], units[column], precision="highest")
    angles = jnp.degrees(jnp.arccos(jnp.clip(cosines, -1, 1)))
    # Each pair once: on the diagonal, only above it.
    counted = (column > row) | (within_block[:, None] < within_block[None, :])
    counted &= labels[row][:, None] >= 0
    counted &= labels[column][None, :] >= 0
    same = labels[row][:, None] == labels[column][None, :]
    within, between = moments
    return (
      within.merge(_Moments.of(angles, counted & same)),
      between.merge(_Moments.of(angles, counted & ~same)),
    )

  def visit_row(row, moments):
    return jax.lax.fori_loop(row, blocks, lambda column, m: visit(row, column, m), moments)

  zero = jnp.zeros((), units.dtype)
  nothing = _Moments(zero, zero, zero)
  within, between = jax.lax.fori_loop(0, blocks, visit_row, (nothing, nothing))
  return FeatureAngles(*within.mean_and_std(), *between.mean_and_std())
