"""Data sets: what they are, where they come from, how batches are made.

The contract of every loader: a training batch is a pure function of (seed,
step); the steps run through one permutation of the examples after another, so
that each example comes exactly once per epoch; evaluation counts each example
exactly once.
"""

from jaxkd.data.augment import augment, center_crop, normalize
from jaxkd.data.base import Arrays, DataError, Examples
from jaxkd.data.holdout import holdout
from jaxkd.data.resident import (
  Resident,
  TrainSource,
  batch_at,
  eval_batch_at,
)
from jaxkd.data.sources import class_names, examples, find, load
from jaxkd.data.specs import SPECS, Spec

__all__ = [
  "SPECS",
  "Arrays",
  "DataError",
  "Examples",
  "Resident",
  "Spec",
  "TrainSource",
  "augment",
  "batch_at",
  "center_crop",
  "class_names",
  "eval_batch_at",
  "examples",
  "find",
  "holdout",
  "load",
  "normalize",
]
