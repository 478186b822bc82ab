"""Distillation of a user's own module, in memory: `jaxkd.distill`."""

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen, nnx

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.methods import Method
from jaxkd.models import Network, Outputs, adapt
from jaxkd.training import optim, sharding
from jaxkd.training.loop import NonFiniteError
from jaxkd.training.progress import Progress
from jaxkd.training.step import Functional, Learner, TrainState, Variables, functional

_RECIPE = {
  "momentum": 0.9,
  "weight_decay": 5e-4,
  "warmup": 5 / 240,
  "milestones": (150 / 240, 180 / 240, 210 / 240),
  "decay": 0.1,
}
"""The authors' recipe, with fractions of the training."""

Batch = tuple[np.ndarray, np.ndarray]
Apply = Callable[[Any, jax.Array], Outputs]


class Distilled(NamedTuple):
  """A trained student.

  Attributes:
    module: the student in evaluation mode; `module(x)` gives logits. An NNX student is trained in
      place, and this is the module itself.
    metrics: a dict for each epoch: `step`, `train_loss` and the other terms, `train_accuracy`, and
      `test_accuracy` if there is a test split.
    variables: of a Linen student, its variables for `student.apply`; None for others.
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
  preprocess: Callable[[jax.Array], jax.Array] | None = None,
  fields: tuple[str, str] = ("image", "label"),
  seed: int = 0,
) -> Distilled:
  """Trains a student to do as a teacher does, and shows progress on stderr.

  Every batch goes through both networks: the teacher in evaluation mode, the student in training
  mode. The result is a pure function of the arguments. Nothing is written to disk; use a config and
  `jaxkd.main` for checkpoints and reports.

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
    NonFiniteError: the loss is no longer a number.

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
  if objective.predicts_with_teachers or objective.loss is None:
    raise ConfigError(f"method is {objective.name!r}, must be one whose student predicts alone")
  source = _Source(data, fields, "data")
  mesh = sharding.mesh()
  if batch_size < 1 or batch_size % mesh.size:
    raise ConfigError(f"batch_size is {batch_size}, must be a multiple of {mesh.size} devices")
  if steps is None:
    if source.size is None:
      raise ConfigError("steps is missing: the number of batches of an iterable is not known")
    steps = max(round(epochs * source.size / batch_size), 1)
  per_epoch = steps if source.size is None else max(round(source.size / batch_size), 1)
  batches = source.training_batches(batch_size, seed)
  first = next(batches)
  prepare = preprocess or (lambda x: x)
  example = _abstract(first[0], prepare)

  network = _network(student, example, seed)
  net, variables = functional(network)
  apply_teacher, teacher_variables = _teacher(teacher, example)
  own = jax.eval_shape(net.apply, variables, example)
  theirs = jax.eval_shape(apply_teacher, teacher_variables, example)
  if own.logits.shape != theirs.logits.shape:
    raise ConfigError(
      f"the student has {own.logits.shape[-1]} classes, the teacher {theirs.logits.shape[-1]}"
    )
  adapter, adapter_variables = None, Variables(nnx.State({}), nnx.State({}))
  if objective.adapter is not None:
    rngs = nnx.Rngs(jax.random.fold_in(jax.random.key(seed), 1))
    adapter, adapter_variables = functional(objective.adapter(own, (theirs,), rngs))
  if optimizer is None:
    recipe = {**_RECIPE, "learning_rate": learning_rate}
    optimizer = optim.optimizer(recipe, optim.schedule(recipe, steps))
  learner = Learner(net, adapter, objective, optimizer)
  put = sharding.replicate(mesh)
  constants = _constants(objective, source, batch_size, prepare, apply_teacher, teacher_variables)
  state = put(learner.init(variables, adapter_variables, constants))
  teacher_variables, key = put(teacher_variables), put(jax.random.key(seed))

  @jax.jit
  def step(state: TrainState, teacher_variables: Any, inputs: jax.Array, labels: jax.Array):
    inputs = prepare(inputs)
    targets = (apply_teacher(teacher_variables, inputs),)
    progress = state.step.astype(jnp.float32) / steps
    own_key = jax.random.fold_in(key, state.step)
    return learner.step(state, targets, inputs, labels, own_key, progress)

  evaluate = _evaluation(net, prepare, _Source(test, fields, "test") if test is not None else None)
  metrics: list[dict[str, float]] = []
  sums: dict[str, Any] = {}
  progress = Progress(f"[distill, {objective.name}]", 0, steps, batch_size)
  split = sharding.split_batch(mesh)
  for number, batch in enumerate(itertools.chain([first], itertools.islice(batches, steps - 1)), 1):
    state, logged = step(state, teacher_variables, *jax.device_put(batch, split))
    sums = jax.tree.map(jnp.add, sums, logged) if sums else logged
    if number % per_epoch and number < steps:
      continue
    if state.bad_step >= 0:
      raise NonFiniteError(
        f"the loss or its gradient was not finite at step {int(state.bad_step)}; a lower "
        "learning_rate may help",
        0,
      )
    done = per_epoch if number % per_epoch == 0 else number % per_epoch
    epoch = {f"train_{name}": float(value) / done for name, value in sums.items()}
    metrics.append({"step": number, **epoch, **evaluate(state.variables, batch_size)})
    sums = {}
    progress.update(number, metrics[-1]["train_loss"])
    shown = (
      f"{name} {metrics[-1][name]:.4g}"
      for name in ("train_loss", "test_accuracy")
      if name in metrics[-1]
    )
    progress.note(f"step {number}/{steps}: {', '.join(shown)}")
  if number < steps:
    raise ConfigError(f"data ended after {number} of {steps} batches")
  nnx.update(network, *state.variables)
  network.eval()
  if isinstance(student, nnx.Module):
    return Distilled(student, metrics)
  return Distilled(network, metrics, _linen_variables(network))


class _Source:
  """Examples or batches of the user's, by a common interface.

  Args:
    given: see `distill`.
    fields: names of inputs and labels in dicts.
    what: the argument's name, for messages.
  """

  def __init__(self, given: Any, fields: tuple[str, str], what: str):
    self._given, self._fields, self._what = given, fields, what
    self._arrays: Batch | None = None
    self.size: int | None = None
    if isinstance(given, tuple | list) and len(given) == 2 and hasattr(given[0], "shape"):
      inputs, labels = map(np.asarray, given)
      if len(inputs) != len(labels) or not len(inputs):
        raise ConfigError(f"{what} has {len(inputs)} inputs and {len(labels)} labels")
      self._arrays, self.size = (inputs, labels), len(inputs)
    elif hasattr(given, "__getitem__") and hasattr(given, "__len__"):
      self.size = len(given)
    elif not hasattr(given, "__iter__"):
      raise ConfigError(
        f"{what} is {type(given).__name__}, must be (inputs, labels), a source with len and [i], "
        "or an iterable of batches"
      )

  def training_batches(self, batch_size: int, seed: int) -> Iterator[Batch]:
    """Yields batches without end: one permutation of the examples after another."""
    if self.size is None:
      while True:
        empty = True
        for batch in self._given:
          empty = False
          yield self._checked(self._pair(batch), batch_size)
        if empty:
          return
    if batch_size > self.size:
      raise ConfigError(f"batch_size is {batch_size}, {self._what} has {self.size} examples")
    left = np.empty(0, np.int64)
    for epoch in itertools.count():
      order = np.random.default_rng((seed, epoch)).permutation(self.size)
      left = np.concatenate([left, order])
      while len(left) >= batch_size:
        yield self._checked(self._take(left[:batch_size]), batch_size)
        left = left[batch_size:]

  def in_order(self, batch_size: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yields all examples once: inputs, labels, and a mask that is false on padding."""
    if self.size is None:
      raise ConfigError(
        f"{self._what} must be arrays or a source with len and [i]: all of it is read"
      )
    for start in range(0, self.size, batch_size):
      places = np.arange(start, start + batch_size)
      mask = places < self.size
      yield *self._checked(self._take(np.minimum(places, self.size - 1)), batch_size), mask

  def _take(self, places: np.ndarray) -> Batch:
    if self._arrays is not None:
      inputs, labels = self._arrays
      return inputs[places], labels[places]
    pairs = [self._pair(self._given[int(place)]) for place in places]
    return np.stack([inputs for inputs, _ in pairs]), np.stack([labels for _, labels in pairs])

  def _pair(self, example: Any) -> Batch:
    try:
      keys: Sequence[Any] = self._fields if isinstance(example, Mapping) else (0, 1)
      return np.asarray(example[keys[0]]), np.asarray(example[keys[1]])
    except (KeyError, IndexError, TypeError) as error:
      raise ConfigError(
        f"{self._what} gives {type(example).__name__}, must give (inputs, labels) or dicts with "
        f"{' and '.join(map(repr, self._fields))}"
      ) from error

  def _checked(self, batch: Batch, batch_size: int) -> Batch:
    inputs, labels = batch
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
      raise ConfigError(
        f"{self._what} has labels of {labels.dtype} {labels.shape}, must be integers [B]"
      )
    if len(inputs) != len(labels) or len(labels) != batch_size:
      raise ConfigError(
        f"{self._what} has a batch of {len(inputs)} inputs and {len(labels)} labels, must have "
        f"batch_size = {batch_size}"
      )
    return inputs, labels.astype(np.int32)


def _abstract(inputs: np.ndarray, prepare: Callable[[jax.Array], jax.Array]) -> Any:
  """Returns the shape of two preprocessed examples.

  Raises:
    ConfigError: they are integers, which no network takes.
  """
  shape = jax.ShapeDtypeStruct((2, *inputs.shape[1:]), inputs.dtype)
  example = jax.eval_shape(prepare, shape)
  if np.issubdtype(inputs.dtype, np.uint8) and np.issubdtype(example.dtype, np.integer):
    raise ConfigError(
      "data has uint8 inputs: give preprocess, for example lambda x: (x / 255 - 0.5) / 0.25"
    )
  return example


def _network(student: Any, example: Any, seed: int) -> Network:
  if not isinstance(student, nnx.Module | linen.Module):
    raise ConfigError(f"student is {type(student).__name__}, must be an NNX or a Linen module")
  return adapt(student, images=example, rngs=nnx.Rngs(seed))


def _teacher(teacher: Any, example: Any) -> tuple[Apply, Any]:
  """Returns a function of variables and inputs, and the variables."""
  if isinstance(teacher, nnx.Module):
    network: tuple[Functional, Variables] = functional(
      adapt(teacher, images=example, rngs=nnx.Rngs(0))
    )
    return network[0].apply, network[1]
  if isinstance(teacher, tuple) and len(teacher) == 2 and isinstance(teacher[0], linen.Module):
    module, variables = teacher
    accepted = inspect.signature(type(module).__call__).parameters
    mode = {"train": False, "training": False, "deterministic": True, "use_running_average": True}
    switches = {name: value for name, value in mode.items() if name in accepted}
    return lambda arrays, x: _outputs(module.apply(arrays, x, **switches)), variables
  if callable(teacher) and not isinstance(teacher, type | linen.Module):
    return lambda _, x: _outputs(teacher(x)), ()
  raise ConfigError(
    f"teacher is {type(teacher).__name__}, must be an NNX module, (Linen module, variables) or a "
    "function of inputs"
  )


def _outputs(given: Any) -> Outputs:
  return given if isinstance(given, Outputs) else Outputs(jnp.asarray(given, jnp.float32))


def _constants(
  objective: Method,
  source: _Source,
  batch_size: int,
  prepare: Callable[[jax.Array], jax.Array],
  apply_teacher: Apply,
  teacher_variables: Any,
) -> Any:
  """Returns what the objective prepares of all examples."""
  sums = objective.prepare
  if sums is None:
    return ()

  @jax.jit
  def part(inputs, labels, mask):
    logits = apply_teacher(teacher_variables, prepare(inputs)).logits
    return sums([logits], labels, mask, logits.shape[-1])

  total: Any = None
  for batch in source.in_order(batch_size):
    found = part(*batch)
    total = found if total is None else jax.tree.map(jnp.add, total, found)
  return total


def _evaluation(
  network: Functional, prepare: Callable[[jax.Array], jax.Array], source: _Source | None
) -> Callable[[Variables, int], dict[str, float]]:
  """Returns a function that gives the accuracy on the test split, if there is one."""

  @jax.jit
  def correct(variables, inputs, labels, mask):
    logits = network.apply(variables, prepare(inputs)).logits
    return jnp.sum((jnp.argmax(logits, axis=-1) == labels) & mask)

  def evaluate(variables: Variables, batch_size: int) -> dict[str, float]:
    if source is None:
      return {}
    right = sum(int(correct(variables, *batch)) for batch in source.in_order(batch_size))
    return {"test_accuracy": right / (source.size or 1)}

  return evaluate


def _linen_variables(network: Network) -> dict[str, Any]:
  """Returns the variables of an adapted Linen module as Linen has them."""
  found: dict[str, Any] = {}
  for kind, collection in ((nnx.Param, "params"), (nnx.BatchStat, "batch_stats")):
    for path, variable in nnx.to_flat_state(nnx.state(network, kind)):
      place = found.setdefault(collection, {})
      # The adapter's attribute of the module comes first.
      for key in path[1:-1]:
        place = place.setdefault(key, {})
      place[path[-1]] = variable[...]
  return found
