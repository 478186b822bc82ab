"""Input checks: ranks, sizes, integer labels and static temperatures, known while JAX traces."""

import numbers

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses._numerics import Labels

TAU_RANGE = (1e-4, 1e4)
"""Smallest and largest temperature: float32 holds the losses between them."""

Shape = tuple[int, ...]


def _refuse(name: str, shape: Shape, expected: str) -> None:
  raise ValueError(f"{name} has shape {shape}; it must be {expected}")


def equal_shapes(**arrays: ArrayLike) -> Shape:
  """Returns the shape that all arrays have."""
  (first, shape), *others = ((name, np.shape(array)) for name, array in arrays.items())
  for name, other in others:
    if other != shape:
      _refuse(name, other, f"{shape}, the shape of {first}")
  return shape


def logits(*, rank: int | None = None, **arrays: ArrayLike) -> Shape:
  """Checks arrays `[..., C]` of one shape; returns their `[...]`."""
  for name, array in arrays.items():
    shape = np.shape(array)
    if not shape or shape[-1] < 2 or rank not in (None, len(shape)):
      layout = "[..., C]" if rank is None else "[B, C]"
      _refuse(name, shape, f"{layout} with C >= 2 classes")
  return equal_shapes(**arrays)[:-1]


def some(**arrays: ArrayLike) -> None:
  """Checks that there is at least one example."""
  for name, array in arrays.items():
    if 0 in np.shape(array):
      _refuse(name, np.shape(array), "of one example or more")


def labels(labels: ArrayLike, logits: ArrayLike, ignore_label: int | None = None) -> Labels:
  """Checks the labels `[...]` of logits `[..., C]`."""
  labels = jnp.asarray(labels)
  *examples, num_classes = np.shape(logits)
  if labels.shape != tuple(examples):
    expected = f"{tuple(examples)}, one integer for each example (not one-hot)"
    _refuse("labels", labels.shape, expected)
  if not jnp.issubdtype(labels.dtype, jnp.integer):
    raise ValueError(f"labels has dtype {labels.dtype}; it must be integers, one for each example")
  return Labels.of(labels, num_classes, ignore_label)


def per_example(examples: Shape, **values: ArrayLike) -> None:
  """Checks that each value is a scalar or has the shape `[...]` of the examples."""
  for name, value in values.items():
    if np.shape(value) not in ((), examples):
      expected = f"a scalar or {examples}, one value for each example" if examples else "a scalar"
      _refuse(name, np.shape(value), expected)


def temperatures(examples: Shape, **taus: ArrayLike | None) -> None:
  """Checks shapes, and the range of values that are not JAX arrays; None is skipped."""
  low, high = TAU_RANGE
  for name, tau in taus.items():
    if tau is not None:
      per_example(examples, **{name: tau})
    if isinstance(tau, numbers.Real | np.ndarray):
      for value in np.ravel(tau).tolist():
        if not low <= value <= high:
          raise ValueError(f"{name} is {value}; a temperature must be from {low:g} to {high:g}")


def grid(grid: tuple[float, ...] | Array, gap: ArrayLike = 0.0) -> None:
  """Checks a grid of temperatures, alone and with a gap added."""
  static = isinstance(grid, tuple | list | np.ndarray)
  shape = (len(grid),) if isinstance(grid, tuple | list) else np.shape(grid)
  if len(shape) != 1 or not shape[0]:
    _refuse("grid", shape, "[G], with one temperature or more")
  for tau in grid if static else ():
    temperatures((), **{"grid": tau})
    if isinstance(gap, numbers.Real):
      temperatures((), **{"grid + gap": tau + gap})


def class_means(class_means: ArrayLike, logits: ArrayLike) -> None:
  """Checks class means `[C, C]` for logits `[..., C]`."""
  expected = 2 * np.shape(logits)[-1:]
  if np.shape(class_means) != expected:
    _refuse("class_means", np.shape(class_means), f"{expected}, a row for each class")


def features(layout: str, min_rank: int, max_rank: int | None = None, **arrays: ArrayLike) -> None:
  """Checks features that agree in every axis but the last."""
  (first, wanted), *_ = shapes = [(name, np.shape(array)) for name, array in arrays.items()]
  for name, shape in shapes:
    if not min_rank <= len(shape) <= (max_rank or len(shape)):
      _refuse(name, shape, layout)
    if shape[:-1] != wanted[:-1]:
      axes = ", ".join(map(str, wanted[:-1]))
      _refuse(name, shape, f"({axes}, any), as {first} is {wanted}")


def embeddings(
  student: ArrayLike, teacher: ArrayLike, negatives: ArrayLike, where: ArrayLike | None
) -> None:
  """Checks embeddings `[..., E]`, negatives and their mask."""
  shape = equal_shapes(student_embeddings=student, teacher_embeddings=teacher)
  if not shape:
    _refuse("student_embeddings", shape, "[..., E]")
  *examples, size = shape
  found = np.shape(negatives)
  if len(found) < 2 or found[-1] != size or not _broadcasts(found[:-2], examples):
    _refuse("negatives", found, f"{(*examples, 'K', size)}, or broadcast to it".replace("'", ""))
  if where is not None and not _broadcasts(np.shape(where), [*examples, found[-2]]):
    _refuse("where", np.shape(where), f"{(*examples, found[-2])}, or broadcast to it")


def _broadcasts(shape: Shape, expected: list[int]) -> bool:
  pairs = zip(shape[::-1], expected[::-1], strict=False)
  return len(shape) <= len(expected) and all(size in (1, wanted) for size, wanted in pairs)
