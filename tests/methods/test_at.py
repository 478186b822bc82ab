"""Attention maps are compared stage by stage."""

import jax
import numpy as np
import pytest
from views import LABELS, STUDENT, S, maps, stage_sizes

from jaxkd import methods
from jaxkd.methods import View


def attention(features, size):
  """The normalised energies of maps that are averaged to `size` pixels, in float64."""
  features = np.asarray(features, np.float64)
  block = features.shape[1] // size
  pooled = features.reshape(4, size, block, size, block, -1).mean((2, 4))
  energy = np.mean(pooled**2, axis=-1).reshape(4, -1)
  return energy / np.linalg.norm(energy, axis=-1, keepdims=True)


def distance(student, teacher, sizes):
  """The loss of the first stages, each pair compared at one of `sizes`."""
  return sum(
    np.mean((attention(s, size) - attention(t, size)) ** 2, axis=-1)
    for s, t, size in zip(student.stages, teacher.stages, sizes, strict=False)
  )


def test_attention_is_compared_stage_by_stage_at_the_smaller_size():
  student = maps(0, (8, 3), (4, 5), (2, 2))
  teacher = maps(1, (4, 2), (8, 7))
  objective = methods.objective({"name": "at", "weight": 10.0})
  terms, _ = jax.jit(objective.loss)(View(student, (teacher,), LABELS))
  # The teacher has no third stage.
  expected = distance(student, teacher, [4, 4])
  np.testing.assert_allclose(terms["attention"], 10 * expected, rtol=1e-5)


def test_resnet110_and_vgg8_are_compared_at_the_toolkits_sizes_and_weight():
  teacher, student = maps(0, *stage_sizes("resnet110")), maps(1, *stage_sizes("vgg8"))
  sizes = [[stage.shape[1] for stage in outputs.stages] for outputs in (teacher, student)]
  # VGG8's fourth map has no partner.
  assert sizes == [[32, 16, 8], [16, 8, 4, 4]]
  terms, _ = jax.jit(methods.objective("at").loss)(View(student, (teacher,), LABELS))
  expected = distance(student, teacher, [16, 8, 4])
  np.testing.assert_allclose(terms["attention"], 1000 * expected, rtol=1e-5)


def test_at_without_maps_is_refused():
  with pytest.raises(ValueError, match="needs stage 0 as a map, but a network has 1 stages"):
    methods.objective({"name": "at", "weight": 1.0}).loss(
      View(STUDENT._replace(stages=(S,)), (maps(1, (8, 3)),), LABELS)
    )
