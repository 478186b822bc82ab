"""The compiled step of a case: the one that trains, on noise in place of images."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxkd import data, methods, models
from jaxkd.benchmarks.case import Case
from jaxkd.data.resident import TrainSource
from jaxkd.training import compilation, optim, sharding
from jaxkd.training.loop import make_adapter, usual_steps_per_dispatch
from jaxkd.training.predictions import Storage
from jaxkd.training.recall import Recalled
from jaxkd.training.step import Evaluator, Frozen, Keys, Learner, Trainer, Variables, functional

# Bytes of noise that stand for a data set; the step's time does not depend on it.
_BYTES = 2**26
# Views of an image in a case with predictions.
_VIEWS = 2
# A rate at which noise lets nothing overflow.
_SCHEDULE = {**optim.RECIPE, "learning_rate": 0.01}


class Program(NamedTuple):
  """A step that is traced but not compiled, and its arguments; the first are donated.

  With a `loop`, the number of steps is another argument.
  """

  lowered: jax.stages.Lowered
  arguments: tuple[Any, ...]
  loop: bool


def lower(case: Case, mesh: jax.sharding.Mesh, put: Callable[[Any], Any]) -> Program:
  """Traces the step of a case, in a loop of steps where training has one.

  Args:
    case: what is trained.
    mesh: the devices.
    put: copies a tree of arrays to them, or describes it as if it were there.
  """
  spec = case.spec
  teachers, source = _teachers(case), noise(case)
  frozen: tuple[Any, ...] = tuple(network for network, _ in teachers)
  arrays: tuple[Any, ...] = tuple(variables for _, variables in teachers)
  if case.predictions:
    shape = _VIEWS, len(source.arrays.labels), spec.num_classes
    logits = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    frozen, arrays = (Recalled(Storage(spec.num_classes)),), ({"logits": logits},)
    source = source._replace(views=np.arange(_VIEWS, dtype=np.int32))
  learners, states = [], []
  for seed in range(case.students):
    network, variables = functional(module(case.student, case, nnx.Rngs(seed)))
    objective = methods.objective(case.method if case.teacher else "cross_entropy")
    evaluator = Evaluator(network, spec, case.batch_size, mesh, frozen, objective)
    create = functools.partial(module, case.student, case)
    adapter, own = make_adapter(objective, seed, evaluator, (variables, *arrays), create)
    rate = optim.schedule(_SCHEDULE, 1000)
    optimizer = optim.optimizer(_SCHEDULE, rate)
    groups = case.batch_norm_groups
    learners.append(Learner(network, adapter, objective, optimizer, batch_norm_groups=groups))
    states.append(learners[-1].init(variables, own, ()))
  views = _VIEWS if case.predictions else 0
  trainer = Trainer(tuple(learners), frozen, spec, case.batch_size, 1000, mesh, views=views)
  keys = Keys(jax.random.key(1), (jax.random.key(2),) * case.students)
  arguments = put((trainer.init(tuple(states), arrays), arrays, keys, source))
  computed = () if case.predictions else arrays
  loop = usual_steps_per_dispatch((states, computed)) > 1
  steps = (np.int32(1),) if loop else ()
  step = compilation.jit(trainer.train_steps, deterministic=case.deterministic, donate_argnums=0)
  return Program(step.lower(*arguments, *steps), arguments, loop)


def on_this_machine(case: Case, mesh: jax.sharding.Mesh | None = None) -> Program:
  """Traces the step of a case as training runs it here: on a mesh, or on all devices."""
  mesh = mesh or sharding.mesh()
  return lower(case, mesh, sharding.replicate(mesh))


def runner(program: Program, compiled: jax.stages.Compiled, steps: int) -> Callable[[], None]:
  """Returns a function that runs so many steps and waits for the last."""
  states, *rest = program.arguments
  count = (np.int32(steps),) if program.loop else ()

  def run() -> None:
    nonlocal states
    for _ in range(1 if program.loop else steps):
      states, pulse = compiled(states, *rest, *count)
    jax.block_until_ready(pulse)

  return run


def memory(compiled: jax.stages.Compiled) -> Any:
  """Returns the bytes of a program's arguments and temporary arrays, on each device."""
  return compiled.memory_analysis()


def passes(case: Case, steps: int) -> Callable[[], None]:
  """Returns a function that runs the networks' passes of so many steps, and nothing else.

  The teacher's pass goes forward, the student's forward and back, from the sum of its logits.
  """
  network, variables = functional(module(case.student, case, nnx.Rngs(0)))
  shape = case.batch_size, case.spec.image_size, case.spec.image_size, case.spec.channels
  images = jax.random.normal(jax.random.key(0), shape)
  teachers = _teachers(case)

  def once(variables: Variables, taught: list[Variables], images: jax.Array) -> Any:
    def loss(params: Any) -> tuple[jax.Array, Any]:
      own = variables._replace(params=params)
      key = jax.random.key(1)
      outputs, stats = network.apply_train(own, images, key, case.batch_norm_groups)
      return jnp.sum(outputs.logits), stats

    gradients, stats = jax.grad(loss, has_aux=True)(variables.params)
    targets = [
      teacher.network.apply(arrays, images).logits
      for (teacher, _), arrays in zip(teachers, taught, strict=True)
    ]
    return gradients, stats, targets

  taught = [arrays for _, arrays in teachers]
  empty = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(once, variables, taught, images)
  )

  def many(variables: Variables, taught: list[Variables], images: jax.Array) -> Any:
    def body(index: jax.Array, _: Any) -> Any:
      # Other images in each step, so that XLA can't run the passes once for all.
      return once(variables, taught, images + index.astype(jnp.float32))

    return jax.lax.fori_loop(0, steps, body, empty)

  loop = usual_steps_per_dispatch((variables, taught)) > 1
  calls, function = (1, many) if loop else (steps, once)
  call = compilation.jit(function, deterministic=case.deterministic)

  def run() -> None:
    for _ in range(calls):
      results = call(variables, taught, images)
    jax.block_until_ready(results)

  return run


def module(name: str, case: Case, rngs: nnx.Rngs) -> models.Network:
  """Returns a network by name, for the images of a case."""
  return models.create(
    name,
    num_classes=case.spec.num_classes,
    image_size=case.spec.image_size,
    in_channels=case.spec.channels,
    dtype=jnp.dtype(case.dtype),
    rngs=rngs,
  )


def _teachers(case: Case) -> list[tuple[Frozen, Variables]]:
  if not case.teacher:
    return []
  network, variables = functional(module(case.teacher, case, nnx.Rngs(0)))
  return [Frozen(network, case.spec).folded(variables)]


def noise(case: Case) -> TrainSource:
  """Returns random images and labels in the form of the case's data set, and two epochs' order."""
  spec = case.spec
  random = np.random.default_rng(0)
  width = spec.stored_size**2 * spec.channels
  count = case.images or _BYTES // width
  images = random.integers(0, 256, (count, width), np.uint8)
  labels = random.integers(0, spec.num_classes, count).astype(np.int32)
  order = np.concatenate([random.permutation(count) for _ in range(2)]).astype(np.int32)
  arrays = data.Arrays(images, labels)
  return TrainSource(arrays, jnp.asarray(order), np.int32(0), np.int32(0))
