"""FSP compares flow matrices first, and trains with cross entropy then."""

import jax
import numpy as np
import pytest
from references import agrees, averaged, cross_entropy, float64, minimised
from views import STUDENT, maps

# Version and loss on the batch of test_versions.py, where cross entropy is left.
RECORDED = {"fsp": (1, 2.12557)}
OPTIONS = {"name": "fsp", "weight": 3, "init": 0.25}
# The student's fourth stage has no partner, and its second is larger than its first.
OWN, TARGET = maps(0, (2, 3), (4, 2), (2, 4), (2, 2)), maps(1, (4, 3), (2, 2), (2, 4))


def flow(below, above):
  size = min(below.shape[1], above.shape[1])
  below, above = (averaged(x, size).reshape(4, size**2, -1) for x in (below, above))
  return np.swapaxes(below, 1, 2) @ above / size**2


def expected(stages):
  theirs = [float64(x) for x in TARGET.stages]
  first, second = (
    np.mean((flow(*stages[i : i + 2]) - flow(*theirs[i : i + 2])) ** 2) for i in (0, 1)
  )
  return 3 * (first + second)


def test_the_loss_equals_that_of_repdistiller_at_first():
  agrees(OPTIONS, expected, "stages", OWN, TARGET, progress=0.2)


def test_cross_entropy_alone_follows():
  def total(stages):
    return minimised(OPTIONS, OWN._replace(stages=stages), TARGET, progress=0.25)

  loss, gradient = jax.jit(jax.value_and_grad(total))(OWN.stages)
  np.testing.assert_allclose(loss, np.mean(cross_entropy(float64(STUDENT.logits))), rtol=1e-6)
  for leaf in gradient:
    np.testing.assert_array_equal(leaf, 0)


@pytest.mark.parametrize(
  ("own", "message"),
  [
    (maps(0, (4, 3), (2, 5)), r"student's have \[3, 5\], the teacher's \[3, 2\]"),
    (maps(0, (4, 3)), r"two stages or more.* student's have \[3\], the teacher's \[3\]"),
  ],
)
def test_other_stages_are_refused(own, message):
  with pytest.raises(ValueError, match=message):
    minimised(OPTIONS, own, TARGET)
