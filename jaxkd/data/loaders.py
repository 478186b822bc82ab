"""Chooses between the resident and the streamed loader, which give the same batches."""

import contextlib
import math
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Sharding

from jaxkd.data import registry, streamed
from jaxkd.data.base import Arrays, DataError, EvalBatch, Examples
from jaxkd.data.resident import Resident
from jaxkd.data.specs import Spec

RESIDENT_GIB = 4.0
"""Both splits are kept on the devices if their images are no larger."""

LOADERS = ("auto", "resident", "streamed")


def read(
  spec: Spec, data_dir: str = "", loader: str = "auto", resident_gib: float = RESIDENT_GIB
) -> tuple[Arrays, Arrays] | tuple[Examples, Examples]:
  """Returns the training and the test split: arrays, or examples to stream; otherwise as `load`.

  `loader` is 'resident' for arrays, 'streamed' for examples, 'auto' for arrays where the images of
  both splits take up to `resident_gib` GiB. The choice changes no result.
  """
  if loader not in LOADERS:
    raise DataError(f"loader is {loader!r}, must be one of {LOADERS}")
  train, test = registry.examples(spec, data_dir)
  if loader == "auto":
    nbytes = sum(len(split) * math.prod(split.shape) for split in (train, test))
    loader = "resident" if nbytes <= resident_gib * 2**30 else "streamed"
  if loader == "streamed":
    return train, test
  return train.load(), test.load()


def size(split: Arrays | Examples) -> int:
  """Returns the number of examples."""
  return len(split.labels if isinstance(split, Arrays) else split)


def train_loader(
  split: Arrays | Examples,
  batch_size: int,
  key: jax.Array,
  sharding: Sharding,
  workers: int | None = None,
) -> Resident | streamed.Streamed:
  """Returns the loader of a training split: arrays on the devices, or examples.

  Both loaders have `max_steps(step)`, the number of steps that one source serves; `source(step)`,
  the argument of `batch_at`; and `close()`. Their arguments are those of `Streamed`; the key is on
  the devices. A batch that is larger than the split is a ValueError.
  """
  if isinstance(split, Arrays):
    return Resident(split, batch_size, key)
  return streamed.Streamed(split, batch_size, key, sharding, workers)


def eval_batches(
  split: Arrays | Examples, batch_size: int, sharding: Sharding, workers: int | None = None
) -> Iterator[tuple[Arrays | EvalBatch, np.int32]]:
  """Yields the first two arguments of `eval_batch_at` for each batch of an evaluation.

  Arguments are as for `train_loader`. An example that can't be read is a DataError.
  """
  if isinstance(split, Arrays):
    yield from ((split, np.int32(index)) for index in range(-(-size(split) // batch_size)))
    return
  with contextlib.closing(streamed.evaluation(split, batch_size, sharding, workers)) as batches:
    yield from ((batch, np.int32(0)) for batch in batches)
