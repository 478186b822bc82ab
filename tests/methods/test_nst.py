"""NST compares the distributions of the channels' maps."""

import numpy as np
from references import agrees, cross_entropy, positive_maps
from views import STUDENT

# Version and loss on the batch of test_versions.py.
RECORDED = {"nst": (1, 41.5187)}


def channels(features):
  """The channels of each example, `[B, C, H * W]`, of length 1."""
  rows = np.moveaxis(np.asarray(features, np.float64), -1, 1).reshape(4, features.shape[-1], -1)
  return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def halved(features):
  size = features.shape[1] // 2
  return np.asarray(features).reshape(4, size, 2, size, 2, -1).mean((2, 4))


def test_the_loss_equals_that_of_the_toolkits_on_all_stages():
  student, teacher = positive_maps(0, (4, 3), (2, 2)), positive_maps(1, (2, 5), (4, 3), (2, 7))
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def kernel(a, b):
    return np.mean([np.mean((x @ y.T) ** 2) for x, y in zip(a, b, strict=True)])

  def expected(stages):
    pairs = (halved(stages[0]), teacher.stages[0]), (stages[1], halved(teacher.stages[1]))
    total = hard
    for s, t in ((channels(s), channels(t)) for s, t in pairs):
      total += 20 * (kernel(t, t) + kernel(s, s) - 2 * kernel(s, t))
    return total

  agrees({"name": "nst", "weight": 20}, expected, "stages", student, teacher)
