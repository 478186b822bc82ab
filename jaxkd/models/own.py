"""Modules and functions from outside of the package, adapted to `Network`."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen, nnx

from jaxkd.models.base import Network, NetworkError, Outputs

# Arguments of a module that switch between training and evaluation.
TRAIN = ("train", "training")
EVAL = ("deterministic", "use_running_average")


def adapt(
  made: Any,
  *,
  images: jax.ShapeDtypeStruct,
  name: str = "",
  num_classes: int | None = None,
  rngs: nnx.Rngs,
) -> Network:
  """Makes a `Network` of a module or of a function from images to logits; see `models.register`.

  A Linen module is initialised here, by the stream `params`; the stream `dropout` seeds all that is
  random in training. Messages call it `name`, by default the name of its class.

  Raises:
    NetworkError: it is neither, its logits have another shape, or training would lose variables.
  """
  name = name or getattr(made, "__name__", type(made).__name__)
  is_function = callable(made) and not isinstance(made, type)
  if not is_function and not isinstance(made, nnx.Module | linen.Module):
    raise NetworkError(
      f"{name} must give an NNX module, a Linen module or a function of images, gave an instance "
      f"of {type(made).__name__}"
    )
  network = made
  if not isinstance(made, Network):
    zeros = jnp.zeros(images.shape, images.dtype)
    network = Adapted(made, name, num_classes, zeros, rngs)
  kept = nnx.Any(nnx.Param, nnx.BatchStat, nnx.RngState)
  for path, variable in nnx.to_flat_state(nnx.state(network, nnx.Not(kept))):
    raise NetworkError(
      f"{name}: {'.'.join(map(str, path[1:]))} is of type {type(variable).__name__}; every array "
      "of a network must be an nnx.Param, if it is trained, or an nnx.BatchStat"
    )
  graphdef, state = nnx.split(network)

  def run(state, x):
    return _checked(nnx.merge(graphdef, state).outputs(x), name, x.shape[0], num_classes)

  jax.eval_shape(run, state, images)
  return network


class Adapted(Network):
  """A module or function from outside of the package.

  In training all its random streams, of any names, follow the stream `dropout` of this
  network, which the training step seeds for each step. For the arguments see `adapt`.
  """

  classifier_name = ""
  follows_torch = False

  def __init__(
    self, module: Any, name: str, num_classes: int | None, images: jax.Array, rngs: nnx.Rngs
  ):
    self.name = name
    self.num_classes = num_classes
    # `train()` and `eval()` set it, too.
    self.deterministic = False
    self.is_linen = isinstance(module, linen.Module)
    has_outputs = callable(getattr(type(module), "outputs", None))
    self.method = "outputs" if has_outputs else "__call__"
    accepted = inspect.signature(getattr(module, self.method)).parameters
    self.switches = tuple(switch for switch in (*TRAIN, *EVAL) if switch in accepted)
    if self.is_linen:
      module = nnx.bridge.ToNNX(module, rngs)
      nnx.bridge.lazy_init(getattr(module, self.method), images, **self._mode(training=False))
      if not self.switches and jax.tree.leaves(nnx.state(module, nnx.BatchStat)):
        raise NetworkError(
          f"{name} has batch statistics, but its {self.method} takes none of "
          f"{', '.join((*TRAIN, *EVAL))}, so that it can't be evaluated"
        )
    self.module = module
    self.rngs = nnx.Rngs(dropout=rngs.dropout()) if self._stream_names() else None

  def _mode(self, training: bool) -> dict[str, bool]:
    return {switch: training == (switch in TRAIN) for switch in self.switches}

  def _stream_names(self) -> list[str]:
    if not isinstance(self.module, nnx.Module):
      return []
    nodes = (node for _, node in nnx.iter_graph(self.module))
    return sorted({node.key.tag for node in nodes if isinstance(node, nnx.RngStream)})

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the module on images `[B, H, W, channels]`."""
    training = not self.deterministic
    arguments: dict[str, Any] = self._mode(training)
    if training and self.rngs is not None:
      names = self._stream_names()
      keys: Any = jax.random.split(self.rngs.dropout(), len(names))
      nnx.reseed(self.module, **dict(zip(names, keys, strict=True)))
    if self.is_linen:
      arguments["mutable"] = ["batch_stats"] if training else False
    result = getattr(self.module, self.method)(x, **arguments)
    return _checked(result, self.name, x.shape[0], self.num_classes)


def _checked(result: Any, name: str, batch_size: int, num_classes: int | None) -> Outputs:
  """Returns logits or `Outputs` as `Outputs` with float32 logits, if the shapes are right."""
  if not isinstance(result, Outputs) and not hasattr(result, "shape"):
    raise NetworkError(
      f"{name} must return logits or jaxkd.models.Outputs, returned {type(result).__name__}"
    )
  result = result if isinstance(result, Outputs) else Outputs(result)
  logits, features = result.logits, result.features
  num_classes = num_classes or logits.shape[-1]
  if logits.shape != (batch_size, num_classes) or not jnp.issubdtype(logits.dtype, jnp.floating):
    raise NetworkError(
      f"{name} must return float logits of shape [{batch_size}, {num_classes}] for "
      f"{batch_size} images and {num_classes} classes, returned {logits.dtype} {[*logits.shape]}"
    )
  if features is not None and (features.ndim != 2 or features.shape[0] != batch_size):
    raise NetworkError(
      f"{name} must return features of shape [{batch_size}, D], returned {[*features.shape]}"
    )
  class_map = result.class_map
  if class_map is not None:
    if class_map.ndim != 4 or class_map.shape[::3] != (batch_size, num_classes):
      raise NetworkError(
        f"{name} must return a class_map of shape [{batch_size}, H, W, {num_classes}], "
        f"returned {[*class_map.shape]}"
      )
    class_map = class_map.astype(jnp.float32)
  return result._replace(
    logits=logits.astype(jnp.float32),
    stages=tuple(result.stages),
    preactivations=tuple(result.preactivations),
    class_map=class_map,
  )
