"""Recalled teachers: outputs are looked up by example and view instead of computed."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkd.models import Outputs
from jaxkd.training.predictions import Storage


@dataclasses.dataclass(frozen=True)
class Recalled:
  """Predictions that teach; see `step.Teaching`.

  `classes` has the place of each of the student's classes in the stored logits; None: the same
  order. Streamed predictions come with each batch, others lie on the devices, `[K, N, ...]`.
  """

  storage: Storage
  classes: tuple[int, ...] | None = None
  streamed: bool = False

  def apply(self, variables: Mapping[str, jax.Array], pixels: Any) -> Outputs:
    """Returns the outputs of stored arrays `[B, ...]`."""
    del pixels
    outputs = self.storage.unpack(variables)
    if self.classes is None:
      return outputs
    return outputs._replace(logits=outputs.logits[..., np.array(self.classes)])

  def targets(self, variables: Mapping[str, jax.Array], pixels: Any, places: jax.Array) -> Outputs:
    """Returns the outputs on a training batch, whose rows and views are `places`, `[B, 2]`."""
    if not self.streamed:
      rows, views = places[:, 0], places[:, 1]
      variables = jax.tree.map(lambda x: jnp.asarray(x)[views, rows], variables)
    return self.apply(variables, pixels)
