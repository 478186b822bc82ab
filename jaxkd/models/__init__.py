"""The networks: one file a family, one way to make any of them by its name."""

import difflib
import hashlib
import inspect
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
from flax import nnx

from jaxkd.models import (
  alexnet,
  mlp,
  mobilenet_v2,
  resnet,
  resnet_imagenet,
  resnext,
  shufflenet_v1,
  shufflenet_v2,
  vgg,
  wrn,
)
from jaxkd.models.base import Network, Outputs
from jaxkd.models.registry import Architecture, Form, Reference

__all__ = [
  "Architecture",
  "Form",
  "Network",
  "Outputs",
  "Reference",
  "create",
  "find",
  "list_models",
]

_MODELS: dict[str, Architecture] = {
  **resnet.MODELS,
  **wrn.MODELS,
  **resnext.MODELS,
  **vgg.MODELS,
  **shufflenet_v1.MODELS,
  **shufflenet_v2.MODELS,
  **mobilenet_v2.MODELS,
  **alexnet.MODELS,
  **resnet_imagenet.MODELS,
  **mlp.MODELS,
}

# What every network may be given; its other arguments are its options.
_COMMON = frozenset({"num_classes", "image_size", "in_channels", "dtype", "rngs"})


def list_models() -> dict[str, Architecture]:
  """Every name that `create` knows, with its family and reference settings.

  >>> list_models()["resnet20"].forms[0].reference
  Reference(num_classes=100, image_size=32, parameters=278324, in_channels=3)
  """
  return dict(_MODELS)


def find(name: str) -> Architecture:
  """Returns the entry of a name.

  Raises:
    ValueError: there is none; the message has the nearest names.
  """
  if name not in _MODELS:
    raise ValueError(f"unknown model {name!r}; {_suggest(name, _MODELS)}")
  return _MODELS[name]


def create(
  name: str,
  *,
  num_classes: int,
  image_size: int = 32,
  in_channels: int = 3,
  dtype: jnp.dtype = jnp.float32,
  rngs: nnx.Rngs,
  **options: Any,
) -> Network:
  """Makes a network by its name in the literature.

  >>> model = create("resnet8", num_classes=10, rngs=nnx.Rngs(0))
  >>> model(jnp.zeros((1, 32, 32, 3))).shape
  (1, 10)

  Args:
    name: one of `list_models()`.
    num_classes: number of classes, at least 2.
    image_size: height and width of the images; where a network has a form for
      CIFAR and one for ImageNet, it chooses the form.
    in_channels: channels of the images.
    dtype: what the network computes in; parameters, batch statistics and logits
      are float32 whatever it is.
    rngs: the stream `params` is used, and `dropout` where the network has it.
    **options: the network's own arguments: `remat` (recompute activations in
      the backward pass) and `feature_dim` (a low-dimensional feature layer)
      where it has them, `depth` and `width` of an `mlp`.

  Returns:
    The network in training mode.

  Raises:
    ValueError: the name or an option is unknown, the images are too small for
      the network, or there are fewer than two classes.
  """
  forms = find(name).forms
  if num_classes < 2:
    raise ValueError(f"num_classes must be at least 2, got {num_classes}")
  fitting = [f for f in forms if f.min_image_size <= image_size]
  if not fitting:
    raise ValueError(
      f"{name} needs images of at least {forms[0].min_image_size} pixels, got "
      f"image_size={image_size}"
    )
  form = fitting[-1]
  accepted = inspect.signature(form.network.__init__).parameters.keys()
  allowed = accepted - _COMMON - form.settings.keys()
  for option in options:
    if option not in allowed:
      raise ValueError(f"{name} has no option {option!r}; {_suggest(option, allowed)}")
  common = {
    "num_classes": num_classes,
    "image_size": image_size,
    "in_channels": in_channels,
    "dtype": dtype,
    "rngs": rngs,
  }
  return form.network(
    **{key: value for key, value in common.items() if key in accepted},
    **form.settings,
    **options,
  )


def _suggest(word: str, known: Iterable[str]) -> str:
  near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
  if near:
    return f"did you mean {' or '.join(near)}?"
  return f"known: {', '.join(sorted(known)) or 'none'}"


def source_digest(name: str) -> str | None:
  """Returns None for the package's own networks."""
  return None


def arrays_digest(model: nnx.Module) -> str:
  """Returns a digest of the paths, shapes and dtypes of a network's arrays."""
  flat = nnx.to_flat_state(nnx.state(model, (nnx.Param, nnx.BatchStat)))
  text = str(sorted((".".join(map(str, p)), v.shape, str(v.dtype)) for p, v in flat))
  return hashlib.sha256(text.encode()).hexdigest()[:16]
