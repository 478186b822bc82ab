"""The training loop: data -> step -> metrics -> checkpoints."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxkd import data, losses
from jaxkd.common.backend import backend
from jaxkd.common.cluster import StopRequest
from jaxkd.common.console import tell
from jaxkd.common.errors import UserError
from jaxkd.common.signals import Stopped
from jaxkd.methods import Method
from jaxkd.methods.base import make_module
from jaxkd.training import compilation, evaluation, optim, sharding
from jaxkd.training.checkpoint import CheckpointError, Checkpoints
from jaxkd.training.classes import Evaluation
from jaxkd.training.feed import Feed
from jaxkd.training.jobs import GIVEN, Job, Student, Teacher
from jaxkd.training.progress import Progress
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
from jaxkd.training.writer import Writer

LOOP_STEPS = 50
"""Steps in one call of the device, where it runs a loop of them."""


class NonFiniteError(UserError):
  """The loss or the gradient of a student was not finite; `student` is its position in the job."""

  def __init__(self, message: str, student: int = 0):
    super().__init__(message)
    self.student = student


def train(job: Job, stop: StopRequest) -> list[dict[str, Any]]:
  """Trains a job's students together, from a checkpoint on, and evaluates them.

  Given weights are evaluated before the first step, too; a job without steps does only that. Once
  `stop` is set, the students are saved and the training ends. The result of each has `steps`,
  `parameters`, `temperatures`, `class_names`, and for 'train' and the evaluated split the means of
  `Evaluator.measure`; its folder gets the file of `classes.Evaluation`.

  Raises:
    NonFiniteError: the loss or the gradient of a student was not finite.
    CheckpointError: a checkpoint can't be written or read.
    Stopped: `stop` was set before the last step.
  """
  put = sharding.replicate(job.mesh)
  order_key, augment_key = put(_run_keys(job.data_seed))
  if job.views:
    augment_key = put(view_key(job.view_seed))
  # Students that reuse a teacher's layers have those of the network as it was trained.
  taught = (each.folded(put) if isinstance(each, Teacher) else each for each in job.teachers)
  job = dataclasses.replace(job, teachers=tuple(taught))
  feed = Feed(job, order_key)
  teachers = feed.shapes
  trainees = [_Trainee.of(student, job, feed) for student in job.students]
  trainer = Trainer(
    learners=tuple(trainee.learner for trainee in trainees),
    teachers=tuple(teacher.network for teacher in job.teachers),
    spec=job.dataset.spec,
    batch_size=job.batch_size,
    total_steps=job.schedule_steps,
    mesh=job.mesh,
    augmentation=job.augmentation,
    views=job.views,
  )
  states = put(trainer.init(tuple(trainee.start for trainee in trainees), teachers))
  deterministic = job.run.deterministic
  train_steps = compilation.jit(trainer.train_steps, deterministic=deterministic, donate_argnums=0)
  dropout_keys = put(tuple(_run_keys(student.seed)[1] for student in job.students))
  keys = Keys(augment_key, dropout_keys)

  with contextlib.ExitStack() as stack:

    def closing(resource):
      return stack.enter_context(contextlib.closing(resource))

    checkpoints = [
      closing(Checkpoints(student.folder / "checkpoints", job.run.keep_checkpoints))
      for student in job.students
    ]
    total = job.total_steps
    step, states = _resumed(checkpoints, states, job.steps)
    for own in checkpoints:
      own.forget_after(step)
    writers = [
      closing(Writer(student.folder, step, state.variables.weights))
      for student, state in zip(job.students, states, strict=True)
    ]
    batch_sharding = sharding.split_batch(job.mesh)
    loader = closing(
      data.train_loader(
        job.dataset.train, job.batch_size, order_key, batch_sharding, job.dataset.workers, job.views
      )
    )
    closing(feed)
    images = job.batch_size * len(job.students)
    progress = Progress(job.label, step, total, images, job.rest)
    computed = [each.variables for each in job.teachers if isinstance(each, Teacher)]
    stride = job.run.steps_per_dispatch or usual_steps_per_dispatch((states, computed))
    pulse = None

    for index, (trainee, state) in enumerate(zip(trainees, states, strict=True)):
      if step or not trainee.student.given:
        continue
      scalars = trainee.evaluated(state)
      if not (total or np.isfinite(scalars[f"{job.dataset.split}_loss"])):
        folder = trainee.student.folder
        raise NonFiniteError(f"the loss of the weights given to {folder} is not finite", index)
      writers[index].write(0, {"epoch": 0.0, **scalars})
      progress.note(_summary(trainee, writers[index].lines, job))
      if not total:
        checkpoints[index].save(state)

    while step < total:
      report_at = next_multiple(job.run.eval_every_epochs * job.steps_per_epoch, step, total)
      save_at = next_multiple(job.run.checkpoint_every_steps, step, total)
      longest = min(stride, loader.max_steps(step), feed.max_steps(step))
      end = min(report_at, save_at, step + longest)
      num_steps = None if stride == 1 else np.int32(end - step)
      states, next_pulse = train_steps(states, feed.at(step), keys, loader.source(step), num_steps)
      # Waits for the previous dispatch only, so that the devices stay busy.
      if pulse is not None:
        _check_finite(pulse, job, checkpoints)
        progress.update(step, float(pulse.loss))
      pulse, step = next_pulse, end
      stopping = stop.is_set()
      if not (step in (report_at, save_at) or stopping):
        continue

      _check_finite(pulse, job, checkpoints)
      if step == report_at:
        shared = {"epoch": step / job.steps_per_epoch}
        if (speed := progress.pause(step)) is not None:
          shared["images_per_second"] = speed
        for trainee, state, writer in zip(trainees, states, writers, strict=True):
          writer.write(step, shared | trainee.scalars(state))
          progress.note(_summary(trainee, writer.lines, job))
        states = tuple(state.reset() for state in states)
      if step == save_at or stopping:
        for own, state in zip(checkpoints, states, strict=True):
          own.save(state)
      progress.resume()
      if stopping and step < total:
        for own in checkpoints:
          own.wait()
        names = ", ".join(str(student.folder) for student in job.students)
        at = f"stopped at step {step} of {total} of {names}"
        raise Stopped(f"{at}; run the same command to resume")

    for own in checkpoints:
      own.wait()
    finished = zip(trainees, states, writers, strict=True)
    return [trainee.result(state, writer) for trainee, state, writer in finished]


def _resumed(
  checkpoints: Sequence[Checkpoints], states: tuple[TrainState, ...], steps: Sequence[int]
) -> tuple[int, tuple[TrainState, ...]]:
  """Returns the newest of the steps at which all checkpoints are sound, with its states.

  It says which checkpoints are damaged. If all are, it is a CheckpointError: the disk may be at
  fault, and a start from 0 would delete them.
  """
  errors: list[CheckpointError] = []
  for step in sorted(set(steps) - {0}, reverse=True):
    try:
      pairs = zip(checkpoints, states, strict=True)
      restored, error = tuple(own.restore(state, step) for own, state in pairs), None
    except CheckpointError as caught:
      restored, error = (), caught
    # All processes resume from one step.
    if sharding.agreed(not error):
      if error:
        raise error
      for each in errors:
        tell(f"jaxkd: {each}; resumes at step {step}")
      return step, restored
    errors.append(error or CheckpointError(f"the first process can't read step {step}"))
  if errors:
    raise CheckpointError(f"{errors[0]}; move the folder of its phase away to train it again")
  return 0, states


@dataclasses.dataclass(frozen=True)
class _Trainee:
  """A student in a job, ready to train from the state `start`."""

  student: Student
  learner: Learner
  start: TrainState
  rate: optax.Schedule
  evaluate: Callable[[Variables, evaluation.Split], evaluation.Measured]
  job: Job

  @classmethod
  def of(cls, student: Student, job: Job, feed: Feed) -> "_Trainee":
    """Makes the network, the objective's module and constants, and the optimiser."""
    network, variables = functional(student.model)
    evaluator = Evaluator(
      network,
      job.dataset.spec,
      job.batch_size,
      job.mesh,
      tuple(teacher.network for teacher in job.teachers),
      student.objective,
    )
    adapter, adapter_variables = make_adapter(
      student.objective, student.seed, evaluator, (variables, *feed.shapes), student.create
    )
    rate = optim.schedule(student.schedule, job.schedule_steps)
    optimizer = optim.optimizer(student.schedule, rate)
    own = {key: student.schedule[key] for key in optim.STEP if key in student.schedule}
    learner = Learner(network, adapter, student.objective, optimizer, **own)
    workers = job.dataset.workers
    constants = evaluation.constants(evaluator, variables, feed.clean, job.dataset.train, workers)
    # Predictions of training images are none of the images that are evaluated.
    taught = [teacher for teacher in job.teachers if isinstance(teacher, Teacher)]
    evaluator = dataclasses.replace(
      evaluator, teachers=tuple(teacher.network for teacher in taught)
    )
    teachers = tuple(teacher.variables for teacher in taught)
    return cls(
      student,
      learner,
      learner.init(variables, adapter_variables, constants),
      rate,
      evaluation.measuring(evaluator, teachers, workers),
      job,
    )

  def scalars(self, state: TrainState) -> dict[str, float]:
    """Returns the scalars to log since the last report."""
    scalars = {"learning_rate": float(self.rate(int(state.step) - 1))}
    for name, value in state.sums.items():
      scalars[f"train_{name}"] = float(value / state.steps_summed)
    return scalars | self.evaluated(state)

  def evaluated(self, state: TrainState) -> dict[str, float]:
    """Returns what is logged of the network as it is."""
    dataset = self.job.dataset
    means = self.evaluate(state.variables, dataset.evaluated).means
    return {f"{dataset.split}_{name}": means[name] for name in ("loss", "accuracy")}

  def result(self, state: TrainState, writer: Writer) -> dict[str, Any]:
    """Returns the result of the trained student; see `train`."""
    dataset = self.job.dataset
    train = self.evaluate(state.variables, dataset.train)
    evaluated = self.evaluate(state.variables, dataset.evaluated)
    counts, classes = evaluated.confusion, dataset.spec.num_classes
    writer.write_classes(Evaluation.of(dataset.split, counts, classes, evaluated.images_per_second))
    return {
      "steps": self.job.total_steps,
      "parameters": sum(leaf.size for leaf in jax.tree.leaves(state.variables.weights)),
      "temperatures": list(losses.ISATS_GRID),
      "class_names": list(dataset.class_names),
      "train": {"examples": data.size(dataset.train), **train.means},
      dataset.split: {"examples": data.size(dataset.evaluated), **evaluated.means},
    }


def make_adapter(
  objective: Method,
  seed: int,
  evaluator: Evaluator,
  variables: tuple[Variables, ...],
  create: Callable[[nnx.Rngs], Any],
) -> tuple[Functional | None, Variables]:
  """Makes the objective's peers or adapter, if it has any, for the shapes of its networks."""
  if not (objective.peers or objective.adapter):
    return None, Variables(nnx.State({}), nnx.State({}))
  spec = evaluator.spec
  shape = (1, spec.image_size, spec.image_size, spec.channels)
  images = jax.ShapeDtypeStruct(shape, jnp.float32)
  places = jax.ShapeDtypeStruct((1, 2), jnp.int32)
  own = jax.eval_shape(evaluator.network.apply, variables[0], images)
  teachers = tuple(
    jax.eval_shape(teacher.targets, arrays, jax.ShapeDtypeStruct(shape, jnp.uint8), places)
    for teacher, arrays in zip(evaluator.teachers, variables[1:], strict=True)
  )
  rngs = nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 1))
  module = make_module(objective, own, teachers, rngs, create)
  assert module is not None  # of an objective with peers or an adapter
  return functional(module)


def _run_keys(seed: int) -> jax.Array:
  """Returns a run's two keys: for the order of the examples, and for the draws of its steps."""
  return jax.random.split(jax.random.key(seed))


def view_key(seed: int) -> jax.Array:
  """Returns the key of all views, by the seed of `data.views`."""
  return _run_keys(seed)[1]


def _summary(trainee: _Trainee, lines: Sequence[Mapping[str, float]], job: Job) -> str:
  """Returns a progress line about the last evaluation; it warns if given weights lost 5 points."""
  line, total, accuracy = lines[-1], job.total_steps, f"{job.dataset.split}_accuracy"
  name = f"{trainee.student.folder.name}, " if len(job.students) > 1 else ""
  about = "given weights" if total else GIVEN
  if line["step"]:
    about = f"step {line['step']}/{total}: train loss {line['train_loss']:.4f}"
  text = f"{name}{about}, {job.dataset.split} accuracy {line[accuracy]:.2%}"
  if len(lines) == 2 and not lines[0]["step"] and line[accuracy] < lines[0][accuracy] - 0.05:
    text += (
      f", far below the {lines[0][accuracy]:.2%} of the given weights; a lower learning_rate or a "
      "longer optim.warmup keeps more of them, epochs=0 evaluates them as they are"
    )
  return text


def usual_steps_per_dispatch(variables: Any) -> int:
  """Returns the steps of a call for networks with these arrays.

  It is `LOOP_STEPS`, but 1 on CPUs if an array has more than two dimensions, as kernels of
  convolutions have: XLA runs them slowly in loops there.
  """
  simple = all(leaf.ndim <= 2 for leaf in jax.tree.leaves(variables))
  return LOOP_STEPS if simple or backend() != "cpu" else 1


def next_multiple(interval: float, step: int, total: int) -> int:
  """Returns the first rounded multiple after `step`, at most `total`."""
  interval = max(interval, 1)
  count = int(step / interval)
  while round(count * interval) <= step:
    count += 1
  return min(round(count * interval), total)


def _check_finite(pulse: Pulse, job: Job, checkpoints: Sequence[Checkpoints]) -> None:
  for index, bad_step in enumerate(pulse.bad_steps.tolist()):
    if bad_step < 0:
      continue
    student, own = job.students[index], checkpoints[index]
    own.wait()
    good = own.latest_step
    saved = (
      f"the last good checkpoint is {student.folder / 'checkpoints' / str(good)}"
      if good is not None
      else "no checkpoint had been written"
    )
    raise NonFiniteError(
      f"the loss or its gradient was not finite at step {bad_step} of {student.folder}; {saved}; "
      "a lower learning rate may help",
      index,
    )
