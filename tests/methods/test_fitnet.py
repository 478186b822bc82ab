"""FitNet regresses a stage."""

import numpy as np
import pytest
from flax import nnx
from views import LABELS, maps

from jaxkd import methods
from jaxkd.methods import View


def test_fitnet_regresses_to_the_teachers_shape():
  student, teacher = maps(0, (8, 3), (4, 5)), maps(1, (8, 2), (2, 7))
  objective = methods.objective({"name": "fitnet", "weight": 2.0, "stage": 1})
  regressor = objective.adapter(student, (teacher,), nnx.Rngs(0))
  terms, _ = objective.loss(View(student, (teacher,), LABELS, adapter=regressor))
  hint = regressor(student.stages[1], teacher.stages[1])
  assert hint.shape == teacher.stages[1].shape
  expected = np.mean((np.asarray(hint, np.float64) - teacher.stages[1]) ** 2, axis=(1, 2, 3))
  np.testing.assert_allclose(terms["hint"], 2 * expected, rtol=1e-4)
  with pytest.raises(ValueError, match="needs stage 2 as a map, but a network has 2 stages"):
    methods.objective({"name": "fitnet", "weight": 1.0, "stage": 2}).adapter(
      student, (teacher,), nnx.Rngs(0)
    )
