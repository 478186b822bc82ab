"""AB compares the sides of 0 first, and trains with cross entropy then."""

import jax
import numpy as np
import pytest
from flax import nnx
from references import agrees, batch_normalized, convolved, cross_entropy, float64, minimised
from views import STUDENT, TEACHER, preactivations

from jaxkd import methods
from jaxkd.methods.fitnet import Regressor

# Version and loss on the batch of test_versions.py, where cross entropy is left.
RECORDED = {"ab": (1, 2.12557)}
OPTIONS = {"name": "ab", "weight": 0.4, "margin": 0.7, "init": 0.25}
# The second stages have equal shapes; the student's third has no partner.
OWN = preactivations(STUDENT, 0, (4, 2), (2, 3), (2, 3))
TARGET = preactivations(TEACHER, 1, (2, 4), (2, 3))


def adapter():
  return methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))


def boundaries(stages, regressor):
  first, second = map(float64, TARGET.preactivations)
  x = batch_normalized(convolved(stages[0], float64(regressor.conv.kernel), 2, 1))
  total = 0
  for s, t, weight in ((x, first, 0.2), (stages[1], second, 0.4)):
    s, side = s.ravel(), np.where(t.ravel() > 0, 1, -1)
    wrong = side * s < 0.7
    total += weight * np.sum((s[wrong] - 0.7 * side[wrong]) ** 2)
  return total / 4


def test_the_loss_equals_that_of_repdistiller_at_first():
  connectors = adapter()
  view = {"adapter": connectors, "progress": 0.2}
  agrees(OPTIONS, lambda x: boundaries(x, connectors[0]), "preactivations", OWN, TARGET, **view)


def test_cross_entropy_alone_follows():
  def total(stages):
    own = OWN._replace(preactivations=stages)
    return minimised(OPTIONS, own, TARGET, adapter=adapter(), progress=0.25)

  loss, gradient = jax.jit(jax.value_and_grad(total))(OWN.preactivations)
  np.testing.assert_allclose(loss, np.mean(cross_entropy(float64(STUDENT.logits))), rtol=1e-6)
  for leaf in gradient:
    np.testing.assert_array_equal(leaf, 0)


def test_maps_of_equal_shape_need_no_regressor():
  assert [isinstance(connect, Regressor) for connect in adapter()] == [True, False]


def test_a_network_without_preactivations_is_refused():
  with pytest.raises(
    ValueError, match="needs stage 0 as a map, but a network has 0 preactivations"
  ):
    methods.objective("ab").adapter(STUDENT, (TARGET,), nnx.Rngs(0))
