"""Compares a method's loss and its gradient with a float64 NumPy reference."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from views import LABELS, STUDENT, TEACHER, maps

from jaxkd import methods
from jaxkd.methods import View


def softmax(logits, tau=1.0):
  powers = np.exp((logits - logits.max(-1, keepdims=True)) / tau)
  return powers / powers.sum(-1, keepdims=True)


def kl(p, q):
  """The divergence of each row; a class with p = 0 adds nothing."""
  return np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p / q, 1)), 0), -1)


def cross_entropy(logits, labels=LABELS):
  return -np.log(softmax(np.asarray(logits, np.float64))[np.arange(len(labels)), labels])


def soft(student, teacher, tau):
  """The cross entropy with the teacher's softened probabilities, times tau squared."""
  student, teacher = (np.asarray(x, np.float64) for x in (student, teacher))
  return -(tau**2) * np.sum(softmax(teacher, tau) * np.log(softmax(student, tau)), -1)


def differences(function, x, step=1e-6):
  """Returns the gradient of a scalar function by central differences."""
  gradient = np.zeros_like(x)
  for index in np.ndindex(x.shape):
    shift = np.zeros_like(x)
    shift[index] = step
    gradient[index] = (function(x + shift) - function(x - shift)) / (2 * step)
  return gradient


def float64(variable):
  return np.asarray(variable[...], np.float64)


def convolved(x, kernel, stride=1, padding=0):
  """Each window of the padded maps times the kernel."""
  x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
  windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
  return np.einsum("bhwiyx,yxio->bhwo", windows[:, ::stride, ::stride], kernel, optimize=True)


def batch_normalized(x, epsilon=1e-5):
  """Batch norm by the batch, with the initial scale and bias."""
  axes = tuple(range(x.ndim - 1))
  return (x - x.mean(axes)) / np.sqrt(x.var(axes) + epsilon)


def averaged(x, size):
  """Means over blocks of `[B, H, W, C]`, `size` of them along each side."""
  batch, height, width, channels = x.shape
  blocks = x.reshape(batch, size, height // size, size, width // size, channels)
  return blocks.mean((2, 4))


def positive_maps(seed, *sizes):
  """Maps above 0, where ReLUs and lengths have gradients."""
  outputs = maps(seed, *sizes)
  return outputs._replace(stages=tuple(x + 0.1 for x in outputs.stages))


def minimised(options, student, teacher, **view):
  """Returns the loss that a step minimises."""

  # One program compiles faster than its operations.
  @jax.jit
  def total(student, teacher):
    given = dict(view)
    if "adapter" in view:
      # Its statistics change, so that each trace needs its own.
      given["adapter"] = nnx.clone(view["adapter"])
    terms, _ = methods.objective(options).loss(View(student, (teacher,), LABELS, **given))
    return sum(map(jnp.mean, terms.values()))

  return total(student, teacher)


def agrees(options, reference, field="logits", student=STUDENT, teacher=TEACHER, **view):
  """Asserts that value and gradient, in a field of the student's outputs, equal the reference's.

  `reference` maps this field, an array or the stages in float64, to the loss that is minimised;
  `view` has other fields of the `View`.
  """

  def total(x):
    return minimised(options, student._replace(**{field: x}), teacher, **view)

  x = getattr(student, field)
  value, gradient = jax.jit(jax.value_and_grad(total))(x)
  x = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), x)
  np.testing.assert_allclose(value, reference(x), rtol=1e-5)
  leaves, tree = jax.tree.flatten(x)
  for i, (leaf, found) in enumerate(zip(leaves, jax.tree.leaves(gradient), strict=True)):

    def replaced(leaf, i=i):
      return reference(tree.unflatten([*leaves[:i], leaf, *leaves[i + 1 :]]))

    expected = differences(replaced, leaf)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def bears_masked_classes(options, **view):
  """Asserts that a class that both networks mask has no part in loss and gradient."""

  def total(x, change):
    teacher = TEACHER._replace(logits=change(TEACHER.logits))
    return minimised(options, STUDENT._replace(logits=change(x)), teacher, **view)

  gradient_of = jax.jit(jax.value_and_grad(total), static_argnums=1)
  masked = gradient_of(STUDENT.logits, lambda x: x.at[:, 4].set(-jnp.inf))
  without = gradient_of(STUDENT.logits, lambda x: x[:, :4])
  for a, b in zip(masked, without, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
