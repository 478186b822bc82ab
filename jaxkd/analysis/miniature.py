"""The paper's claim in miniature: hundreds of small students of teachers of several capacities.

All networks are multi-layer perceptrons on scikit-learn's digits, whose pixels are standardised.
The networks of a cell are trained at once, by `jax.vmap` of the package's own training step.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxkd import data, losses, methods, metrics, models
from jaxkd.methods import Method
from jaxkd.models import Outputs
from jaxkd.training import compilation, optim
from jaxkd.training.step import Learner, Variables, functional

ROWS = ("kd", "ats", "isats", "fgcr", "regt", "ats_guided", "isats_guided")
"""Rows that may be compared, with the default options of their methods.

`ats_guided` and `isats_guided` keep the true class on top: `keep_guidance=True`."""

TRAIN_IMAGES = 897
"""Images to train on, of 1,797; the others test."""

SIZES: Mapping[str, Mapping[str, int]] = {
  "64": {"depth": 1, "width": 64},
  "512": {"depth": 1, "width": 512},
  "3 x 512": {"depth": 3, "width": 512},
}
"""The teachers' hidden layers, from small to large."""

STUDENT = {"depth": 1, "width": 8}
PER_SIZE = 2
"""Teachers of each size in each split, with other initial weights and order of the examples."""

LABELS = "nokd"
"""The row that learns from labels alone."""

TAU = 4.0
"""Temperature of the derived variance."""

EPOCHS, BATCH_SIZE, LEARNING_RATE, MOMENTUM = 30, 64, 0.05, 0.9
"""Of all networks; the learning rate falls to 0 by a cosine, and there is no weight decay."""

# The students' and the teachers' objective, where they are not the row's and cross entropy.
_OBJECTIVES: Mapping[str, tuple[Any, str]] = {
  "regt": ("kd", "regt"),
  **{
    f"{name}_guided": ({"name": name, "keep_guidance": True}, "cross_entropy")
    for name in ("ats", "isats")
  },
}


class Cell(NamedTuple):
  """The students of one row and one size of teachers.

  Attributes:
    size: a key of `SIZES`; '' for labels alone.
    row: the method.
    accuracies: `[splits, PER_SIZE, S]` of the students on the test split. The student at a place
      of every cell starts from the same weights, and sees the examples in the order of its teacher.
    teachers: `[splits, PER_SIZE]` accuracies of the teachers on the test split.
    variances: `[splits, PER_SIZE]` derived variances of the teachers at temperature `TAU`, means
      over the training split.
  """

  size: str
  row: str
  accuracies: np.ndarray
  teachers: np.ndarray
  variances: np.ndarray


class _Splits(NamedTuple):
  """Images `[splits, N, 8, 8, 1]` and labels `[splits, N]`, to train on and to test."""

  train: tuple[jax.Array, jax.Array]
  test: tuple[jax.Array, jax.Array]


def count(rows: Sequence[str]) -> int:
  """Returns the number of cells that `cells` yields."""
  return 1 + len(SIZES) * len(rows)


def cells(rows: Sequence[str], splits: int, students: int) -> Iterator[Cell]:
  """Trains and yields every cell: labels alone, then all rows of each size of teachers.

  Each of the `PER_SIZE` teachers of a size in a split has `students` students.
  """
  parts = _digits(splits)
  none = np.full((splits, PER_SIZE), np.nan)
  alone = _students(parts, methods.objective("cross_entropy"), None, (), students)
  yield Cell("", LABELS, alone, none, none)
  for size, options in SIZES.items():
    taught: dict[str, tuple[Any, ...]] = {}
    for row in rows:
      student, teacher = _OBJECTIVES.get(row, (row, "cross_entropy"))
      if teacher not in taught:
        taught[teacher] = _teachers(parts, methods.objective(teacher), options)
      logits, accuracies, variances = taught[teacher]
      objective = methods.objective(student)
      constants = _constants(objective, logits, parts.train[1])
      found = _students(parts, objective, logits, constants, students)
      yield Cell(size, row, found, np.asarray(accuracies), np.asarray(variances))


def _digits(splits: int) -> _Splits:
  """Divides the digits into a training and a test split at random, several times."""
  both = data.load(data.find("digits"))
  images = np.concatenate([part.images for part in both]).astype(np.float32)
  labels = np.concatenate([part.labels for part in both])
  orders = [np.random.default_rng(seed).permutation(len(labels)) for seed in range(splits)]
  pixels = np.stack([_standardized(images[order]) for order in orders])
  classes = np.stack([labels[order] for order in orders])
  train, test = slice(0, TRAIN_IMAGES), slice(TRAIN_IMAGES, None)
  first, second = ((jnp.asarray(pixels[:, s]), jnp.asarray(classes[:, s])) for s in (train, test))
  return _Splits(first, second)


def _standardized(images: np.ndarray) -> np.ndarray:
  """Standardises each pixel by its mean and deviation over the training images."""
  train = images[:TRAIN_IMAGES]
  deviation = train.std(axis=0)
  # Some pixels are always black.
  return (images - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1)


def _numbers(splits: int, *shape: int) -> jax.Array:
  """Returns a number of its own for every network `[splits, ...]`."""
  return jnp.arange(splits * math.prod(shape)).reshape(splits, *shape)


def _teachers(parts: _Splits, objective: Method, options: Mapping[str, int]) -> tuple[Any, ...]:
  """Returns the teachers' logits `[splits, T, N, C]`, accuracies and variances `[splits, T]`."""
  learner = _learner(objective, options)

  @compilation.jit
  def run(parts, numbers):
    def one(parts, number):
      variables = _fit(learner, options, parts.train, None, (), number, number)
      logits = learner.network.apply(variables, parts.train[0]).logits
      probs = losses.softmax(logits, TAU)
      variance = jnp.mean(metrics.derived_variance(probs, parts.train[1]))
      return logits, _accuracy(learner, variables, parts.test), variance

    return jax.vmap(jax.vmap(one, in_axes=(None, 0)))(parts, numbers)

  return run(parts, _numbers(len(parts.train[1]), PER_SIZE))


def _students(
  parts: _Splits, objective: Method, logits: jax.Array | None, constants: Any, count: int
) -> np.ndarray:
  """Returns accuracies `[splits, T, count]` of students of the logits `[splits, T, N, C]`."""
  learner = _learner(objective, STUDENT)
  splits = len(parts.train[1])

  @compilation.jit
  def run(parts, logits, constants, orders, numbers):
    def one(parts, targets, constants, order, number):
      variables = _fit(learner, STUDENT, parts.train, targets, constants, number, order)
      return _accuracy(learner, variables, parts.test)

    of_one_teacher = jax.vmap(one, in_axes=(None, None, None, None, 0))
    of_one_split = jax.vmap(of_one_teacher, in_axes=(None, 0, 0, 0, 0))
    return jax.vmap(of_one_split)(parts, logits, constants, orders, numbers)

  # No student starts from the key of a teacher.
  numbers = 1000 + _numbers(splits, PER_SIZE, count)
  return np.asarray(run(parts, logits, constants, _numbers(splits, PER_SIZE), numbers))


def _learner(objective: Method, options: Mapping[str, int]) -> Learner:
  network, _ = functional(_create(options, jax.random.key(0)))
  cosine = optax.cosine_decay_schedule(LEARNING_RATE, EPOCHS * (TRAIN_IMAGES // BATCH_SIZE))
  optimizer = optim.optimizer(
    {"momentum": MOMENTUM, "weight_decay": 0.0}, lambda step: cosine(step.astype(jnp.float32))
  )
  return Learner(network, None, objective, optimizer)


def _create(options: Mapping[str, int], key: jax.Array) -> models.Network:
  arguments: dict[str, Any] = {"num_classes": 10, "image_size": 8, "in_channels": 1, **options}
  return models.create("mlp", rngs=nnx.Rngs(key), **arguments)


def _fit(
  learner: Learner,
  options: Mapping[str, int],
  train: tuple[jax.Array, jax.Array],
  targets: jax.Array | None,
  constants: Any,
  number: jax.Array,
  order: jax.Array,
) -> Variables:
  """Trains a network from the weights of a number, on examples in the order of a number."""
  images, labels = train
  per_epoch = len(labels) // BATCH_SIZE
  total = EPOCHS * per_epoch
  _, variables = functional(_create(options, jax.random.key(number)))
  start = learner.init(variables, Variables(nnx.State({}), nnx.State({})), constants)
  order_key, key = jax.random.split(jax.random.key(order))

  def epoch(state, index):
    shuffled = jax.random.permutation(jax.random.fold_in(order_key, index), len(labels))

    def step(state, batch):
      teachers = () if targets is None else (Outputs(targets[batch]),)
      progress = state.step.astype(jnp.float32) / total
      state, _ = learner.step(state, teachers, images[batch], labels[batch], key, progress)
      return state, None

    batches = shuffled[: per_epoch * BATCH_SIZE].reshape(per_epoch, BATCH_SIZE)
    return jax.lax.scan(step, state, batches)

  state, _ = jax.lax.scan(epoch, start, jnp.arange(EPOCHS))
  return state.variables


def _constants(objective: Method, logits: jax.Array, labels: jax.Array) -> Any:
  """Returns what an objective prepares from each teacher's logits, `[splits, T, ...]`."""
  prepare = objective.prepare
  if prepare is None:
    return ()

  def one(logits, labels):
    return prepare((Outputs(logits),), labels, jnp.ones(labels.shape, bool), logits.shape[-1])

  return jax.vmap(jax.vmap(one, in_axes=(0, None)))(logits, labels)


def _accuracy(learner: Learner, variables: Variables, test: tuple[jax.Array, jax.Array]) -> Any:
  images, labels = test
  logits = learner.network.apply(variables, images).logits
  return jnp.mean((jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32))
