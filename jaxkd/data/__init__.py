"""Data sets: what they are, where they come from, how batches are made.

The contract of every loader: a training batch is a pure function of (seed,
step); the steps run through one permutation of the examples after another, so
that each example comes exactly once per epoch; evaluation counts each example
exactly once.
"""

from jaxkd.data.augment import augment, normalize
from jaxkd.data.resident import (
  Resident,
  TrainSource,
  batch_at,
  eval_batch_at,
)
from jaxkd.data.sources import Arrays, DataError, load
from jaxkd.data.specs import SPECS, Spec

__all__ = [
  "SPECS",
  "Arrays",
  "DataError",
  "Resident",
  "Spec",
  "TrainSource",
  "augment",
  "batch_at",
  "eval_batch_at",
  "load",
  "normalize",
]
