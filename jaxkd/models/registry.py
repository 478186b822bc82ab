"""Networks by name: `register`, `create`, `find`, `list_models`."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen, nnx
from jax.typing import DTypeLike

from jaxkd.common import source
from jaxkd.common.digests import digest
from jaxkd.common.imports import resolve
from jaxkd.common.spelling import nearest
from jaxkd.models import own
from jaxkd.models.base import Network, NetworkError


class Reference(NamedTuple):
  """A setting in which the number of trainable parameters is known."""

  num_classes: int
  image_size: int
  parameters: int
  in_channels: int = 3


class Form(NamedTuple):
  """A form of a network, for images from a minimum size on."""

  network: Callable[..., Any]  # the class or the factory
  settings: Mapping[str, Any]  # arguments; those that it leaves open are options
  min_image_size: int
  reference: Reference | None  # None for a network from outside of the package


class Architecture(NamedTuple):
  """The family of a name, for tables, and its forms; the last one that fits an image is used."""

  family: str
  forms: tuple[Form, ...]


ARCHITECTURES: dict[str, Architecture] = {}

# A network gets those of these arguments that it takes; its other arguments are its options.
_COMMON = ("num_classes", "image_size", "in_channels", "dtype", "rngs")


def list_models() -> dict[str, Architecture]:
  """Returns every registered name, with its family and reference settings.

  >>> list_models()["resnet20"].forms[0].reference
  Reference(num_classes=100, image_size=32, parameters=278324, in_channels=3)
  """
  return dict(ARCHITECTURES)


def register(name: str, factory: Callable[..., Any] | None = None, *, family: str = "own") -> Any:
  """Gives a name to a network from outside of the package, and returns it; also a decorator.

  A complete network, with an option `width`:

  >>> from flax import nnx
  >>> from jaxkd import models
  >>> @models.register("tiny")
  ... class TinyNet(nnx.Module):
  ...   def __init__(self, num_classes, in_channels, width=8, *, rngs):
  ...     self.conv = nnx.Conv(in_channels, width, (3, 3), strides=2, rngs=rngs)
  ...     self.norm = nnx.BatchNorm(width, rngs=rngs)
  ...     self.fc = nnx.Linear(width, num_classes, rngs=rngs)
  ...
  ...   def __call__(self, x):
  ...     features = nnx.relu(self.norm(self.conv(x))).mean((1, 2))
  ...     return models.Outputs(self.fc(features), features)
  >>> model = models.create("tiny", num_classes=10, width=16, rngs=nnx.Rngs(0))
  >>> model(jnp.zeros((4, 32, 32, 3))).shape
  (4, 10)
  >>> del ARCHITECTURES["tiny"]  # for the tests that follow

  Without registration, `create("mypackage.nets:TinyNet", ...)` imports a network by its address.

  Args:
    name: the new name.
    factory: an NNX module class, a Linen module class, or a function that returns an NNX module, a
      Linen module or a plain function from images to logits. It is given those of `num_classes`,
      `image_size`, `in_channels`, `dtype` and `rngs` that it has as arguments (a Linen class: as
      fields); its other arguments are the network's options. A function whose only argument is the
      images is the network itself. It has no parameters, so that it can only be a teacher.

      The module is called with images `[B, H, W, channels]` and returns logits `[B, num_classes]`
      or `models.Outputs`; a method `outputs`, if there is one, is called instead. If the method has
      an argument `train`, `training`, `deterministic` or `use_running_average`, it is given.
    family: the family's name, for tables.

  Raises:
    NetworkError: the name is taken, or the factory is neither a class nor a function.
  """
  if factory is None:
    return functools.partial(register, name, family=family)
  if not name or ":" in name or "/" in name:
    raise NetworkError(f"a network's name must be text without ':' and '/', got {name!r}")
  known = name in ARCHITECTURES and _address(ARCHITECTURES[name].forms[-1].network)
  if known and known != _address(factory):
    raise NetworkError(f"the name {name!r} is taken, by {known}")
  ARCHITECTURES[name] = _own(name, factory, family)
  return factory


def _own(name: str, factory: Any, family: str) -> Architecture:
  if isinstance(factory, nnx.Module | linen.Module) or not callable(factory):
    raise NetworkError(
      f"{name} must be the class of a network or a function that makes one, got an instance of "
      f"{type(factory).__name__}"
    )
  return Architecture(family, (Form(factory, {}, 1, None),))


def _address(factory: Any) -> str:
  factory = factory.func if isinstance(factory, functools.partial) else factory
  return f"{factory.__module__}:{getattr(factory, '__qualname__', factory)}"


def find(name: str) -> Architecture:
  """Returns the architecture of a registered name or of an address `module:attribute`.

  Raises:
    NetworkError: there is none; the message has the nearest name.
  """
  if name in ARCHITECTURES:
    return ARCHITECTURES[name]
  if ":" not in name:
    raise NetworkError(f"unknown network {name!r}, must be {nearest(name, ARCHITECTURES)}")
  return _own(name, resolve(name, "network", NetworkError), "own")


def create(
  name: str,
  *,
  num_classes: int,
  image_size: int = 32,
  in_channels: int = 3,
  dtype: DTypeLike = jnp.float32,
  rngs: nnx.Rngs,
  **options: Any,
) -> Network:
  """Makes a network by its name in the literature, or one from outside, in training mode.

  >>> model = create("resnet8", num_classes=10, rngs=nnx.Rngs(0))
  >>> model(jnp.zeros((1, 32, 32, 3))).shape
  (1, 10)

  Args:
    name: one of `list_models()`, or `module:attribute`; see `register`.
    num_classes: number of classes, at least 2.
    image_size: height and width of the images; where a network has a form for CIFAR and one for
      ImageNet, it chooses the form.
    in_channels: channels of the images.
    dtype: see `Network`; a network from outside that doesn't take it computes in its own.
    rngs: the stream `params` is used, and `dropout` where the network has it.
    **options: the network's own arguments, as `remat` and `feature_dim` (see `Network`) where it
      has them, `depth` and `width` of an `mlp`.

  Raises:
    NetworkError: the name or an option is unknown, the images are too small for the network, there
      are fewer than two classes, or a network from outside gives no logits of that many classes.
  """
  forms = find(name).forms
  for argument, value, least in (("num_classes", num_classes, 2), ("in_channels", in_channels, 1)):
    if value < least:
      raise NetworkError(f"{argument} must be at least {least}, got {value}")
  smallest = forms[0].min_image_size
  if image_size < smallest:
    raise NetworkError(f"{name} needs images of at least {smallest} pixels, got {image_size=}")
  form = [form for form in forms if form.min_image_size <= image_size][-1]
  parameters, takes_any = _parameters(form.network)
  allowed = [p for p in parameters if p not in _COMMON and p not in form.settings]
  for option in options:
    if option not in allowed and not takes_any:
      choices = nearest(option, allowed) if allowed else "left out: there are none"
      raise NetworkError(f"{name} has no option {option!r}, must be {choices}")
  common = dict(zip(_COMMON, (num_classes, image_size, in_channels, dtype, rngs), strict=True))
  given = {key: value for key, value in common.items() if key in parameters}
  given |= {**form.settings, **options}
  if form.reference:
    return form.network(**given)
  missing = [p for p, required in parameters.items() if required and p not in given]
  if missing and (isinstance(form.network, type) or len(missing) > 1 or given):
    raise NetworkError(f"{name} needs the option {missing[0]!r}")
  made = form.network if missing else form.network(**given)
  images = jax.ShapeDtypeStruct((2, image_size, image_size, in_channels), jnp.float32)
  return own.adapt(made, images=images, name=name, num_classes=num_classes, rngs=rngs)


def _parameters(factory: Callable[..., Any]) -> tuple[dict[str, bool], bool]:
  """Returns whether each argument is required, and whether other arguments are accepted."""
  bound = factory if isinstance(factory, functools.partial) else functools.partial(factory)
  hidden: tuple[str, ...] = ()
  if isinstance(bound.func, type):
    hidden = ("parent", "name") if issubclass(bound.func, linen.Module) else ()
    # A class of Flax shows its metaclass's signature.
    constructor = inspect.getattr_static(bound.func, "__init__")
    bound = functools.partial(constructor, None, *bound.args, **bound.keywords)
  parameters = dict(inspect.signature(bound).parameters)
  if "options" in parameters and bound.func.__module__.startswith(f"{__package__}."):
    # The package's families give their `**options` to `Network`.
    common: Any = Network.__init__
    parameters |= inspect.signature(functools.partial(common, None)).parameters
    del parameters["options"]
  kinds = {p.kind for p in parameters.values()}
  named = (p for p in parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))
  required = {p.name: p.default is p.empty for p in named if p.name not in hidden}
  return required, inspect.Parameter.VAR_KEYWORD in kinds


def source_digest(name: str) -> str | None:
  """Returns the digest of the source of a network from outside; None for the package's own."""
  form = find(name).forms[-1]
  return None if form.reference else source.source_digest(form.network)


def arrays_digest(model: nnx.Module) -> str:
  """Returns the digest of paths, shapes and dtypes of a network's arrays; it may be abstract."""
  arrays = nnx.to_flat_state(nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat)))
  lines = (f"{'.'.join(map(str, path))} {v.shape} {v.dtype}" for path, v in arrays)
  return digest("\n".join(sorted(lines)))
