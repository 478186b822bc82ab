"""Networks without arrays: their names, shapes and types, for which nothing is computed."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from flax import nnx

_T = TypeVar("_T")


class _OneKey(nnx.RngStream):
  """A stream of one key, for networks that never get arrays.

  To count keys takes most of the time of a trace: flax asks the count for its sharding, which a
  tracer doesn't have, and JAX searches the trace for the origin of that error.
  """

  def __call__(self) -> jax.Array:
    return self.key[...]


def abstract(make: Callable[[nnx.Rngs], _T]) -> _T:
  """Returns what `make(rngs)` returns, a network or its outputs, with shapes in place of arrays.

  >>> from jaxkd import models
  >>> model = abstract(lambda rngs: models.create("resnet8", num_classes=10, rngs=rngs))
  >>> model.fc.kernel.shape
  (64, 10)
  """

  def made() -> _T:
    rngs: Any = nnx.Rngs(0)
    # The constructor would make another stream of it.
    rngs.default = _OneKey(0, tag="default")
    return make(rngs)

  return nnx.eval_shape(made)
