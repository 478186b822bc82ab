"""NKD weighs the label's class by the teacher's confidence and normalises the wrong classes."""

import numpy as np
import pytest
from references import agrees, bears_masked_classes, cross_entropy, softmax
from views import LABELS, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"nkd": (1, 59.4434)}


def wrong(logits):
  return np.stack([np.delete(row, label) for row, label in zip(logits, LABELS, strict=True)])


@pytest.mark.parametrize(("gamma", "tau"), [(1.5, 1.0), (3.5, 3.0)])
def test_the_loss_equals_that_of_the_paper(gamma, tau):
  teacher = np.asarray(TEACHER.logits, np.float64)
  confidence = softmax(teacher)[np.arange(4), LABELS]

  def expected(student):
    hard = cross_entropy(student)
    soft = np.sum(softmax(wrong(teacher), tau) * np.log(softmax(wrong(student), tau)), -1)
    return np.mean(hard + confidence * hard - gamma * tau**2 * soft)

  agrees({"name": "nkd", "gamma": gamma, "tau": tau}, expected)


def test_a_class_that_both_networks_mask_does_not_count():
  bears_masked_classes({"name": "nkd"})
