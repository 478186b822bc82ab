"""Data sets, their augmentation and their batches.

Every loader keeps one contract. A training batch is a pure function of (seed, step). The steps run
through one permutation of the examples after another, so each example comes exactly once per epoch.
Evaluation counts each example exactly once.
"""

from jaxkd.data.augment import augment, center_crop, normalize, standardized
from jaxkd.data.augmentation import UNCHANGED, Augmentation
from jaxkd.data.base import Arrays, DataError, EvalBatch, Examples, as_rows, size
from jaxkd.data.randaugment import POLICIES
from jaxkd.data.registry import (
  class_names,
  content,
  examples,
  find,
  identity,
  is_own,
  load,
  register,
)
from jaxkd.data.resident import Resident, TrainSource, batch_at
from jaxkd.data.specs import SPECS, Spec
from jaxkd.data.splits import LOADERS, RESIDENT_GIB, eval_batches, holdout, read, take, train_loader
from jaxkd.data.streamed import Prefetched, Streamed
from jaxkd.data.views import augment_views, places_of, resized

__all__ = ["SPECS", "Arrays", "DataError", "EvalBatch", "Examples", "Spec", "register"]
__all__ += [
  "as_rows",
  "class_names",
  "content",
  "examples",
  "find",
  "holdout",
  "identity",
  "is_own",
  "load",
  "take",
]
__all__ += ["LOADERS", "RESIDENT_GIB", "Resident", "Streamed", "TrainSource", "read", "size"]
__all__ += ["batch_at", "eval_batches", "train_loader"]
__all__ += ["POLICIES", "UNCHANGED", "Augmentation", "augment", "center_crop", "normalize"]
__all__ += ["standardized"]
__all__ += ["Prefetched", "augment_views", "places_of", "resized"]
