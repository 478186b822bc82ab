"""OFA-KD's exits learn from the teacher, enhanced at the label's class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import (
  agrees,
  batch_normalized,
  convolved,
  cross_entropy,
  float64,
  minimised,
  softmax,
)
from views import LABELS, STUDENT, TEACHER, S, T, maps

from jaxkd import methods

# Version and loss on the batch of test_versions.py.
RECORDED = {"ofa": (1, 10.2622)}
OPTIONS = {"name": "ofa", "weight": 0.7, "kd": 0.4, "gamma": 1.3, "tau": 2}
OWN = maps(0, (6, 2), (4, 3), (2, 2))._replace(features=S[:, :3])
TARGET = TEACHER._replace(features=T)


def adapter(student=OWN):
  return methods.objective(OPTIONS).adapter(student, (TARGET,), nnx.Rngs(0))


def distance(logits):
  teacher = softmax(float64(T) / 2)
  right = np.eye(5)[LABELS]
  weights = np.where(right, (1 + teacher) ** 1.3 - 1, teacher**1.3)
  return np.mean(np.sum(-weights * np.log(softmax(logits / 2)), -1))


def exit_logits(leave, x):
  x = x if x.ndim == 4 else x[:, None, None]
  for block in leave.blocks:
    if not isinstance(block, nnx.List):
      x = x @ float64(block.kernel)[0, 0] + float64(block.bias)
      continue
    for depthwise, pointwise, stride in ((block[0], block[1], 2), (block[4], block[5], 1)):
      # Each channel with its own kernel.
      kernel = float64(depthwise.kernel)
      each = [
        convolved(x[..., i : i + 1], kernel[..., i : i + 1], stride, 1) for i in range(x.shape[-1])
      ]
      x = np.concatenate(each, -1) @ float64(pointwise.kernel)[0, 0]
      x = np.maximum(batch_normalized(x), 0)
  return x.mean((1, 2)) @ float64(leave.head.kernel) + float64(leave.head.bias)


def expected(stages, exits, logits=S):
  leaving = sum(distance(exit_logits(*pair)) for pair in zip(exits, stages, strict=True))
  logits = float64(logits)
  return np.mean(cross_entropy(logits)) + 0.4 * distance(logits) + 0.7 * leaving


def test_the_loss_equals_that_of_the_authors():
  exits = adapter()
  stages = [float64(x) for x in OWN.stages]
  view = {"student": OWN, "teacher": TARGET, "adapter": exits}
  agrees(OPTIONS, lambda x: expected(x, exits), "stages", **view)
  agrees(OPTIONS, lambda x: expected(stages, exits, x), "logits", **view)


def test_an_exit_halves_the_map_once_for_each_deeper_stage_and_doubles_the_channels():
  widths = [[block[5].kernel.shape[-1] for block in leave.blocks] for leave in adapter()[:2]]
  assert widths == [[4, 5], [5]]
  assert adapter()[2].blocks[0].kernel.shape == (1, 1, 2, 5)


def test_the_vectors_of_an_mlp_are_taken_as_pixels():
  vectors = tuple(jax.random.normal(jax.random.key(i), (4, 3)) for i in range(2))
  student = STUDENT._replace(stages=vectors)
  exits = adapter(student)
  agrees(OPTIONS, lambda x: expected(x, exits), "stages", student, TARGET, adapter=exits)


def test_a_class_that_both_networks_mask_does_not_change_the_loss():
  exits = adapter()

  def total(logits):
    student = OWN._replace(logits=logits.at[:, 4].set(-jnp.inf))
    teacher = TARGET._replace(logits=T.at[:, 4].set(-jnp.inf))
    return minimised(OPTIONS, student, teacher, adapter=exits)

  loss, gradient = jax.jit(jax.value_and_grad(total))(S)
  assert np.isfinite(loss)
  assert np.all(np.isfinite(gradient))


def test_a_student_without_stages_is_refused():
  with pytest.raises(ValueError, match="needs stages, but the student has none"):
    adapter(STUDENT)
