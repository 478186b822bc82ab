"""The Swin transformer, with timm's names.

Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, 2021.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import NetworkError, Outputs
from jaxkd.models.layers import FeedForward, Hierarchical, LayerNorm, Linear, Sequential, Stage
from jaxkd.models.registry import Architecture, Form, Reference
from jaxkd.models.vit import Attention, PatchEmbedding, check_patches, weighted_means

_norm = functools.partial(LayerNorm, epsilon=1e-5)


class WindowAttention(Attention):
  """Attention within windows `[W, B, N, features]` of an image.

  The logits have a term for the difference of two positions. With a `shift`, the windows were moved
  by so many pixels cyclically, and pixels from opposite edges don't see each other.
  """

  def __init__(self, features: int, heads: int, grid: int, window: int, shift: int, rngs: nnx.Rngs):
    super().__init__(features, heads, rngs=rngs)
    # [heads, differences]: the transpose of timm's.
    shape = heads, (2 * window - 1) ** 2
    table = layers.transformer_normal(rngs.params(), shape)[0]
    self.relative_position_bias_table = nnx.Param(table)
    self.grid, self.window, self.shift = grid, window, shift

  def attend(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Returns `weighted_means` of each window; all arrays are `[W, B, N, heads, D]`."""
    places = np.stack(np.divmod(np.arange(self.window**2), self.window))
    down, right = places[:, :, None] - places[:, None] + self.window - 1
    bias = self.relative_position_bias_table[...][:, down * (2 * self.window - 1) + right]
    bias = bias[None, None] + self.mask()[:, None, None]
    return jax.vmap(weighted_means)(query, key, value, bias)

  def mask(self) -> np.ndarray:
    """Returns `[W, N, N]`, -100 for pixels from opposite edges of the image."""
    edge = np.zeros(self.grid * self.window, int)
    if self.shift:
      edge[-self.window :] = 1
      edge[-self.shift :] = 2
    rows = edge.reshape(self.grid, 1, self.window, 1)
    columns = edge.reshape(1, self.grid, 1, self.window)
    region = (3 * rows + columns).reshape(self.grid**2, -1)
    return np.where(region[:, :, None] == region[:, None], 0, -100).astype(np.float32)


class SwinBlock(nnx.Module):
  """Attention within windows, then two linear layers.

  Each is behind a layer norm and beside a shortcut. A map that is no multiple of the window is
  padded with zeros.
  """

  def __init__(
    self,
    features: int,
    heads: int,
    size: int,
    window: int,
    shift: int,
    drops: Sequence[Callable],
    *,
    rngs: nnx.Rngs,
  ):
    self.grid = -(-size // window)
    self.norm1 = _norm(features)
    self.attn = WindowAttention(features, heads, self.grid, window, shift, rngs)
    self.norm2 = _norm(features)
    self.mlp = FeedForward(features, rngs=rngs)
    self.drop1, self.drop2 = drops
    self.window, self.shift = window, shift

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, features] -> [B, H, W, features]`."""
    x = x + self.drop1(self.attended(self.norm1(x)))
    return x + self.drop2(self.mlp(self.norm2(x)))

  def attended(self, x: jax.Array) -> jax.Array:
    """Runs attention in every window."""
    batch, size, _, features = x.shape
    grid, window = self.grid, self.window
    missing = 0, grid * window - size
    x = jnp.pad(jnp.roll(x, (-self.shift,) * 2, (1, 2)), ((0, 0), missing, missing, (0, 0)))
    x = x.reshape(batch, grid, window, grid, window, features).transpose(1, 3, 0, 2, 4, 5)
    x = self.attn(x.reshape(grid**2, batch, window**2, features))
    x = x.reshape(grid, grid, batch, window, window, features).transpose(2, 0, 3, 1, 4, 5)
    x = x.reshape(batch, grid * window, grid * window, features)[:, :size, :size]
    return jnp.roll(x, (self.shift,) * 2, (1, 2))


class Merging(nnx.Module):
  """Joins 2x2 pixels to one of twice the channels."""

  def __init__(self, features: int, *, rngs: nnx.Rngs):
    self.norm = _norm(4 * features)
    init = layers.transformer_normal
    self.reduction = Linear(4 * features, 2 * features, use_bias=False, init=init, rngs=rngs)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, features] -> [B, H / 2, W / 2, 2 features]`."""
    batch, height, width, features = x.shape
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    # Timm has the four pixels column by column.
    x = x.reshape(batch, -(-height // 2), 2, -(-width // 2), 2, features)
    x = x.transpose(0, 1, 3, 4, 2, 5)
    return self.reduction(self.norm(x.reshape(*x.shape[:3], 4 * features)))


class SwinTransformer(Hierarchical):
  """Patches, and stages of blocks, at half of the resolution each; then the average pixel.

  Stages are sums without an activation, so that stages and preactivations are the same arrays.
  `averaged` is the layer norm of the last stage. Options:
    patch_size: height and width of a patch; it divides the image size.
    window_size: height and width of a window; smaller maps are one window.
    drop_rate: dropout before the classifier.
    drop_path_rate: stochastic depth of the last block; see `layers.drop_paths`.
  """

  reference_names = {
    "^classifier$": "head.fc",
    "^stages": "layers",
    "^patch_norm": "patch_embed.norm",
  }

  def __init__(
    self,
    *,
    width: int,
    heads: Sequence[int],
    depths: Sequence[int],
    num_classes: int,
    image_size: int,
    in_channels: int = 3,
    patch_size: int = 4,
    window_size: int = 7,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    size = check_patches(image_size, patch_size)
    if window_size < 2:
      raise NetworkError(f"window_size must be at least 2, got {window_size}")
    self.patch_embed = PatchEmbedding(in_channels, width, patch_size, rngs=rngs)
    self.patch_norm = _norm(width)
    # A block has two residuals, which are dropped independently.
    drops = (layers.drop_paths(drop_path_rate, sum(depths), 4, rngs) for _ in range(2))
    pairs = zip(*drops, strict=True)
    self.stages: nnx.List[Stage] = nnx.List()
    for i, (depth, count) in enumerate(zip(depths, heads, strict=True)):
      merge = Merging(width, rngs=rngs) if i else Sequential()
      width, size = (2 * width, -(-size // 2)) if i else (width, size)
      window = min(window_size, size)
      # A map of one window has nowhere to shift it.
      shift = window_size // 2 if size > window_size else 0
      blocks = [
        SwinBlock(width, count, size, window, shift * (j % 2), pair, rngs=rngs)
        for j, pair in enumerate(itertools.islice(pairs, depth))
      ]
      self.stages.append(Stage(merge, blocks))
    self.norm = _norm(width)
    self.head_drop = layers.dropout(drop_rate, rngs)
    self.classifier = Linear(width, num_classes, init=layers.transformer_normal, rngs=rngs)

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    stages = self.run_stages(self.patch_norm(self.patch_embed(x.astype(self.dtype))))
    x = self.norm(stages[-1])
    features = layers.global_average_pool(x)
    return self.classify(self.head_drop(features), stages, stages, x)._replace(features=features)


_SETTINGS = {"width": 96, "heads": (3, 6, 12, 24), "depths": (2, 2, 6, 2)}
_FORM = Form(SwinTransformer, _SETTINGS, 8, Reference(1000, 224, 28_288_354))
MODELS = {"swin_tiny_patch4_window7_224": Architecture("Swin", (_FORM,))}
