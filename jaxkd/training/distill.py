"""Distillation of a user's module, in memory: `jaxkd.distill`."""

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx

from jaxkd import methods
from jaxkd.common.errors import ConfigError, explained
from jaxkd.methods import Method
from jaxkd.models import Network, Outputs, adapt
from jaxkd.models.own import EVAL, TRAIN
from jaxkd.training import compilation, optim, sharding
from jaxkd.training.examples import UserData
from jaxkd.training.loop import NonFiniteError, next_multiple
from jaxkd.training.progress import Progress
from jaxkd.training.step import Learner, TrainState, Variables, functional


class Distilled(NamedTuple):
  """A trained student.

  Attributes:
    module: the student in evaluation mode; `module(x)` gives logits. An NNX student is trained in
      place, and this is the module itself. With `simkd` it is a new module, which has a copy of the
      student, a projector and the teacher's classifier.
    metrics: a dict for each epoch: `step`, `train_loss` and its terms, `train_accuracy`, and
      `test_accuracy` if there is a test split.
    variables: the variables of a Linen student for its `apply`; None for an NNX module.
  """

  module: Any
  metrics: list[dict[str, float]]
  variables: dict[str, Any] | None = None


def distill(
  student: nnx.Module | linen.Module,
  teacher: Any,
  data: Any,
  method: str | Mapping[str, Any] | Method = "isats",
  *,
  test: Any = None,
  epochs: float = 30.0,
  steps: int | None = None,
  batch_size: int = 128,
  learning_rate: float = 0.05,
  optimizer: optax.GradientTransformation | None = None,
  preprocess: Callable[[jax.Array], jax.Array] = lambda inputs: inputs,
  fields: tuple[str, str] = ("image", "label"),
  seed: int = 0,
) -> Distilled:
  """Trains a student to imitate a teacher, and shows progress on stderr.

  Every batch goes through both networks: the teacher in evaluation mode, the student in training
  mode. The result is a function of the arguments alone. Nothing is written to disk; a config and
  `jaxkd.main` give checkpoints and reports.

  Args:
    student: an NNX module, or a Linen module, which is initialised from `seed`.
    teacher: an NNX module, a pair of a Linen module and its variables, or a function from inputs to
      logits `[B, C]`.
    data: a pair of arrays (inputs `[N, ...]`, labels `[N]`); or a source with `len` and `[i]`, such
      as TFDS's data sources; or an iterable of batches, such as a Grain loader, which needs
      `steps`. Examples and batches are pairs, or dicts with `fields`.
    method: name of a method with an objective; or a dict of `name` and options; or a `Method`.
    test: evaluated after each epoch; as `data`, but not an iterable.
    epochs: length of the training, unless `steps` is given.
    steps: length of the training in steps.
    batch_size: examples per step, a multiple of the number of devices.
    learning_rate: peak of the authors' schedule for SGD with momentum, 0.05 in their code.
    optimizer: used instead of that recipe.
    preprocess: applied to each batch of inputs in the step, for example to normalise uint8 images.
    fields: names of inputs and labels in dicts.
    seed: of the order of the examples, of dropout, and of a Linen student.

  Raises:
    ConfigError: an argument is wrong; the message names it.
    NonFiniteError: the loss or its gradient was not finite.

  Examples:
    >>> import jax.numpy as jnp, numpy as np
    >>> from flax import nnx
    >>> x = np.random.default_rng(0).normal(size=(256, 2)).astype(np.float32)
    >>> y = (x[:, 0] > 0).astype(np.int32) + (x[:, 1] > 0)
    >>> teacher = lambda x: 4 * jnp.stack([-x.sum(1), -abs(x.sum(1)), x.sum(1)], axis=1)
    >>> student = nnx.Linear(2, 3, rngs=nnx.Rngs(0))
    >>> trained = distill(student, teacher, (x, y), "kd", epochs=4, batch_size=64)
    >>> trained.module(x).shape
    (256, 3)
  """
  objective = method if isinstance(method, Method) else methods.objective(method)
  if objective.loss is None or objective.predicts_with_teachers or objective.several_teachers:
    raise ConfigError(f"method is {objective.name!r}, must be of one teacher and one student")
  if objective.peers:
    raise ConfigError(f"method is {objective.name!r}, must train the student alone")
  if not isinstance(student, nnx.Module | linen.Module):
    raise ConfigError(f"student is {type(student).__name__}, must be an NNX or a Linen module")
  mesh = sharding.mesh()
  if batch_size < 1 or batch_size % mesh.size:
    raise ConfigError(f"batch_size is {batch_size}, must be a multiple of {mesh.size} devices")
  train = UserData(data, fields, "data")
  tested = None if test is None else UserData(test, fields, "test", whole=True)
  if steps is None and train.size is None:
    raise ConfigError("steps is missing: the number of batches of an iterable is not known")
  total = steps or round(epochs * (train.size or 0) / batch_size)
  if total < 1:
    raise ConfigError(f"epochs is {epochs}, steps is {steps}: must be one step or more")
  per_epoch = train.size / batch_size if train.size else total
  batches = train.batches(batch_size, seed)
  first = next(batches, None)
  if first is None:
    raise ConfigError("data has no batches")
  inputs = first[0]
  example = jax.eval_shape(preprocess, jax.ShapeDtypeStruct((2, *inputs.shape[1:]), inputs.dtype))
  if jnp.issubdtype(example.dtype, jnp.uint8):
    raise ConfigError(
      "data has uint8 inputs: give preprocess, for example lambda x: (x / 255 - 0.5) / 0.25"
    )

  network = adapt(student, images=example, rngs=nnx.Rngs(seed))
  own_rngs = nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 1))
  if objective.compose is not None:
    if not isinstance(teacher, Network):
      raise ConfigError(f"method is {objective.name!r}, needs a jaxkd.models.Network as teacher")
    with explained(ConfigError, f"method is {objective.name!r}"):
      network = objective.compose(network, (teacher,), example, own_rngs)
  net, variables = functional(network)
  teach, teacher_variables = _teacher(teacher, example)
  own = jax.eval_shape(net.apply, variables, example)
  theirs = jax.eval_shape(teach, teacher_variables, example)
  shapes = own.logits.shape, theirs.logits.shape
  for whose, shape in zip(("student", "teacher"), shapes, strict=True):
    if len(shape) != 2 or shape[0] != len(example):
      raise ConfigError(
        f"the {whose} gives an array of shape {shape} for {len(example)} inputs, must be [B, C]"
      )
  if shapes[0] != shapes[1]:
    raise ConfigError(f"the student has {shapes[0][1]} classes, the teacher {shapes[1][1]}")
  adapter, adapter_variables = None, Variables(nnx.State({}), nnx.State({}))
  if objective.adapter is not None:
    adapter, adapter_variables = functional(objective.adapter(own, (theirs,), own_rngs))
  recipe = {**optim.RECIPE, "learning_rate": learning_rate}
  optimizer = optimizer or optim.optimizer(recipe, optim.schedule(recipe, total))
  learner = Learner(net, adapter, objective, optimizer)

  constants: Any = ()
  if prepare := objective.prepare:

    def prepared(inputs, labels, mask):
      outputs = teach(teacher_variables, preprocess(inputs))
      return prepare((outputs,), labels, mask, outputs.logits.shape[-1])

    constants = train.total(compilation.jit(prepared), batch_size)
  put, split = sharding.replicate(mesh), sharding.split_batch(mesh)
  state = learner.init(variables, adapter_variables, constants)
  state, teacher_variables = put((state, teacher_variables))
  key = jax.random.key(seed)

  @compilation.jit
  def step(state: TrainState, teacher_variables: Any, inputs: jax.Array, labels: jax.Array):
    inputs = preprocess(inputs)
    targets = (teach(teacher_variables, inputs),)
    progress = state.step.astype(jnp.float32) / total
    step_key = jax.random.fold_in(key, state.step)
    return learner.step(state, targets, inputs, labels, step_key, progress)

  @compilation.jit
  def correct(variables: Variables, inputs: jax.Array, labels: jax.Array, mask: jax.Array):
    logits = net.apply(variables, preprocess(inputs)).logits
    return jnp.sum((jnp.argmax(logits, axis=-1) == labels) & mask)

  progress = Progress(f"[distill, {objective.name}]", 0, total, batch_size)
  metrics: list[dict[str, float]] = []
  logs: list[Any] = []
  number = 0
  report_at = next_multiple(per_epoch, 0, total)
  for number, batch in enumerate(itertools.islice(itertools.chain([first], batches), total), 1):
    # Steps wait for each other: several at once have deadlocked on several devices of a CPU.
    jax.block_until_ready(logs[-1:])
    state, logged = step(state, teacher_variables, *jax.device_put(batch, split))
    logs.append(logged)
    if number < report_at:
      continue
    report_at = next_multiple(per_epoch, number, total)
    if state.bad_step >= 0:
      raise NonFiniteError(
        f"the loss or its gradient was not finite at step {int(state.bad_step)}; a lower "
        "learning_rate may help"
      )
    means = jax.tree.map(lambda *values: float(np.mean(values)), *jax.device_get(logs))
    line = {f"train_{name}": mean for name, mean in means.items()}
    if tested:
      right = tested.total(functools.partial(correct, state.variables), batch_size)
      line["test_accuracy"] = int(right) / (tested.size or 1)
    metrics.append({"step": number, **line})
    logs.clear()
    progress.update(number, line["train_loss"])
    shown = (f"{name} {line[name]:.4g}" for name in ("train_loss", "test_accuracy") if name in line)
    progress.note(f"step {number}/{total}: {', '.join(shown)}")
  if number < total:
    raise ConfigError(f"data ended after {number} of {total} batches")
  nnx.update(network, *state.variables)
  network.eval()
  if objective.compose is not None:
    return Distilled(network, metrics)
  if isinstance(student, nnx.Module):
    return Distilled(student, metrics)
  return Distilled(network, metrics, _linen_variables(network))


def _teacher(teacher: Any, example: Any) -> tuple[Callable[[Any, jax.Array], Outputs], Any]:
  """Returns a function of variables and inputs, and the variables."""
  if isinstance(teacher, nnx.Module):
    network, variables = functional(adapt(teacher, images=example, rngs=nnx.Rngs(0)))
    return network.apply, variables
  if isinstance(teacher, tuple) and len(teacher) == 2 and isinstance(teacher[0], linen.Module):
    module, variables = teacher
    accepted = inspect.signature(type(module).__call__).parameters
    mode = {name: name in EVAL for name in (*TRAIN, *EVAL) if name in accepted}
    return lambda arrays, x: _outputs(module.apply(arrays, x, **mode)), variables
  if callable(teacher) and not isinstance(teacher, type | linen.Module):
    return lambda _, x: _outputs(teacher(x)), ()
  raise ConfigError(
    f"teacher is {type(teacher).__name__}, must be an NNX module, (Linen module, variables) or a "
    "function of inputs"
  )


def _outputs(given: Any) -> Outputs:
  return given if isinstance(given, Outputs) else Outputs(jnp.asarray(given, jnp.float32))


def _linen_variables(network: Network) -> dict[str, Any]:
  """Returns the variables of an adapted Linen module as Linen has them."""
  found: dict[str, Any] = {}
  # The adapter's attribute of the module comes first in a path.
  for kind, collection in ((nnx.Param, "params"), (nnx.BatchStat, "batch_stats")):
    for path, variable in nnx.to_flat_state(nnx.state(network, kind)):
      place = found.setdefault(collection, {})
      for key in path[1:-1]:
        place = place.setdefault(key, {})
      place[path[-1]] = variable[...]
  return found
