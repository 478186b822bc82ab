"""Writes a network's predictions of every training example under every view."""

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from jaxkd import data
from jaxkd.common.cluster import StopRequest
from jaxkd.common.console import progress, tell
from jaxkd.common.signals import Stopped
from jaxkd.data.base import Split
from jaxkd.training import compilation, sharding
from jaxkd.training.jobs import Dataset, Teacher
from jaxkd.training.loop import view_key
from jaxkd.training.predictions import CLEAN, Predictions
from jaxkd.training.step import as_images

Taken = Callable[[str, int, int], Any]
"""Returns arrays of the examples from a row to another one, of a part."""


class Views:
  """The images of a training split, part by part, as the training step makes them.

  Args:
    dataset: its training split is seen.
    batch_size: images in a batch; for equal bits that of the training.
    seed: of the views.
    augmentation: follows that of the data set.
    mesh: the devices.
    stop: once set, `Stopped` is raised before the next batch.
  """

  def __init__(
    self,
    dataset: Dataset,
    batch_size: int,
    seed: int,
    augmentation: data.Augmentation,
    mesh: jax.sharding.Mesh,
    stop: StopRequest,
  ):
    self._augmentation = augmentation
    self._dataset, self._batch_size, self._mesh, self._stop = dataset, batch_size, mesh, stop
    self.put = sharding.replicate(mesh)
    self._key = self.put(view_key(seed))
    self.labels = labels_of(dataset)

  def taken(self, take: Callable[[Any, jax.Array], Any], variables: Any) -> Taken:
    """Returns a function `(part, start, stop) -> arrays` of what `take(variables, pixels)` gives.

    All views share a compiled program.
    """

    @functools.partial(
      compilation.jit, static_argnums=0, out_shardings=sharding.replicated(self._mesh)
    )
    def run(augmented, variables, batch, key, start, view):
      images, _, mask, sizes = jax.lax.with_sharding_constraint(
        batch, sharding.split_batch(self._mesh)
      )
      spec = self._dataset.spec
      images = as_images(images, spec)
      if augmented:
        places = data.places_of(start, view, self._batch_size)
        pixels = data.augment_views(images, spec, key, places, sizes, self._augmentation)
      else:
        pixels = data.center_crop(images, spec, sizes)
      return take(variables, pixels), mask

    def rows(part: str, start: int, stop: int) -> Any:
      augmented = part != CLEAN
      view = np.int32(int(part.rpartition("-")[2]) if augmented else 0)
      found = []
      with progress(part, stop - start, delay=5) as bar:
        batches = self._batches(self._part(start, stop))
        for first, batch in zip(itertools.count(start, self._batch_size), batches, strict=False):
          if self._stop.is_set():
            raise Stopped("stopped while predicting; run the same command to resume")
          seen = run(augmented, variables, batch, self._key, np.int32(first), view)
          values, mask = jax.device_get(seen)
          found.append(jax.tree.map(lambda x, mask=mask: x[mask], values))
          bar.update(int(mask.sum()))
      return jax.tree.map(lambda *xs: np.concatenate(xs), *found)

    return rows

  def _part(self, start: int, stop: int) -> Split:
    train = self._dataset.train
    whole = stop - start == data.size(train)
    return train if whole else data.take(train, np.arange(start, stop))

  def _batches(self, split: Split) -> Any:
    batch = sharding.split_batch(self._mesh)
    return data.eval_batches(split, self._batch_size, batch, self._dataset.workers)


def labels_of(dataset: Dataset) -> np.ndarray:
  """Returns the labels of the training split, `[N]`, on the host."""
  labels = dataset.train.labels
  # Those on the devices of several processes have a copy on each device.
  return np.asarray(labels.addressable_data(0) if isinstance(labels, jax.Array) else labels)


def write(
  predictions: Predictions, teacher: Teacher, views: Views, batch_size: int, parts: Iterable[str]
) -> None:
  """Writes the parts that a folder lacks; interrupted, it goes on at the first missing shard.

  All processes compute, and the first one writes.
  """
  keep = bool(predictions.storage.features)
  # As in the training step, to the same bits.
  teacher = teacher.folded(views.put)

  def take(variables, pixels):
    outputs = teacher.network.apply(variables, pixels)
    return outputs.logits, outputs.features if keep else None

  rows = views.taken(take, teacher.variables)
  for part in parts:
    if sharding.agreed(predictions.has(part)):
      continue
    predictions.write_part(part, batch_size, functools.partial(rows, part), views.labels)
    if jax.process_index() == 0:
      tell(f"{part} of {predictions.path}: accuracy {predictions.facts(part)['accuracy']:.2%}")
  # The others read the last part only when it is written.
  sharding.agreed(True)
