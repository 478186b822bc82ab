"""Layers that behave like PyTorch's, so that the networks equal their references.

Parameters and statistics are float32; a layer computes in the dtype of its input, and a network
chooses that dtype once, where it casts its images.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from jaxkd.common.backend import backend
from jaxkd.models.base import Network, NetworkError, Outputs
from jaxkd.models.conv import conv, shifts

# Draws a kernel of a shape [..., in, out] and the bias that belongs to it.
Init = Callable[[jax.Array, tuple[int, ...]], tuple[jax.Array, jax.Array]]


def _normal(key: jax.Array, shape: tuple[int, ...], stddev: float) -> tuple[jax.Array, jax.Array]:
  # Drawn flat: XLA compiles it many times as fast as for four dimensions.
  kernel = stddev * jax.random.normal(key, (math.prod(shape),))
  return kernel.reshape(shape), jnp.zeros(shape[-1:])


def he_fan_out(
  key: jax.Array, shape: tuple[int, ...], groups: int = 1
) -> tuple[jax.Array, jax.Array]:
  """He-normal by the number of outputs (of a group), zero bias: convolutions."""
  return _normal(key, shape, math.sqrt(2 * groups / (math.prod(shape[:-2]) * shape[-1])))


def he_fan_in(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """He-normal by the number of inputs, zero bias: classifiers."""
  return _normal(key, shape, math.sqrt(2 / math.prod(shape[:-1])))


small_normal = functools.partial(_normal, stddev=0.01)
transformer_normal = functools.partial(_normal, stddev=0.02)


def torch_default(key: jax.Array, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
  """Uniform within 1 / sqrt(number of inputs), kernel and bias alike."""
  bound = 1 / math.sqrt(math.prod(shape[:-1]))
  kernels = math.prod(shape)
  values = jax.random.uniform(key, (kernels + shape[-1],), minval=-bound, maxval=bound)
  return values[:kernels].reshape(shape), values[kernels:]


def along_channels(v: jax.Array, x: jax.Array) -> jax.Array:
  """Shapes `v` `[C]` so that it broadcasts against `x` `[..., C]`."""
  return v.reshape((1,) * (x.ndim - 1) + (-1,))


class Conv(nnx.Module):
  """A convolution over `[B, H, W, C]`, square in kernel and stride.

  Its padding on each side keeps the size at stride 1 by default; `init` draws kernel and bias.
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    size: int,
    *,
    strides: int = 1,
    padding: int | None = None,
    groups: int = 1,
    use_bias: bool = False,
    init: Init = he_fan_out,
    rngs: nnx.Rngs,
  ):
    shape = (size, size, in_features // groups, out_features)
    kernel, bias = init(rngs.params(), shape)
    self.kernel = nnx.Param(kernel)
    self.bias = nnx.Param(bias) if use_bias else None
    self.strides = strides
    self.padding = size // 2 if padding is None else padding
    self.groups = groups

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[B, H, W, in] -> [B, H', W', out]`."""
    kernel = self.kernel[...].astype(x.dtype)
    y = conv(x, kernel, strides=self.strides, padding=self.padding, groups=self.groups)
    if self.bias is not None:
      y = y + along_channels(self.bias[...].astype(x.dtype), y)
    return y


class Linear(nnx.Module):
  """`[..., in] -> [..., out]`, accumulated in float32; `init` draws kernel and bias."""

  def __init__(
    self,
    in_features: int,
    out_features: int,
    *,
    use_bias: bool = True,
    init: Init = he_fan_in,
    rngs: nnx.Rngs,
  ):
    kernel, bias = init(rngs.params(), (in_features, out_features))
    self.kernel = nnx.Param(kernel)
    self.bias = nnx.Param(bias) if use_bias else None

  def __call__(self, x: jax.Array, dtype: DTypeLike | None = None) -> jax.Array:
    """Returns the result in `dtype`, by default that of the input."""
    y = jnp.dot(x, self.kernel[...].astype(x.dtype), preferred_element_type=jnp.float32)
    if self.bias is not None:
      y = y + along_channels(self.bias[...], y)
    return y.astype(x.dtype if dtype is None else dtype)


def make_head(
  features: int, num_classes: int, feature_dim: int | None, rngs: nnx.Rngs
) -> tuple[Callable[[jax.Array], jax.Array], Linear]:
  """Returns a map to `feature_dim` numbers, if given, and a classifier.

  With the map, neither has a bias: the features' angles and lengths alone determine the logits.
  """
  if feature_dim is None:
    return Sequential(), Linear(features, num_classes, rngs=rngs)
  neck = Linear(features, feature_dim, use_bias=False, rngs=rngs)
  return neck, Linear(feature_dim, num_classes, use_bias=False, rngs=rngs)


class BatchNorm(nnx.Module):
  """Batch normalisation as in PyTorch, with float32 statistics.

  The batch is normalised with its biased variance; the running average takes the unbiased one, with
  a weight of 0.1 (flax would say momentum 0.9 and take the biased one). `train()` and `eval()` of
  the network switch between batch statistics and running averages.
  """

  momentum = 0.1
  epsilon = 1e-5
  folded = False  # into the convolution before it: see `freezing.freeze`

  def __init__(self, features: int):
    self.scale = nnx.Param(jnp.ones(features))
    self.bias = nnx.Param(jnp.zeros(features))
    self.mean = nnx.BatchStat(jnp.zeros(features))
    self.var = nnx.BatchStat(jnp.ones(features))
    self.use_running_average = False

  def __call__(self, x: jax.Array) -> jax.Array:
    """Normalises `[..., features]` over all axes but the last."""
    if self.folded:
      return x
    y = x.astype(jnp.float32)
    if self.use_running_average:
      mean, var = self.mean[...], self.var[...]
    else:
      axes = tuple(range(y.ndim - 1))
      mean, var = jnp.mean(y, axes), jnp.var(y, axes)
      n = y.size // y.shape[-1]
      for average, new in ((self.mean, mean), (self.var, var * (n / max(n - 1, 1)))):
        old = average[...]
        # `average[...] = ` asks tracers for their sharding, which takes seconds in deep networks.
        average.set_value(old + self.momentum * jax.lax.stop_gradient(new - old))
    scale = self.scale[...] * jax.lax.rsqrt(var + self.epsilon)
    y = (y - along_channels(mean, y)) * along_channels(scale, y)
    return (y + along_channels(self.bias[...], y)).astype(x.dtype)


class LayerNorm(nnx.Module):
  """Layer normalisation of `[..., features]` over the last axis, computed in float32."""

  def __init__(self, features: int, epsilon: float = 1e-6):
    self.scale = nnx.Param(jnp.ones(features))
    self.bias = nnx.Param(jnp.zeros(features))
    self.epsilon = epsilon

  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns an array of the shape and dtype of `x`."""
    y = x.astype(jnp.float32)
    y = (y - jnp.mean(y, -1, keepdims=True)) * jax.lax.rsqrt(
      jnp.var(y, -1, keepdims=True) + self.epsilon
    )
    y = y * along_channels(self.scale[...], y) + along_channels(self.bias[...], y)
    return y.astype(x.dtype)


class Sequential(nnx.List):
  """Layers and functions, called in order; a layer's key is its position."""

  def __call__(self, x: jax.Array) -> jax.Array:
    """Calls each layer with the result of the layer before."""
    for layer in self:
      x = layer(x)
    return x


def _check_rate(name: str, rate: float) -> None:
  if not 0 <= rate < 1:
    raise NetworkError(f"{name} must be in [0, 1), got {rate}")


def dropout(
  rate: float, rngs: nnx.Rngs, broadcast_dims: Sequence[int] = ()
) -> Callable[[jax.Array], jax.Array]:
  """Dropout that `nnx.reseed(model, dropout=...)` reaches, for any streams of `rngs`.

  It is the identity at rate 0. Numbers along `broadcast_dims` are dropped together.

  Raises:
    NetworkError: the rate is not in [0, 1).
  """
  _check_rate("drop_rate", rate)
  if not rate:
    return Sequential()
  return nnx.Dropout(rate, broadcast_dims=broadcast_dims, rngs=nnx.Rngs(dropout=rngs.dropout()))


def drop_paths(rate: float, count: int, rank: int, rngs: nnx.Rngs) -> list[Callable]:
  """Stochastic depth of `count` blocks, on residuals `[B, ...]` of a rank.

  An example loses a block's residual with a probability that rises linearly from 0 to `rate`; the
  other residuals are scaled up (Huang et al., Deep Networks with Stochastic Depth, 2016).

  Raises:
    NetworkError: the rate is not in [0, 1).
  """
  _check_rate("drop_path_rate", rate)
  rates = (rate * i / max(count - 1, 1) for i in range(count))
  return [dropout(r, rngs, range(1, rank)) for r in rates]


gelu = functools.partial(jax.nn.gelu, approximate=False)


class FeedForward(nnx.Module):
  """Two linear layers with an exact GELU between them; `make` makes a layer."""

  def __init__(self, features: int, *, make: Callable = Linear, rngs: nnx.Rngs):
    make = functools.partial(make, init=transformer_normal, rngs=rngs)
    self.fc1 = make(features, 4 * features)
    self.fc2 = make(4 * features, features)

  def __call__(self, x: jax.Array) -> jax.Array:
    """`[..., features] -> [..., features]`."""
    return self.fc2(gelu(self.fc1(x)))


class SqueezeExcite(nnx.Module):
  """Weighs each channel of `[B, H, W, C]` by a function of the channels' averages.

  Hu et al., Squeeze-and-Excitation Networks, 2018.
  """

  def __init__(
    self,
    features: int,
    squeezed: int,
    *,
    activation: Callable[[jax.Array], jax.Array],
    gate: Callable[[jax.Array], jax.Array] = jax.nn.sigmoid,
    rngs: nnx.Rngs,
  ):
    self.reduce = Conv(features, squeezed, 1, use_bias=True, rngs=rngs)
    self.expand = Conv(squeezed, features, 1, use_bias=True, rngs=rngs)
    self.activation = activation
    self.gate = gate

  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the weighted map."""
    average = global_average_pool(x)[:, None, None]
    return x * self.gate(self.expand(self.activation(self.reduce(average))))


def conv_bn(
  in_features: int, out_features: int, size: int, *activation: Callable, **options: Any
) -> Sequential:
  """A convolution, its normalisation and perhaps an activation; for `options` see `Conv`."""
  conv = Conv(in_features, out_features, size, **options)
  return Sequential([conv, BatchNorm(out_features), *activation])


def max_pool(x: jax.Array, size: int, strides: int, padding: int = 0) -> jax.Array:
  """Maxima over windows of `[B, H, W, C]`; padding never wins."""
  if backend() == "cpu":
    # Several times as fast there, above all in the backward pass.
    seen = shifts(x, (size, size), strides, padding, fill=-math.inf)
    return functools.reduce(jnp.maximum, seen)
  return nnx.max_pool(x, (size, size), (strides, strides), ((padding, padding),) * 2)


def average_pool(x: jax.Array, size: int, strides: int, padding: int = 0) -> jax.Array:
  """Means over windows of `[B, H, W, C]`; the padding's zeros count."""
  seen = shifts(x, (size, size), strides, padding)
  return functools.reduce(jnp.add, seen) / size**2


def global_average_pool(x: jax.Array) -> jax.Array:
  """`[B, H, W, C] -> [B, C]`, accumulated in float32."""
  return jnp.mean(x, (1, 2), dtype=jnp.float32).astype(x.dtype)


def adaptive_average_pool(x: jax.Array, size: int) -> jax.Array:
  """Averages `[B, H, W, C]` over `size` x `size` windows that cover it.

  As in PyTorch, they overlap where the image is no multiple of `size`, and repeat where smaller.
  """

  def average(x: jax.Array, axis: int) -> jax.Array:
    length = x.shape[axis]
    ends = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    windows = [jax.lax.slice_in_dim(x, *end, axis=axis) for end in ends]
    return jnp.stack([window.mean(axis) for window in windows], axis)

  return x if x.shape[1:3] == (size, size) else average(average(x, 1), 2)


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
  """Interleaves the channels of the groups, as in ShuffleNet."""
  *batch, channels = x.shape
  x = x.reshape(*batch, groups, channels // groups)
  return jnp.swapaxes(x, -1, -2).reshape(*batch, channels)


class Stage(nnx.Module):
  """Blocks; `downsample` halves the resolution before them, except in the first stage."""

  def __init__(self, downsample: Callable[[jax.Array], jax.Array], blocks: Sequence[nnx.Module]):
    self.downsample = downsample
    self.blocks = Sequential(blocks)


class Hierarchical(Network):
  """A network of `Stage`s, each at half of the resolution of the one before."""

  stages: nnx.List[Stage]

  def run_stages(self, x: jax.Array) -> list[jax.Array]:
    """Returns the output of every stage."""
    outputs = []
    for stage in self.stages:
      x = stage.downsample(x)
      for block in stage.blocks:
        x = self.run(block, x)
      outputs.append(x)
    return outputs


class Staged(Network):
  """A stem, stages of blocks that end before their ReLU, and a classifier of the average pixel.

  With `imagenet_stem` a max pool follows the stem. Features are averages after `top`.
  """

  stage_names: tuple[str, ...]  # the attributes that are the stages
  imagenet_stem = False
  conv1: Callable[[jax.Array], jax.Array]
  bn1: BatchNorm

  def add_stages(
    self, make_block: Callable, features: Sequence[int], depths: Sequence[int], strides: int
  ) -> None:
    """Adds stages of `depths` blocks; the first has `strides`, each other halves the resolution.

    A block is made of its numbers of input and output channels and its stride; `features` are the
    channels of the stem and of each stage.
    """
    pairs = itertools.pairwise(features)
    for name, (before, width), depth in zip(self.stage_names, pairs, depths, strict=True):
      blocks = [make_block(before, width, strides)]
      blocks += [make_block(width, width, 1) for _ in range(depth - 1)]
      setattr(self, name, Sequential(blocks))
      strides = 2

  def stem(self, x: jax.Array) -> jax.Array:
    """Runs the layers before the stages."""
    return nnx.relu(self.bn1(self.conv1(x)))

  def top(self, x: jax.Array) -> jax.Array:
    """Runs the layers between the last stage and the average."""
    return x

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    x = self.stem(x.astype(self.dtype))
    if self.imagenet_stem:
      x = max_pool(x, 3, strides=2, padding=1)
    stages, preactivations = [], []
    for name in self.stage_names:
      for block in getattr(self, name):
        preactivation = self.run(block, x)
        x = nnx.relu(preactivation)
      stages.append(x)
      preactivations.append(preactivation)
    x = self.top(x)
    return self.classify(global_average_pool(x), stages, preactivations, x)
