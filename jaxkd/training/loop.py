"""Trains phases: data -> step -> metrics -> checkpoint."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax import nnx

from jaxkd import data, losses
from jaxkd.common.errors import UserError
from jaxkd.common.signals import Stopped, stop_requested
from jaxkd.methods import objectives
from jaxkd.methods.objectives import Objective
from jaxkd.models import weights as weight_files
from jaxkd.runs import rows
from jaxkd.runs.store import Phase, PhaseFolder
from jaxkd.training import optim, sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.progress import Progress, Writer
from jaxkd.training.step import (
  Evaluator,
  Functional,
  Keys,
  Learner,
  Pulse,
  Trainer,
  TrainState,
  Variables,
  functional,
)


class NonFiniteError(UserError):
  """The loss is no longer a number; the message is one line.

  Attributes:
    entry: the place of the phase.
  """

  def __init__(self, message: str, entry: PhaseFolder):
    super().__init__(message)
    self.entry = entry


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set, resident on the devices or to be streamed.

  Attributes:
    spec: what it is.
    train: the training split.
    test: the split that is evaluated.
    workers: of the streamed loader.
  """

  spec: data.Spec
  train: data.Arrays | data.Examples
  test: data.Arrays | data.Examples
  workers: int | None = None


def train(
  entries: Sequence[PhaseFolder],
  teachers: Sequence[PhaseFolder],
  dataset: Dataset,
  weights: Sequence[str],
  step: int,
  run: ml_collections.ConfigDict,
  mesh: jax.sharding.Mesh,
  number: str,
) -> None:
  """Trains phases together, from their checkpoints on, and writes results.

  Args:
    entries: the phases' places in the store; they share teachers, data, order
      of the examples and number of epochs.
    teachers: the places of their teachers, finished.
    dataset: the data set of the phases.
    weights: of each phase, the file of weights to start from; empty to start at
      random.
    step: what to go on from: 0, or a step of which all have a checkpoint.
    run: `config.run`: how often to evaluate and so on; no result depends on it.
    mesh: all devices.
    number: where the phases are in the queue, for progress lines.

  Raises:
    NonFiniteError: the loss or the gradient was not finite.
    CheckpointError: a checkpoint can't be written or read.
    Stopped: a signal asked for it; what was trained is saved.
  """
  shared = entries[0].phase
  batch_size, size = shared.data["batch_size"], data.size(dataset.train)
  total = max(round(shared.optim["epochs"] * size / batch_size), 1)
  put = sharding.replicate(mesh)
  loaded = [load_network(teacher, dataset.spec, mesh) for teacher in teachers]
  networks = tuple(network for network, _ in loaded)
  teacher_variables = tuple(variables for _, variables in loaded)
  students, starts = zip(
    *(
      _student(entry, file, dataset, total, networks, teacher_variables, mesh)
      for entry, file in zip(entries, weights, strict=True)
    ),
    strict=True,
  )
  trainer = Trainer(
    learners=tuple(student.learner for student in students),
    teachers=networks,
    spec=dataset.spec,
    batch_size=batch_size,
    total_steps=total,
    mesh=mesh,
  )
  states = put(trainer.init(starts, teacher_variables))
  train_steps = jax.jit(trainer.train_steps, donate_argnums=0)
  order_key, augment_key = put(_run_keys(shared.data_seed))
  dropout_keys = put(tuple(_run_keys(entry.phase.seed)[1] for entry in entries))

  with contextlib.ExitStack() as stack:
    checkpoints = [
      stack.enter_context(contextlib.closing(Checkpoints(entry.checkpoints, run.keep_checkpoints)))
      for entry in entries
    ]
    if step:
      states = tuple(
        own.restore(state, step) for own, state in zip(checkpoints, states, strict=True)
      )
    writers = [
      stack.enter_context(contextlib.closing(Writer(entry, step, state.variables.params)))
      for entry, state in zip(entries, states, strict=True)
    ]
    loader = stack.enter_context(
      contextlib.closing(
        data.train_loader(
          dataset.train,
          batch_size,
          order_key,
          sharding.split_batch(mesh),
          dataset.workers,
        )
      )
    )
    stop = stack.enter_context(stop_requested())
    label = f"[{number} {shared.name}{_and_more(entries)}]"
    progress = Progress(label, step, total, batch_size)
    stride = run.steps_per_dispatch or _steps_per_dispatch()
    report_every = run.eval_every_epochs * size / batch_size
    pulse = None

    while step < total:
      report_at = _next_multiple(report_every, step, total)
      save_at = _next_multiple(run.checkpoint_every_steps, step, total)
      end = min(report_at, save_at, step + stride, step + loader.max_steps(step))
      states, next_pulse = train_steps(
        states,
        teacher_variables,
        Keys(augment_key, dropout_keys),
        loader.source(step),
        None if stride == 1 else np.int32(end - step),
      )
      # The devices are kept busy: only the dispatch before is waited for.
      if pulse is not None:
        _check_finite(pulse, entries, checkpoints)
        progress.update(step, float(pulse.loss))
      pulse, step = next_pulse, end
      stopping = stop.is_set()
      if not (step in (report_at, save_at) or stopping):
        continue

      _check_finite(pulse, entries, checkpoints)
      if step == report_at:
        run_scalars = {
          "epoch": step * batch_size / size,
          "images_per_second": progress.pause(step),
        }
        for student, state, writer in zip(students, states, writers, strict=True):
          scalars = run_scalars | _scalars(student, state, dataset.test)
          writer.write(step, scalars)
          name = f"{student.entry.path.name}, " if len(students) > 1 else ""
          progress.note(
            f"{name}step {step}/{total}: train loss "
            f"{scalars['train_loss']:.4f}, {shared.split} accuracy "
            f"{scalars['test_accuracy']:.2%}"
          )
        states = tuple(state.reset() for state in states)
      if step == save_at or stopping:
        for own, state in zip(checkpoints, states, strict=True):
          own.save(state)
      progress.resume()
      if stopping and step < total:
        for own in checkpoints:
          own.wait()
        raise Stopped(
          f"stopped at step {step} of {total} of {entries[0].path}"
          f"{_and_more(entries)}; the same command goes on from there"
        )

    for own, student, state in zip(checkpoints, students, states, strict=True):
      own.wait()
      result = {
        "steps": total,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.variables.params)),
        "temperatures": list(losses.ISATS_GRID),
        "train": student.evaluate(state.variables, dataset.train),
        "test": student.evaluate(state.variables, dataset.test),
      }
      if jax.process_index() == 0:
        student.entry.finish(result)
    if stop.is_set():
      raise Stopped(
        f"stopped after {entries[0].path}{_and_more(entries)}; the same command goes on"
      )


@dataclasses.dataclass(frozen=True)
class _Student:
  """What one of the students that train together has of its own.

  Attributes:
    entry: its place in the store.
    learner: its part of the step.
    rate: learning rate at a step.
    evaluate: `(variables, split) -> means` of what is reported.
  """

  entry: PhaseFolder
  learner: Learner
  rate: optax.Schedule
  evaluate: Callable[[Variables, data.Arrays | data.Examples], dict[str, Any]]


def _student(
  entry: PhaseFolder,
  weights: str,
  dataset: Dataset,
  total: int,
  networks: tuple[Functional, ...],
  teachers: tuple[Variables, ...],
  mesh: jax.sharding.Mesh,
) -> tuple[_Student, TrainState]:
  """Makes a phase's student and its state before the first step.

  Args:
    entry: the place of the phase.
    weights: file of the weights to start from; empty to start at random.
    dataset: that of the phase.
    total: number of steps.
    networks: the teachers.
    teachers: their variables.
    mesh: all devices.
  """
  phase, spec = entry.phase, dataset.spec
  objective = objectives.objective(phase.loss)
  model = rows.network(phase, spec)
  if weights:
    nnx.update(model, *weight_files.from_torch(model, weight_files.read(weights)))
  network, variables = functional(model)
  evaluator = Evaluator(network, spec, phase.data["batch_size"], mesh, networks, objective.predict)
  everyone = variables, *teachers
  adapter, adapter_variables = _adapter(objective, phase, evaluator, everyone)
  constants = _prepare(objective, evaluator, everyone, dataset)
  rate = optim.schedule(phase.optim, total)
  learner = Learner(network, adapter, objective, optim.optimizer(phase.optim, rate))
  return (
    _Student(
      entry,
      learner,
      rate,
      _evaluation(evaluator, teachers, dataset.workers),
    ),
    learner.init(variables, adapter_variables, constants),
  )


def _run_keys(seed: int) -> jax.Array:
  """Returns the keys of a run: of the order, of what a step draws."""
  return jax.random.split(jax.random.key(seed))


def _scalars(
  student: _Student, state: TrainState, test: data.Arrays | data.Examples
) -> dict[str, float]:
  """Returns what is logged of a student since the last report."""
  scalars = {"learning_rate": float(student.rate(int(state.step) - 1))}
  for name, value in state.sums.items():
    scalars[f"train_{name}"] = float(value / state.steps_summed)
  tested = student.evaluate(state.variables, test)
  for name in ("loss", "accuracy"):
    scalars[f"test_{name}"] = tested[name]
  return scalars


def _and_more(entries: Sequence[PhaseFolder]) -> str:
  return f" and {len(entries) - 1} more" if len(entries) > 1 else ""


def load_network(
  entry: PhaseFolder,
  spec: data.Spec,
  mesh: jax.sharding.Mesh,
  step: int | None = None,
) -> tuple[Functional, Variables]:
  """Returns a phase's network, on all devices.

  Args:
    entry: the phase's place.
    spec: of its data set.
    mesh: all devices.
    step: of the checkpoint; by default the last of a finished phase, the newest
      of another.

  Raises:
    CheckpointError: there is none of that step, or it can't be read.
  """
  network, variables = functional(rows.network(entry.phase, spec))
  with contextlib.closing(Checkpoints(entry.checkpoints, keep=None)) as checkpoints:
    variables = sharding.replicate(mesh)(variables)
    if step is None and entry.finished:
      step = entry.result()["steps"]
    return network, checkpoints.restore_network(variables, step)


def _evaluation(
  evaluator: Evaluator, teachers: tuple[Variables, ...], workers: int | None
) -> Callable[[Variables, data.Arrays | data.Examples], dict[str, Any]]:
  """Returns a function that evaluates the network on a split."""
  batch_sums = jax.jit(evaluator.sums, out_shardings=sharding.replicated(evaluator.mesh))

  def evaluate(variables, split):
    batches = [
      batch_sums((variables, *teachers), source, index)
      for source, index in data.eval_batches(
        split,
        evaluator.batch_size,
        sharding.split_batch(evaluator.mesh),
        workers,
      )
    ]
    size = data.size(split)
    return {
      name: (np.sum([batch[name] for batch in batches], axis=0) / size).tolist()
      for name in batches[0]
    }

  return evaluate


def _adapter(
  objective: Objective,
  phase: Phase,
  evaluator: Evaluator,
  variables: tuple[Variables, ...],
) -> tuple[Functional | None, Variables]:
  """Makes the objective's adapter, if it has one, for the networks' shapes."""
  if objective.adapter is None:
    return None, Variables(nnx.State({}), nnx.State({}))
  spec = evaluator.spec
  shape = (1, spec.image_size, spec.image_size, spec.channels)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  student, *teachers = (
    jax.eval_shape(network.apply, arrays, images)
    for network, arrays in zip((evaluator.network, *evaluator.teachers), variables, strict=True)
  )
  rngs = nnx.Rngs(jax.random.fold_in(jax.random.key(phase.seed), 1))
  return functional(objective.adapter(student, tuple(teachers), rngs))


def _prepare(
  objective: Objective,
  evaluator: Evaluator,
  variables: tuple[Variables, ...],
  dataset: Dataset,
) -> Any:
  """Returns the objective's constants: one pass over the training split."""
  if objective.prepare is None:
    return ()
  prepare, mesh = objective.prepare, evaluator.mesh

  def constants(variables, source, index):
    (_, *teachers), labels, mask = evaluator.outputs(variables, source, index)
    logits = [teacher.logits for teacher in teachers]
    return prepare(logits, labels, mask, dataset.spec.num_classes)

  run = jax.jit(constants, out_shardings=sharding.replicated(mesh))
  # On the host: several programs at work at once have deadlocked on CPUs.
  batches = (
    jax.device_get(run(variables, source, index))
    for source, index in data.eval_batches(
      dataset.train,
      evaluator.batch_size,
      sharding.split_batch(mesh),
      dataset.workers,
    )
  )
  return functools.reduce(lambda total, batch: jax.tree.map(np.add, total, batch), batches)


def _steps_per_dispatch() -> int:
  """Returns 1 where XLA runs loops of convolutions slowly: on CPUs."""
  return 1 if jax.default_backend() == "cpu" else 50


def _next_multiple(interval: float, step: int, total: int) -> int:
  """Returns the first rounded multiple after `step`, at most `total`."""
  interval = max(interval, 1)
  count = int(step / interval)
  while round(count * interval) <= step:
    count += 1
  return min(round(count * interval), total)


def _check_finite(
  pulse: Pulse,
  entries: Sequence[PhaseFolder],
  checkpoints: Sequence[Checkpoints],
) -> None:
  bad_steps = pulse.bad_steps.tolist()
  for bad_step, entry, own in zip(bad_steps, entries, checkpoints, strict=True):
    if bad_step >= 0:
      own.wait()
      good = own.latest_step
      raise NonFiniteError(
        f"the loss or its gradient was not finite at step {bad_step} of "
        f"{entry.path}; "
        + (
          f"the last good checkpoint is {entry.checkpoints / str(good)}"
          if good is not None
          else "no checkpoint had been written"
        )
        + "; a lower learning rate may help",
        entry,
      )
