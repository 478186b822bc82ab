"""Trains one phase: data -> step -> metrics -> checkpoint."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax import nnx

from jaxkd import convert, data, losses, methods, objectives, optim, sharding
from jaxkd.checkpoint import Checkpoints
from jaxkd.metrics import Progress, Writer
from jaxkd.objectives import Objective
from jaxkd.signals import Stopped, stop_requested
from jaxkd.step import (
  Evaluator,
  Functional,
  Pulse,
  Trainer,
  Variables,
  functional,
)
from jaxkd.store import Entry, Phase


class NonFiniteError(Exception):
  """The loss is no longer a number; the message is one line.

  Attributes:
    entry: the place of the phase.
  """

  def __init__(self, message: str, entry: Entry):
    super().__init__(message)
    self.entry = entry


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set, resident on the devices or to be streamed.

  Attributes:
    spec: what it is.
    train: the training split.
    test: the split that is evaluated.
  """

  spec: data.Spec
  train: data.Arrays | data.Examples
  test: data.Arrays | data.Examples


def train(
  entry: Entry,
  teachers: tuple[Entry, ...],
  dataset: Dataset,
  weights: str,
  run: ml_collections.ConfigDict,
  mesh: jax.sharding.Mesh,
  label: str,
) -> None:
  """Trains a phase from its newest checkpoint on, and writes its result.

  Args:
    entry: the phase's place in the store.
    teachers: the places of its teachers, finished.
    dataset: the data set of the phase.
    weights: file of the weights to start from; empty to start at random.
    run: `config.run`: how often to evaluate and so on; the result does not
      depend on it.
    mesh: all devices.
    label: what to call the phase in progress lines.

  Raises:
    NonFiniteError: the loss or the gradient was not finite.
    CheckpointError: a checkpoint can't be written or read.
    Stopped: a signal asked for it; what was trained is saved.
  """
  phase = entry.phase
  batch_size, size = phase.data["batch_size"], data.size(dataset.train)
  total = max(round(phase.optim["epochs"] * size / batch_size), 1)
  rate = optim.schedule(phase.optim, total)
  put = sharding.replicate(mesh)
  order_key, step_key = put(jax.random.split(jax.random.key(phase.seed)))

  objective = objectives.objective(phase.loss)
  model = methods.network(phase, dataset.spec)
  if weights:
    nnx.update(model, *convert.from_torch(model, convert.read(weights)))
  student, variables = functional(model)
  loaded = [load_network(teacher, dataset.spec, mesh) for teacher in teachers]
  networks = tuple(network for network, _ in loaded)
  teacher_variables = tuple(variables for _, variables in loaded)
  evaluator = Evaluator(
    student, dataset.spec, batch_size, mesh, networks, objective.predict
  )
  adapter, adapter_variables = _adapter(
    objective, phase, evaluator, (variables, *teacher_variables)
  )
  trainer = Trainer(
    student=student,
    teachers=networks,
    adapter=adapter,
    objective=objective,
    optimizer=optim.optimizer(phase.optim, rate),
    spec=dataset.spec,
    batch_size=batch_size,
    total_steps=total,
    mesh=mesh,
  )
  constants = _prepare(
    objective, evaluator, (variables, *teacher_variables), dataset
  )
  state = put(
    trainer.init(variables, teacher_variables, adapter_variables, constants)
  )
  train_steps = jax.jit(trainer.train_steps, donate_argnums=0)
  evaluate = _evaluation(evaluator, teacher_variables)

  with (
    contextlib.closing(
      Checkpoints(entry.checkpoints, run.keep_checkpoints)
    ) as checkpoints,
    contextlib.closing(
      data.train_loader(
        dataset.train, batch_size, order_key, sharding.split_batch(mesh)
      )
    ) as loader,
    stop_requested() as stop,
  ):
    if checkpoints.latest_step is not None:
      state = checkpoints.restore(state)
    step = int(state.step)
    writer = Writer(entry, step, variables.params)
    progress = Progress(label, step, total, batch_size)
    stride = run.steps_per_dispatch or _steps_per_dispatch()
    report_every = run.eval_every_epochs * size / batch_size
    pulse = None

    while step < total:
      report_at = _next_multiple(report_every, step, total)
      save_at = _next_multiple(run.checkpoint_every_steps, step, total)
      end = min(
        report_at, save_at, step + stride, step + loader.max_steps(step)
      )
      state, next_pulse = train_steps(
        state,
        teacher_variables,
        step_key,
        loader.source(step),
        None if stride == 1 else np.int32(end - step),
      )
      # The devices are kept busy: only the dispatch before is waited for.
      if pulse is not None:
        _check_finite(pulse, entry, checkpoints)
        progress.update(step, float(pulse.loss))
      pulse, step = next_pulse, end
      stopping = stop.is_set()
      if not (step in (report_at, save_at) or stopping):
        continue

      _check_finite(pulse, entry, checkpoints)
      if step == report_at:
        scalars = {
          "epoch": step * batch_size / size,
          "learning_rate": float(rate(step - 1)),
          "images_per_second": progress.pause(step),
        }
        for name, value in state.sums.items():
          scalars[f"train_{name}"] = float(value / state.steps_summed)
        tested = evaluate(state.variables, dataset.test)
        for name in ("loss", "accuracy"):
          scalars[f"test_{name}"] = tested[name]
        writer.write(step, scalars)
        progress.note(
          f"step {step}/{total}: train loss {scalars['train_loss']:.4f}, "
          f"test accuracy {scalars['test_accuracy']:.2%}"
        )
        state = state.reset()
      if step == save_at or stopping:
        checkpoints.save(state)
      progress.resume()
      if stopping and step < total:
        checkpoints.wait()
        raise Stopped(
          f"stopped at step {step} of {total} of {entry.path}; the same "
          "command goes on from there"
        )

    checkpoints.wait()
    result = {
      "steps": total,
      "parameters": sum(
        leaf.size for leaf in jax.tree.leaves(state.variables.params)
      ),
      "temperatures": list(losses.ISATS_GRID),
      "train": evaluate(state.variables, dataset.train),
      "test": evaluate(state.variables, dataset.test),
    }
    if jax.process_index() == 0:
      entry.finish(result)
    if stop.is_set():
      raise Stopped(f"stopped after {entry.path}; the same command goes on")


def load_network(
  entry: Entry, spec: data.Spec, mesh: jax.sharding.Mesh
) -> tuple[Functional, Variables]:
  """Returns a finished phase's network, on all devices.

  Raises:
    CheckpointError: it can't be read.
  """
  network, variables = functional(methods.network(entry.phase, spec))
  with contextlib.closing(
    Checkpoints(entry.checkpoints, keep=None)
  ) as checkpoints:
    variables = sharding.replicate(mesh)(variables)
    return network, checkpoints.restore_network(variables)


def _evaluation(
  evaluator: Evaluator, teachers: tuple[Variables, ...]
) -> Callable[[Variables, data.Arrays | data.Examples], dict[str, Any]]:
  """Returns a function that evaluates the network on a split."""
  batch_sums = jax.jit(
    evaluator.sums, out_shardings=sharding.replicated(evaluator.mesh)
  )

  def evaluate(variables, split):
    batches = [
      batch_sums((variables, *teachers), source, index)
      for source, index in data.eval_batches(
        split, evaluator.batch_size, sharding.split_batch(evaluator.mesh)
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
    for network, arrays in zip(
      (evaluator.network, *evaluator.teachers), variables, strict=True
    )
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
  mesh = evaluator.mesh

  def logits(variables, source, index):
    (_, *teachers), labels, mask = evaluator.outputs(variables, source, index)
    return [teacher.logits for teacher in teachers], labels, mask

  run = jax.jit(logits, out_shardings=sharding.replicated(mesh))
  batches = [
    jax.tree.map(np.asarray, run(variables, source, index))
    for source, index in data.eval_batches(
      dataset.train, evaluator.batch_size, sharding.split_batch(mesh)
    )
  ]
  all_logits, labels, mask = jax.tree.map(
    lambda *parts: np.concatenate(parts), *batches
  )
  return objective.prepare(
    [jnp.asarray(logits[mask]) for logits in all_logits],
    jnp.asarray(labels[mask]),
    evaluator.spec.num_classes,
  )


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


def _check_finite(pulse: Pulse, entry: Entry, checkpoints: Checkpoints) -> None:
  if (bad_step := int(pulse.bad_step)) >= 0:
    checkpoints.wait()
    good = checkpoints.latest_step
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
