"""Several finished networks as one: the rows that end in `+ens`."""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from jaxkd import data, losses
from jaxkd.common.files import write_atomically
from jaxkd.methods import objectives
from jaxkd.runs.store import Phase, PhaseFolder, StoreError
from jaxkd.training import sharding
from jaxkd.training.loop import Dataset, load_network
from jaxkd.training.step import Evaluator


class Ensemble:
  """The mean of the probabilities that finished phases predict.

  Args:
    workdir: the store, which keeps the accuracy.
    phases: the phases.
    entries: the places of these and their teachers.
  """

  def __init__(
    self,
    workdir: str | os.PathLike[str],
    phases: Sequence[Phase],
    entries: Mapping[Phase, PhaseFolder],
  ):
    self._phases, self._entries = phases, entries
    identities = " ".join(phase.identity for phase in phases)
    digest = hashlib.sha256(identities.encode()).hexdigest()[:12]
    self.path = pathlib.Path(workdir) / f"ensemble-{phases[0].name}-{digest}.json"

  @property
  def complete(self) -> bool:
    """Whether all of the networks are trained."""
    return all(self._entries[phase].finished for phase in self._phases)

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
    """Evaluates the phases together on the test split.

    Args:
      dataset: that of the phases.
      mesh: all devices.
    """
    predicts = [objectives.objective(phase.loss).predict for phase in self._phases]
    # Where a phase predicts with its teachers, these too.
    needed = dict.fromkeys(self._phases)
    for phase, predict in zip(self._phases, predicts, strict=True):
      if predict is not objectives.own_logits:
        needed |= dict.fromkeys(phase.teachers)
    networks, variables = zip(
      *(load_network(self._entries[phase], dataset.spec, mesh) for phase in needed),
      strict=True,
    )
    evaluator = Evaluator(
      networks[0],
      dataset.spec,
      self._phases[0].data["batch_size"],
      mesh,
      teachers=networks[1:],
    )

    def correct(variables, source, index):
      outputs, labels, mask = evaluator.outputs(variables, source, index)
      of = dict(zip(needed, outputs, strict=True))
      logits = [
        predict(of[phase], tuple(of[t] for t in phase.teachers if t in of))
        for phase, predict in zip(self._phases, predicts, strict=True)
      ]
      probs = jnp.stack([losses.softmax(each) for each in logits])
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
