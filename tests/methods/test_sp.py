"""SP matches the similarities of examples in the last stage."""

import numpy as np
from references import agrees, cross_entropy
from views import STUDENT, maps

# Version and loss on the batch of test_versions.py.
RECORDED = {"sp": (1, 145.519)}


def similarities(features):
  flat = np.asarray(features, np.float64).reshape(len(features), -1)
  products = flat @ flat.T
  return products / np.linalg.norm(products, axis=1, keepdims=True)


def test_the_loss_equals_that_of_the_toolkits_on_the_last_stages():
  student, teacher = maps(0, (4, 2), (2, 3)), maps(1, (6, 2), (5, 3), (4, 2))
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def expected(stages):
    gap = similarities(teacher.stages[-1]) - similarities(stages[-1])
    return hard + 30 * np.sum(gap**2) / 16

  agrees({"name": "sp", "weight": 30}, expected, "stages", student, teacher)
