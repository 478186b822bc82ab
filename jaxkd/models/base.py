"""The outputs of every network: logits, penultimate features, stage features."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from jaxkd.common.backend import backend
from jaxkd.common.errors import UserError


class NetworkError(UserError, ValueError):
  """A network can't be made, or weights don't fit it; the message is one line."""


def _computed_once(x: Any) -> Any:
  """Returns `x` unchanged, such that training on CPUs does not compute it again for each use.

  XLA's CPU backend repeats additions and the like: a sum of residuals would be added up again from
  all blocks before it, and so would its gradient. It does not repeat divisions. The barrier hides
  that the divisor is 1; around `x` itself it has no effect, because it is removed too early. A
  program without gradients repeats the sums all the same, which costs no measurable time.
  """
  if not isinstance(x, jax.Array) or not jnp.issubdtype(x.dtype, jnp.floating):
    return x
  return x / jax.lax.optimization_barrier(jnp.ones((), x.dtype))


class Outputs(NamedTuple):
  """All outputs that a distillation loss or an analysis may need.

  Unused fields cost nothing: under `jax.jit` XLA removes their computation. A network from outside
  of the package may give logits alone.

  Attributes:
    logits: `[B, num_classes]`, float32.
    features: `[B, D]`, the penultimate features, which the classifier sees.
    stages: the maps that methods compare, `[B, H, W, C]` (`[B, D]` for networks without spatial
      dimensions), in order: each stage's output after its activation. The stem is no stage. The
      package's networks have the maps of mdistiller's `feats[1:]`. So a VGG's first block is its
      stem, and a `WideResNet`'s maps are sums before batch norm and ReLU.
    preactivations: inputs of the ReLU at each stage's end; in a `WideResNet` the stage after the
      batch norm that follows it.
    class_map: `[B, H, W, num_classes]`, the classifier at each pixel, float32. Its average over the
      image is the logits. None for networks whose features are no average of a map.
    averaged: `[B, H, W, D]`, the map whose average the features are. None as for `class_map`.
    heads: logits `[B, num_classes]` of two classifiers, whose mean `logits` is: of the class token
      and of the distillation token. Empty for a network with one classifier.
  """

  logits: jax.Array
  features: jax.Array | None = None
  stages: tuple[jax.Array, ...] = ()
  preactivations: tuple[jax.Array, ...] = ()
  class_map: jax.Array | None = None
  averaged: jax.Array | None = None
  heads: tuple[jax.Array, ...] = ()


class Reused(nnx.BatchStat):
  """An array of a network that is part of it and is not trained, as from another network."""


class Network(nnx.Module):
  """Base of all families: a family defines `outputs`.

  The families' constructors have the arguments of `models.create`, and these where they apply;
  their `**options` are `dtype` and `remat`.
    feature_dim: adds a linear layer to this number of features, without bias and ReLU, and removes
      the classifier's bias, for features that can be drawn.
    dtype: the dtype of activations; parameters, batch statistics and logits are float32.
    remat: recompute the blocks' activations in the backward pass.

  Attributes:
    classifier_name: the attribute that is the last layer; empty if it is unknown.
    second_classifier: the attribute that is another last layer, of a distillation token; or empty.
    follows_torch: whether a state dict of the network has PyTorch's names of leaves and layout.
    input_size: height and width to which its users resize images; 0: as they are.
    reference_names: regular expressions in the names of its layers, with the reference's names.
  """

  classifier_name: ClassVar[str] = "classifier"
  second_classifier: str = ""
  follows_torch: ClassVar[bool] = True
  reference_names: ClassVar[Mapping[str, str]] = {}
  input_size = 0

  def __init__(self, *, dtype: DTypeLike = jnp.float32, remat: bool = False):
    self.dtype = dtype
    self.remat = remat

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    raise NotImplementedError

  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits alone."""
    return self.outputs(x).logits

  def run(self, block: Callable[[jax.Array], Any], x: jax.Array) -> Any:
    """Calls a block; with `remat` its activations are recomputed backwards."""
    result = nnx.remat(lambda module, x: module(x))(block, x) if self.remat else block(x)
    return jax.tree.map(_computed_once, result) if backend() == "cpu" else result

  def classify(
    self,
    features: jax.Array,
    stages: Sequence[jax.Array],
    preactivations: Sequence[jax.Array],
    averaged: jax.Array | None = None,
  ) -> Outputs:
    """Completes the outputs by the logits of the last layer.

    `averaged` is the map `[B, H, W, D]` whose average the features are.
    """
    classifier = getattr(self, self.classifier_name)
    logits = classifier(features, jnp.float32)
    class_map = None if averaged is None else classifier(averaged, jnp.float32)
    return Outputs(logits, features, tuple(stages), tuple(preactivations), class_map, averaged)

  def resized(self, tensors: Mapping[str, np.ndarray]) -> tuple[Mapping[str, np.ndarray], str]:
    """Returns a state dict for this network's image size, and a message if a tensor changed."""
    return tensors, ""

  def reference_name(self, name: str) -> str:
    """Returns a layer's name in the state dict of torchvision, or of the authors for CIFAR.

    It is timm's for networks with timm's names. `name` is the layer's path in this network, joined
    by dots.
    """
    for pattern, replacement in self.reference_names.items():
      name = re.sub(pattern, replacement, name)
    return name

  def timm_name(self, name: str) -> str:
    """Returns a layer's name in timm's state dict, which is torchvision's for most networks."""
    return self.reference_name(name)
