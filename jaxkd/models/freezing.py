"""Networks that only run in evaluation: batch norm folded into convolutions, weights cast once."""

import collections
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxkd.models.base import Network
from jaxkd.models.layers import BatchNorm, Conv, Linear


def freeze(network: Network, images: jax.ShapeDtypeStruct) -> None:
  r"""Folds batch norm into convolutions, and casts weights to the dtype in which they are used.

  A convolution with kernel K and bias b, and the batch norm after it, are one convolution:

  .. math::
    K' = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} K, \quad
    b' = \frac{\gamma}{\sqrt{\sigma^2 + \epsilon}} (b - \mu) + \beta

  The network is changed in place, for evaluation alone. All its outputs stay equal but for
  rounding. A layer stays as it is where a trace shows another user of its weights, or of the
  output that batch norm sees, or other weights than its own; so do layers under `jax.vmap`, and
  those that are not this package's. The new weights are computed on the host, to the same bits
  everywhere.

  Args:
    network: a copy for this purpose.
    images: shape and dtype of its input.
  """
  network.eval()
  network.remat = False  # It hides layers from the trace, and is for training alone.
  jaxpr, layers = _trace(network, images), _layers(network)
  calls, users = collections.defaultdict(list), collections.defaultdict(list)
  for eqn in jaxpr.eqns:
    calls[eqn.params.get("name")].append(eqn)
    for x in eqn.invars:
      users[id(x)].append(id(eqn))
  for x in jaxpr.outvars:
    users[id(x)].append(id(jaxpr))
  arrays = {id(x) for x in jaxpr.invars[:-1]}

  def is_apart(layer: Any, own: list[Any]) -> bool:
    """Whether all arrays of a layer go into its calls `own`, and into nothing else."""
    weights = {id(x) for eqn in own for x in eqn.invars} & arrays
    complete = len(weights) == len(jax.tree.leaves(nnx.state(layer)))
    return complete and {user for x in weights for user in users[x]} == {id(eqn) for eqn in own}

  called = [(layer, calls[name]) for name, layer in layers.items()]
  called = [(layer, own) for layer, own in called if is_apart(layer, own)]
  norms = {id(own[0]): each for each, own in called if type(each) is BatchNorm and len(own) == 1}

  for layer, own in called:
    if type(layer) is BatchNorm:
      continue
    if type(layer) is Conv and len(own) == 1:
      after = users[id(own[0].outvars[0])]
      norm = norms.get(after[0]) if len(after) == 1 else None
      # Layers under `vmap` have arrays of more dimensions.
      if norm and norm.scale.ndim == 1 and layer.kernel.ndim == 4:
        _fold(layer, norm)
    # A call's input comes after the weights, over which the call closes.
    dtypes = {eqn.invars[-1].aval.dtype for eqn in own}
    if len(dtypes) == 1:
      _cast(layer, *dtypes)


def _array(variable: nnx.Variable) -> Any:
  return np.asarray(variable[...])


def _fold(conv: Conv, norm: BatchNorm) -> None:
  mean = _array(norm.mean)
  bias = np.zeros_like(mean) if conv.bias is None else _array(conv.bias)
  scale = _array(norm.scale) / np.sqrt(_array(norm.var) + np.float32(norm.epsilon))
  conv.kernel.set_value(_array(conv.kernel) * scale)
  conv.bias = nnx.data(nnx.Param(scale * (bias - mean) + _array(norm.bias)))
  norm.folded = True


def _cast(layer: Conv | Linear, dtype: Any) -> None:
  layer.kernel.set_value(_array(layer.kernel).astype(dtype))
  # The bias of `Linear` is added in float32.
  if isinstance(layer, Conv) and layer.bias is not None:
    layer.bias.set_value(_array(layer.bias).astype(dtype))


def _named(base: Any) -> Any:
  """Returns a class of layers whose calls have the name `name` in a trace."""

  class Named(base):
    def __call__(self, x: jax.Array, *options: Any) -> jax.Array:
      # A call under `jax.vmap` may see other axes; batch norm that measures changes its arrays.
      if type(x) is not self.tracer or not getattr(self, "use_running_average", True):
        return base.__call__(self, x, *options)

      def call(x: jax.Array) -> jax.Array:
        return base.__call__(self, x, *options)

      call.__name__ = self.name
      return jax.jit(call)(x)

  return Named


_NAMED = {layer: _named(layer) for layer in (BatchNorm, Conv, Linear)}


def _layers(network: Network) -> dict[str, Any]:
  """Returns the layers that may change, by a name that stays in copies of the network."""
  found = [node for _, node in nnx.iter_graph(network) if type(node) in _NAMED]
  return {f"frozen_{number}": layer for number, layer in enumerate(found)}


def _trace(network: Network, images: jax.ShapeDtypeStruct) -> Any:
  """Returns the program of all outputs, in which each call of a layer is an equation."""
  graphdef, state = nnx.split(network)

  def outputs(state: nnx.State, x: jax.Array) -> Any:
    copy = nnx.merge(graphdef, state)
    for name, layer in _layers(copy).items():
      layer.name, layer.tracer = name, type(x)
      object.__setattr__(layer, "__class__", _NAMED[type(layer)])
    return copy.outputs(x)

  return jax.make_jaxpr(outputs)(state, images).jaxpr
