"""Attention maps are compared stage by stage."""

import jax
import numpy as np
import pytest
from views import LABELS, STUDENT, S, maps

from jaxkd import methods
from jaxkd.methods import View


def test_attention_is_compared_stage_by_stage_at_the_smaller_size():
  student = maps(0, (8, 3), (4, 5), (2, 2))
  teacher = maps(1, (4, 2), (8, 7))
  objective = methods.objective({"name": "at", "weight": 10.0})
  terms, _ = jax.jit(objective.loss)(View(student, (teacher,), LABELS))

  def attention(features):
    features = np.asarray(features, np.float64)
    block = features.shape[1] // 4
    pooled = features.reshape(4, 4, block, 4, block, -1).mean((2, 4))
    energy = np.mean(pooled**2, axis=-1).reshape(4, -1)
    return energy / np.linalg.norm(energy, axis=-1, keepdims=True)

  # The teacher has no third stage.
  expected = sum(
    np.mean((attention(s) - attention(t)) ** 2, axis=-1)
    for s, t in zip(student.stages, teacher.stages, strict=False)
  )
  np.testing.assert_allclose(terms["attention"], 10 * expected, rtol=1e-5)


def test_attention_needs_maps():
  with pytest.raises(ValueError, match="needs stage 0 as a map, but a network has 1 stages"):
    methods.objective({"name": "at", "weight": 1.0}).loss(
      View(STUDENT._replace(stages=(S,)), (maps(1, (8, 3)),), LABELS)
    )
