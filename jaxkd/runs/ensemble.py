"""Ensembles of finished networks, for the rows that end in `+ens`."""

import hashlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.common.buckets import AnyPath
from jaxkd.common.console import tell
from jaxkd.common.files import DamagedError, exists, read_json, write_json
from jaxkd.models import Outputs
from jaxkd.runs import planning, teachers
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import evaluation
from jaxkd.training.jobs import Dataset
from jaxkd.training.step import Evaluator


class Ensemble:
  """The mean of the probabilities that finished phases predict; the store keeps its accuracy."""

  def __init__(self, workdir: AnyPath, phases: Sequence[Phase]):
    self._workdir, self._phases = workdir, phases
    identities = " ".join(phase.identity for phase in phases).encode()
    digest = hashlib.sha256(identities).hexdigest()[:12]
    self.path = workdir / f"ensemble-{phases[0].name}-{digest}.json"

  @property
  def complete(self) -> bool:
    """Whether all of the networks are trained."""
    return all(PhaseFolder.of(self._workdir, phase).finished for phase in self._phases)

  @property
  def accuracy(self) -> float:
    """Accuracy on the evaluated split, as `evaluate` found it."""
    return read_json(self.path, "the command that wrote it writes it again")["accuracy"]

  @property
  def evaluated(self) -> bool:
    """Whether the store has the accuracy; it says if the file is damaged."""
    try:
      return exists(self.path) and bool(read_json(self.path, "it is evaluated again"))
    except DamagedError as error:
      tell(f"jaxkd: {error}")
      return False

  def evaluate(self, dataset: Dataset, mesh: jax.sharding.Mesh) -> None:
    """Evaluates the phases together and writes their accuracy."""
    objectives = [planning.objective_of(phase) for phase in self._phases]
    # A phase that predicts with its teachers needs their outputs, too.
    needed = dict.fromkeys(self._phases)
    for phase, objective in zip(self._phases, objectives, strict=True):
      if objective.predicts_with_teachers:
        needed |= dict.fromkeys(phase.teachers)
    folders = [PhaseFolder.of(self._workdir, phase) for phase in needed]
    first, *others = loaded = [teachers.load(folder, dataset, mesh) for folder in folders]
    frozen = tuple(teacher.network for teacher in others)
    batch_size = self._phases[0].data["batch_size"]
    evaluator = Evaluator(first.network.network, dataset.spec, batch_size, mesh, frozen)

    def right(outputs: tuple[Outputs, ...], labels: jax.Array) -> jax.Array:
      of = dict(zip(needed, outputs, strict=True))
      logits = [
        objective.predict(of[phase], tuple(of[t] for t in phase.teachers if t in of))
        for phase, objective in zip(self._phases, objectives, strict=True)
      ]
      probs = jnp.stack([losses.softmax(each) for each in logits])
      return jnp.argmax(jnp.mean(probs, axis=0), axis=-1) == labels

    variables = tuple(teacher.variables for teacher in loaded)
    found = evaluation.collect(evaluator, variables, dataset.evaluated, right, dataset.workers)
    if jax.process_index() == 0:
      write_json(self.path, {"accuracy": float(found.mean())})
