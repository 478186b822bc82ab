"""CAT-KD compares class activation maps."""

import jax
import numpy as np
import pytest
from references import agrees, cross_entropy
from views import STUDENT, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"catkd": (1, 182.048)}
OWN, TARGET = (
  outputs._replace(class_map=jax.random.normal(jax.random.key(seed), (4, size, size, 5)))
  for outputs, seed, size in ((STUDENT, 2, 4), (TEACHER, 3, 8))
)


def attention(class_map, side, normalize):
  """The grids of all classes, `[B, side, side, C]`."""
  x = np.asarray(class_map, np.float64)
  pixels = x.shape[1] // side
  grid = x.reshape(4, side, pixels, side, pixels, 5).mean((2, 4))
  return grid / np.sqrt(np.sum(grid**2, (1, 2), keepdims=True)) if normalize else grid


@pytest.mark.parametrize(("side", "normalize"), [(2, True), (4, True), (2, False)])
def test_the_loss_equals_that_of_the_authors_code(side, normalize):
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def expected(class_map):
    pair = (attention(x, side, normalize) for x in (class_map, TARGET.class_map))
    return hard + 7 * np.mean(np.subtract(*pair) ** 2)

  options = {"name": "catkd", "weight": 7, "resolution": side, "normalize": normalize}
  agrees(options, expected, "class_map", OWN, TARGET)
