"""Splits, in memory or on disk: read, divided, and loaded batch by batch.

Both loaders, the resident and the streamed one, give the same batches.
"""

import contextlib
import math
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Sharding

from jaxkd.common.errors import explained
from jaxkd.data import registry, streamed
from jaxkd.data.base import Arrays, DataError, EvalBatch, Example, Examples, Split, size
from jaxkd.data.resident import Resident, eval_batch_at
from jaxkd.data.specs import Spec

RESIDENT_GIB = 4.0  # both splits are kept on the devices if their images are no larger
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


class _Subset(Examples):
  """Some examples of a whole split."""

  def __init__(self, whole: Examples, rows: np.ndarray):
    self._whole, self._rows = whole, rows
    self.shape, self.squashed, self.class_names = whole.shape, whole.squashed, whole.class_names
    self.labels = np.asarray(whole.labels)[rows]

  def __len__(self) -> int:
    return len(self._rows)

  def __getitem__(self, index: int) -> Example:
    return self._whole[int(self._rows[index])]


def take(split: Split, rows: np.ndarray) -> Split:
  """Returns the examples of a split with the numbers `rows`, `[M]`; arrays give arrays.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.find("digits"))
    >>> take(train, np.array([3, 1])).labels.shape
    (2,)
  """
  if isinstance(split, Arrays):
    return jax.tree.map(lambda field: field[rows], split)
  return _Subset(split, rows)


def holdout(split: Split, fraction: float, seed: int = 0) -> tuple[Split, Split]:
  """Divides a training split into the rest and a validation split, a share of it in (0, 1).

  Each class gives the same share of its examples, up to rounding; too few for both parts are a
  DataError. Both parts keep the order of the examples. The choice depends on the labels and the
  seed alone, so arrays and examples give the same parts.

  Examples:
    >>> from jaxkd import data
    >>> train, _ = data.load(data.SPECS["digits"])
    >>> train, validation = holdout(train, 0.2)
    >>> len(train.labels), len(validation.labels)
    (1149, 288)
  """
  # Slow to import, and most runs hold nothing out.
  from sklearn import model_selection

  labels = np.asarray(split.labels)
  options = {"test_size": fraction, "stratify": labels, "random_state": seed}
  with explained(DataError, f"a share of {fraction} can't be held out", ValueError):
    rows = model_selection.train_test_split(np.arange(len(labels)), **options)
  train, validation = map(np.sort, rows)
  return take(split, train), take(split, validation)


def train_loader(
  split: Split,
  batch_size: int,
  key: jax.Array,
  sharding: Sharding,
  workers: int | None = None,
  views: int = 0,
) -> Resident | streamed.Streamed:
  """Returns the loader of a training split: arrays on the devices, or examples.

  Both loaders have `max_steps(step)`, the number of steps that one source serves; `source(step)`,
  the argument of `batch_at`; and `close()`. Their arguments are those of `Streamed`; the key is on
  the devices. A batch that is larger than the split is a ValueError.
  """
  if isinstance(split, Arrays):
    return Resident(split, batch_size, key, views)
  return streamed.Streamed(split, batch_size, key, sharding, workers, views)


def eval_batches(
  split: Split, batch_size: int, sharding: Sharding, workers: int | None = None
) -> Iterator[EvalBatch]:
  """Yields the batches of an evaluation.

  They have one shape in all splits of a data set, so that a network is compiled once for them.
  Arguments are as for `train_loader`. An example that can't be read is a DataError.
  """
  if isinstance(split, Arrays):
    batch_at = jax.jit(eval_batch_at, static_argnums=2, out_shardings=sharding)
    for index in range(-(-size(split) // batch_size)):
      yield batch_at(split, np.int32(index), batch_size)
    return
  with contextlib.closing(streamed.evaluation(split, batch_size, sharding, workers)) as batches:
    yield from batches
