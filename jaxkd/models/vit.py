"""Vision transformers, and DeiTs with a distillation token, with timm's names.

Dosovitskiy et al., An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale,
2021; Touvron et al., Training data-efficient image transformers & distillation through attention,
2021. DeiTs without a distillation token are ViTs that were trained in another way.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxkd.models import layers
from jaxkd.models.base import Network, NetworkError, Outputs
from jaxkd.models.layers import Conv, FeedForward, LayerNorm, Linear, Sequential
from jaxkd.models.registry import Architecture, Form, Reference

# Groups of blocks whose outputs are the stages, as in OFA-KD's code.
_DEPTHS = (2, 2, 6, 2)


def weighted_means(
  query: jax.Array, key: jax.Array, value: jax.Array, bias: jax.Array | None = None
) -> jax.Array:
  """Returns the values' means, weighted by attention.

  Query, key, value and result are `[B, N, heads, D]`. The softmax is in float32. The bias
  `[B or 1, heads, N, N]` is added to the logits.
  """
  # JAX's function mixes bfloat16 and float32, which a strict user may have forbidden.
  with jax.numpy_dtype_promotion("standard"):
    return jax.nn.dot_product_attention(query, key, value, bias)


class Attention(nnx.Module):
  """Multi-head self-attention, with the names of timm."""

  def __init__(self, features: int, heads: int, *, rngs: nnx.Rngs):
    init = layers.transformer_normal
    self.qkv = Linear(features, 3 * features, init=init, rngs=rngs)
    self.proj = Linear(features, features, init=init, rngs=rngs)
    self.heads = heads

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[..., N, features] -> [..., N, features]`."""
    parts = self.qkv(x).reshape(*x.shape[:-1], 3, self.heads, -1)
    return self.proj(self.attend(*jnp.unstack(parts, axis=-3)).reshape(x.shape))

  def attend(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
    """Returns `weighted_means`."""
    return weighted_means(query, key, value)


class TransformerBlock(nnx.Module):
  """Attention, then two linear layers; each behind a layer norm and beside a shortcut."""

  def __init__(self, features: int, heads: int, drops: Sequence[Callable], *, rngs: nnx.Rngs):
    self.norm1 = LayerNorm(features)
    self.attn = Attention(features, heads, rngs=rngs)
    self.norm2 = LayerNorm(features)
    self.mlp = FeedForward(features, rngs=rngs)
    self.drop1, self.drop2 = drops

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, N, features] -> [B, N, features]`."""
    x = x + self.drop1(self.attn(self.norm1(x)))
    return x + self.drop2(self.mlp(self.norm2(x)))


def check_patches(image_size: int, patch_size: int) -> int:
  """Returns the number of patches in a row of an image.

  Raises:
    NetworkError: the patches don't cover the image.
  """
  if patch_size < 1 or image_size % patch_size:
    raise NetworkError(
      f"patch_size must divide the image's {image_size} pixels a side, got {patch_size}"
    )
  return image_size // patch_size


class PatchEmbedding(nnx.Module):
  """A convolution of patches that do not overlap."""

  def __init__(self, in_channels: int, features: int, patch_size: int, *, rngs: nnx.Rngs):
    self.proj = Conv(
      in_channels,
      features,
      patch_size,
      strides=patch_size,
      padding=0,
      use_bias=True,
      init=layers.torch_default,
      rngs=rngs,
    )

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H / patch_size, W / patch_size, features]`."""
    return self.proj(x)


class VisionTransformer(Network):
  """Blocks on a class token and the patches' tokens; its classifier sees the class token.

  With `distilled` there are a distillation token and a second classifier, which sees it. Logits and
  features are the means of both, in training too; `Outputs.heads` has both classifiers' logits, for
  the method `deit`.

  Stages are the patches' tokens as maps `[B, H, W, width]`, after each group of `depths` blocks and
  before the last layer norm. They are sums without an activation, so that stages and preactivations
  are the same arrays. Options:
    patch_size: height and width of a patch; it divides the image size.
    drop_rate: dropout before the classifier.
    drop_path_rate: stochastic depth of the last block; see `layers.drop_paths`.
  """

  classifier_name = "head"

  def __init__(
    self,
    *,
    width: int,
    heads: int,
    depths: Sequence[int],
    distilled: bool = False,
    num_classes: int,
    image_size: int,
    in_channels: int = 3,
    patch_size: int = 16,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    rngs: nnx.Rngs,
    **options: Any,
  ):
    super().__init__(**options)
    self.grid = check_patches(image_size, patch_size)
    self.patch_embed = PatchEmbedding(in_channels, width, patch_size, rngs=rngs)
    self.tokens = 2 if distilled else 1  # before those of the patches
    init = layers.transformer_normal
    self.cls_token = nnx.Param(1e-6 * jax.random.normal(rngs.params(), (1, 1, width)))
    shape = 1, self.tokens + self.grid**2, width
    self.pos_embed = nnx.Param(init(rngs.params(), shape)[0])
    # A block has two residuals, which are dropped independently.
    drops = (layers.drop_paths(drop_path_rate, sum(depths), 3, rngs) for _ in range(2))
    self.blocks = Sequential(
      TransformerBlock(width, heads, pair, rngs=rngs) for pair in zip(*drops, strict=True)
    )
    self.norm = LayerNorm(width)
    self.head_drop = layers.dropout(drop_rate, rngs)
    self.head = Linear(width, num_classes, init=init, rngs=rngs)
    if distilled:
      self.dist_token = nnx.Param(init(rngs.params(), (1, 1, width))[0])
      self.head_dist = Linear(width, num_classes, init=init, rngs=rngs)
      self.second_classifier = "head_dist"
    self.stage_ends = tuple(itertools.accumulate(depths))

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    patches = self.patch_embed(x.astype(self.dtype))
    batch, *grid, width = patches.shape
    first = [self.cls_token, self.dist_token] if self.second_classifier else [self.cls_token]
    tokens = [jnp.broadcast_to(t[...].astype(self.dtype), (batch, 1, width)) for t in first]
    x = jnp.concatenate([*tokens, patches.reshape(batch, -1, width)], axis=1)
    x = x + self.pos_embed[...].astype(self.dtype)
    stages = []
    for i, block in enumerate(self.blocks):
      x = self.run(block, x)
      if i + 1 in self.stage_ends:
        stages.append(x[:, self.tokens :].reshape(batch, *grid, width))
    x = self.norm(x)
    found = self.classify(self.head_drop(x[:, 0]), stages, stages)._replace(features=x[:, 0])
    if not self.second_classifier:
      return found
    heads = found.logits, self.head_dist(self.head_drop(x[:, 1]), jnp.float32)
    return found._replace(logits=(heads[0] + heads[1]) / 2, features=x[:, :2].mean(1), heads=heads)

  def resized(self, tensors: Mapping[str, np.ndarray]) -> tuple[Mapping[str, np.ndarray], str]:
    """Interpolates position embeddings of another number of patches, as timm does."""
    given = tensors.get("pos_embed", np.zeros(0))
    patches = given.shape[1] - self.tokens if given.ndim == 3 else 0
    grid = math.isqrt(max(patches, 0))
    if grid in (0, self.grid) or grid**2 != patches or len(given) != 1:
      return tensors, ""
    first, rest = np.split(given.astype(np.float32), [self.tokens], axis=1)
    width = given.shape[-1]
    shape = 1, self.grid, self.grid, width
    rest = jax.image.resize(rest.reshape(1, grid, grid, width), shape, "cubic", antialias=True)
    whole = np.concatenate([first, np.asarray(rest).reshape(1, -1, width)], axis=1)
    message = f"pos_embed is interpolated from {grid}x{grid} to {self.grid}x{self.grid} patches"
    return {**tensors, "pos_embed": whole}, message


def _form(width: int, reference: Reference, **settings: Any) -> Form:
  settings = {
    "width": width,
    "heads": width // 64,
    "depths": _DEPTHS,
    "distilled": False,
  } | settings
  return Form(VisionTransformer, settings, 1, reference)


# Parameters for ImageNet and for CIFAR-100.
_WIDTHS = {"tiny": 192, "small": 384, "base": 768}
_PARAMETERS = {"tiny": 5_717_416, "small": 22_050_664, "base": 86_567_656}
_DISTILLED = {"tiny": 5_910_800, "small": 22_436_432, "base": 87_338_192}
_CIFAR = {
  "vit_tiny": ("tiny", 5_380_132, False),
  "vit_small": ("small", 21_376_996, False),
  "deit_tiny_distilled": ("tiny", 5_399_816, True),
}


def _models() -> Iterator[tuple[str, Form]]:
  for size, width in _WIDTHS.items():
    for name in ("vit", "deit"):
      yield f"{name}_{size}_patch16_224", _form(width, Reference(1000, 224, _PARAMETERS[size]))
    reference = Reference(1000, 224, _DISTILLED[size])
    yield f"deit_{size}_distilled_patch16_224", _form(width, reference, distilled=True)
  for name, (size, parameters, distilled) in _CIFAR.items():
    reference = Reference(100, 32, parameters)
    options = {"distilled": distilled, "patch_size": 4}
    yield f"{name}_patch4_32", _form(_WIDTHS[size], reference, **options)


MODELS = {name: Architecture("ViT", (form,)) for name, form in _models()}
