"""All formulations of a convolution compute the same function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxkd.models.conv import conv


def plain(x, kernel, strides, padding, groups):
  return lax.conv_general_dilated(
    x,
    kernel,
    (strides, strides),
    [(padding, padding)] * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )


@pytest.mark.parametrize(
  ("size", "features", "window", "strides", "padding", "groups"),
  [
    ((6, 5), (8, 8), 3, 1, 1, 8),
    ((7, 6), (8, 8), 3, 2, 1, 8),
    ((3, 3), (8, 8), 3, 2, 0, 1),
    ((4, 4), (3, 5), 3, 1, 1, 1),
    ((9, 9), (3, 5), 3, 1, 1, 1),
    ((7, 7), (8, 4), 1, 2, 0, 1),
    ((9, 8), (3, 5), 4, 4, 0, 1),
    ((1, 1), (8, 4), 1, 1, 0, 1),
    ((7, 5), (12, 6), 1, 1, 0, 3),
    ((7, 5), (6, 12), 3, 2, 1, 6),
    ((7, 5), (64, 64), 3, 1, 1, 16),
    ((7, 5), (40, 40), 3, 1, 1, 20),
    ((7, 5), (128, 64), 3, 1, 1, 2),
  ],
)
def test_every_formulation_equals_xla(size, features, window, strides, padding, groups):
  keys = jax.random.split(jax.random.key(0), 2)
  x = jax.random.normal(keys[0], (2, *size, features[0]))
  shape = (window, window, features[0] // groups, features[1])
  kernel = jax.random.normal(keys[1], shape)

  @jax.jit(static_argnums=0)
  def run(convolve, x, kernel):
    y, backward = jax.vjp(convolve, x, kernel)
    return y, *backward(jnp.sin(y))

  def ours(x, kernel):
    return conv(x, kernel, strides=strides, padding=padding, groups=groups)

  def theirs(x, kernel):
    return plain(x, kernel, strides, padding, groups)

  results = run(ours, x, kernel), run(theirs, x, kernel)
  for a, b in zip(*results, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * jnp.abs(b).max())
