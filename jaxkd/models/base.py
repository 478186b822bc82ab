"""What every network gives: logits, penultimate features, stage features."""

from typing import ClassVar, NamedTuple

import jax
from flax import nnx


class Outputs(NamedTuple):
  """Everything a distillation loss or an analysis may ask a network for.

  Unused fields cost nothing: under `jax.jit` XLA removes their computation.

  Attributes:
    logits: `[B, num_classes]`, float32.
    features: `[B, D]`, the penultimate features: what the classifier sees.
    stages: each stage's output after its activation, `[B, H, W, C]` (`[B, D]`
      for networks without spatial dimensions), in order.
    preactivations: the same before the stage's last activation.
  """

  logits: jax.Array
  features: jax.Array
  stages: tuple[jax.Array, ...]
  preactivations: tuple[jax.Array, ...]


class Network(nnx.Module):
  """Base of all families: a family defines `outputs`.

  Attributes:
    classifier_name: the attribute that is the last layer.
  """

  classifier_name: ClassVar[str] = "classifier"

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    raise NotImplementedError

  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the logits alone."""
    return self.outputs(x).logits

  def reference_name(self, name: str) -> str:
    """Names a layer as the reference implementation's state dict does.

    Args:
      name: the layer's path in this network, joined by dots.

    Returns:
      Its name in torchvision, or in the authors' code for a CIFAR form; most
      networks use the reference's names themselves.
    """
    return name

  def timm_name(self, name: str) -> str:
    """Names a layer as timm's state dict does; see `reference_name`.

    For most networks timm has torchvision's names.
    """
    return self.reference_name(name)
