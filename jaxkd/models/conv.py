"""The one convolution that every family uses.

XLA's convolutions are slow on CPU where they are grouped or pointwise or where the output is a few
pixels. Equivalent sums, matrix products and smaller convolutions are used there;
`docs/pages/models.md` has times. Other backends have fast convolutions of their own.
"""

import functools
import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import lax

from jaxkd.common.backend import backend

# Groups are joined up to so many channels, so many are convolved one after the other, and dense
# convolutions are matrix products up to so many output pixels: by measurement.
_JOINED_CHANNELS = 32
_FEW_GROUPS = 4
_FEW_PIXELS = 16


def conv(
  x: jax.Array, kernel: jax.Array, *, strides: int = 1, padding: int = 0, groups: int = 1
) -> jax.Array:
  """Convolves images `[B, H, W, in]` with `padding` zeros on each side, as PyTorch does.

  The kernel `[height, width, in / groups, out]` has the dtype of `x`; the result is
  `[B, H', W', out]` with `H' = (H + 2 padding - height) // strides + 1`.
  """
  if backend() == "cpu":
    if groups == x.shape[-1] == kernel.shape[-1]:
      # A sum of shifted images, each weighted by channel.
      weights = kernel.reshape(-1, 1, 1, 1, groups)
      seen = shifts(x, kernel.shape[:2], strides, padding)
      return functools.reduce(jnp.add, (s * w for s, w in zip(seen, weights, strict=True)))
    if groups > 1:
      return _grouped(x, kernel, strides, padding, groups)
    if kernel.shape[:2] == (1, 1) and not padding:
      return jnp.einsum("bhwi,io->bhwo", x[:, ::strides, ::strides], kernel[0, 0])
    if kernel.shape[:2] == (strides, strides) and not padding:
      return _patches(x, kernel, strides)
    pixels = _output_size(x.shape[1], kernel.shape[0], strides, padding)
    pixels *= _output_size(x.shape[2], kernel.shape[1], strides, padding)
    if pixels <= _FEW_PIXELS:
      return _matmul(x, kernel, strides, padding)
  return lax.conv_general_dilated(
    x,
    kernel,
    window_strides=(strides, strides),
    padding=((padding, padding), (padding, padding)),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )


def _grouped(x: jax.Array, kernel: jax.Array, strides: int, padding: int, groups: int) -> jax.Array:
  """Convolves a few groups one after the other; more of them are a batch of matrix products."""
  height, width, size, out = kernel.shape
  # Small groups are joined, with zeros between them, into fewer and larger ones.
  joined = max(
    n for n in range(1, groups + 1) if groups % n == 0 and (n == 1 or n * size <= _JOINED_CHANNELS)
  )
  kernel = kernel.reshape(height, width, size, -1, joined, out // groups)
  kernel = jnp.einsum("hwignO,mn->hwmignO", kernel, jnp.eye(joined, dtype=kernel.dtype))
  kernel = kernel.reshape(height, width, joined * size, out)
  groups //= joined
  if groups > _FEW_GROUPS:
    return _matmul(x, kernel, strides, padding, groups)
  pairs = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
  return jnp.concatenate([conv(*pair, strides=strides, padding=padding) for pair in pairs], -1)


def _patches(x: jax.Array, kernel: jax.Array, size: int) -> jax.Array:
  """Multiplies patches that neither overlap nor have gaps by the kernel."""
  batch, height, width, channels = x.shape
  rows, columns = height // size, width // size
  x = x[:, : rows * size, : columns * size]
  x = x.reshape(batch, rows, size, columns, size, channels)
  return jnp.einsum("bhywxi,yxio->bhwo", x, kernel)


def _output_size(size: int, window: int, strides: int, padding: int) -> int:
  return (size + 2 * padding - window) // strides + 1


def shifts(
  x: jax.Array, window: tuple[int, ...], strides: int, padding: int, fill: float = 0.0
) -> Iterator[jax.Array]:
  """Yields the part of `x` `[..., H, W, C]` under each position of the window."""
  *batch, height, width, _ = x.shape
  rows = (_output_size(height, window[0], strides, padding) - 1) * strides + 1
  columns = (_output_size(width, window[1], strides, padding) - 1) * strides + 1
  widths = [*[(0, 0)] * len(batch), (padding, padding), (padding, padding), (0, 0)]
  x = jnp.pad(x, widths, constant_values=fill)
  for i, j in itertools.product(range(window[0]), range(window[1])):
    yield x[..., i : i + rows : strides, j : j + columns : strides, :]


def _matmul(
  x: jax.Array, kernel: jax.Array, strides: int, padding: int, groups: int = 1
) -> jax.Array:
  """Multiplies all windows by the kernel; groups are a batch of products."""
  height, width, size, out = kernel.shape
  kernel = kernel.reshape(height * width * size, groups, out // groups)
  x = x.reshape(*x.shape[:-1], groups, size)
  seen = shifts(jnp.moveaxis(x, -2, 0), (height, width), strides, padding)
  y = jnp.einsum("gbhwi,igo->bhwgo", jnp.concatenate(list(seen), -1), kernel)
  return y.reshape(*y.shape[:3], out)
