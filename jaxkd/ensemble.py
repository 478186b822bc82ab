"""Several finished networks as one: the rows that end in `+ens`."""

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxkd import data, losses, sharding
from jaxkd.step import Evaluator
from jaxkd.store import Entry, StoreError, write_atomically
from jaxkd.train import Dataset, load_network


class Ensemble:
  """The mean of the probabilities of finished networks.

  Args:
    workdir: the store, which keeps the accuracy.
    entries: the places of the networks' phases.
  """

  def __init__(self, workdir: str | os.PathLike[str], entries: Sequence[Entry]):
    self._entries = entries
    phases = [entry.phase for entry in entries]
    identities = " ".join(phase.identity for phase in phases)
    digest = hashlib.sha256(identities.encode()).hexdigest()[:12]
    self.path = (
      pathlib.Path(workdir) / f"ensemble-{phases[0].name}-{digest}.json"
    )

  @property
  def complete(self) -> bool:
    """Whether all of the networks are trained."""
    return all(entry.finished for entry in self._entries)

  @property
  def accuracy(self) -> float:
    """What `evaluate` found.

    Raises:
      StoreError: it was not called, or the file can't be read.
    """
    try:
      return json.loads(self.path.read_text())["accuracy"]
    except (OSError, ValueError, KeyError) as error:
      raise StoreError(f"can't read {self.path}: {error}") from error

  def evaluate(self, dataset: Dataset, mesh: jax.sharding.Mesh) -> None:
    """Evaluates the networks together on the test split.

    Args:
      dataset: that of the phases.
      mesh: all devices.
    """
    networks, variables = zip(
      *(load_network(entry, dataset.spec, mesh) for entry in self._entries),
      strict=True,
    )
    evaluator = Evaluator(
      networks[0],
      dataset.spec,
      self._entries[0].phase.data["batch_size"],
      mesh,
      teachers=networks[1:],
    )

    def correct(variables, source, index):
      outputs, labels, mask = evaluator.outputs(variables, source, index)
      probs = jnp.stack([losses.softmax(output.logits) for output in outputs])
      right = jnp.argmax(jnp.mean(probs, axis=0), axis=-1) == labels
      return jnp.sum(right & mask)

    count = jax.jit(correct)
    counts = [
      count(variables, source, index)
      for source, index in data.eval_batches(
        dataset.test,
        evaluator.batch_size,
        sharding.split_batch(mesh),
        dataset.workers,
      )
    ]
    if jax.process_index() == 0:
      accuracy = sum(map(int, counts)) / data.size(dataset.test)
      write_atomically(self.path, json.dumps({"accuracy": accuracy}) + "\n")
