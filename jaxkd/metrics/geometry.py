"""Compactness of the classes in feature space."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxkd.losses import _checks, _numerics

# Cosines in float32 resolve larger angles than this one's, 0.8 degrees, to 0.001 degrees.
_NEAR = 0.9999


class FeatureAngles(NamedTuple):
  """Mean and population standard deviation of the angles between features, scalars in degrees.

  `within` is over pairs of examples of one class, `between` over those of two. NaN without pairs.
  """

  within_mean: Array
  within_std: Array
  between_mean: Array
  between_std: Array


class _Moments(NamedTuple):
  """Number, mean and sum of squared deviations, of any number of values."""

  size: Array
  mean: Array
  squares: Array

  @classmethod
  def of(cls, values: Array, where: Array) -> "_Moments":
    size = jnp.sum(where, dtype=values.dtype)
    mean = jnp.sum(values, where=where) / jnp.maximum(size, 1)
    return cls(size, mean, jnp.sum(jnp.square(values - mean), where=where))

  def merge(self, other: "_Moments") -> "_Moments":
    # Chan's update: sums of billions of float32 angles would lose the spread.
    size = self.size + other.size
    share = other.size / jnp.maximum(size, 1)
    gap = other.mean - self.mean
    squares = self.squares + other.squares + jnp.square(gap) * self.size * share
    return _Moments(size, self.mean + gap * share, squares)

  def mean_and_std(self) -> tuple[Array, Array]:
    some = self.size > 0
    std = jnp.sqrt(self.squares / jnp.where(some, self.size, 1))
    return jnp.where(some, self.mean, jnp.nan), jnp.where(some, std, jnp.nan)


def _angles(a: Array, b: Array, counted: Array) -> Array:
  """Returns the angles `[I, J]` in radians between unit vectors `[I, D]` and `[J, D]`."""
  cosines = jnp.einsum("id,jd->ij", a, b, precision="highest")
  angles = jnp.arccos(jnp.clip(cosines, -1, 1))
  near = counted & (cosines > _NEAR)

  def refine():
    # From the length of the difference, which has the digits that 1 - cos has lost.
    chords = jax.lax.map(lambda vector: _numerics.safe_norm(vector[None] - b), a)
    return jnp.where(near, 2 * jnp.arcsin(jnp.minimum(chords / 2, 1)), angles)

  return jax.lax.cond(jnp.any(near), refine, lambda: angles)


@functools.partial(jax.jit, static_argnames="block")
def feature_angles(features: Array, labels: Array, *, block: int = 1024) -> FeatureAngles:
  r"""Mean and spread of the angles within and between classes.

  .. math::
    A(i, j) = \arccos \frac{h_i^T h_j}{\|h_i\| \|h_j\|}
            = 2 \arcsin \frac12 \left\| \frac{h_i}{\|h_i\|} - \frac{h_j}{\|h_j\|} \right\|

  Eq. 3 and Fig. 3 of the paper, over all pairs of different examples. Small angles are computed by
  the second form, which resolves 1e-5 degrees in float32. The pairs are visited in blocks: memory
  does not grow with their number.

  Features are `[N, D]`, labels `[N]`. The pairs of a feature of length 0, which has no direction,
  and of a negative label are left out. A block has `block` >= 1 examples per side.

  Examples:
    >>> features = jnp.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 2.0]])
    >>> angles = feature_angles(features, jnp.array([0, 0, 1, 1]))
    >>> print(f"{angles.within_mean:.1f} {angles.between_mean:.1f}")
    22.5 67.5
  """
  _checks.features("[N, D]", 2, 2, features=features)
  _checks.some(features=features)
  labels = _checks.labels(labels, features).own
  units = _numerics.unit(features)
  labels = jnp.where(jnp.any(units != 0, axis=-1), labels, -1)

  block = min(block, len(units))
  blocks = -(-len(units) // block)
  padding = blocks * block - len(units)
  units = jnp.pad(units, ((0, padding), (0, 0))).reshape(blocks, block, -1)
  labels = jnp.pad(labels, (0, padding), constant_values=-1).reshape(blocks, block)
  within_block = jnp.arange(block)

  def visit(row, column, moments):
    # Each pair once: on the diagonal, only above it.
    counted = (column > row) | (within_block[:, None] < within_block[None, :])
    counted &= labels[row][:, None] >= 0
    counted &= labels[column][None, :] >= 0
    same = labels[row][:, None] == labels[column][None, :]
    angles = jnp.degrees(_angles(units[row], units[column], counted))
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
