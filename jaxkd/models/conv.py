"""The one convolution that every family uses."""

import jax
from jax import lax


def conv(
  x: jax.Array,
  kernel: jax.Array,
  *,
  strides: int = 1,
  padding: int = 0,
  groups: int = 1,
) -> jax.Array:
  """Convolves images with symmetric zero padding, as PyTorch does.

  Args:
    x: `[B, H, W, in]`.
    kernel: `[height, width, in / groups, out]`, of the same dtype as `x`.
    strides: the step in both directions.
    padding: rows and columns of zeros on each side.
    groups: input and output channels are cut into so many independent groups.

  Returns:
    `[B, H', W', out]` with `H' = (H + 2 padding - height) // strides + 1`.
  """
  return lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(strides, strides),
    padding=((padding, padding), (padding, padding)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )
