"""WTTM is TTM, the divergence from a power of the teacher's probabilities, times the power sum."""

import numpy as np
import pytest
from references import agrees, bears_masked_classes, cross_entropy, kl, softmax
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View

# Version and loss on the batch of test_versions.py.
RECORDED = {"ttm": (1, 103.918), "wttm": (1, 19.9522)}


def loss(student=STUDENT, teacher=TEACHER, name="wttm", **options):
  return methods.objective({"name": name, **options}).loss(View(student, (teacher,), LABELS))


@pytest.mark.parametrize("name", ["ttm", "wttm"])
@pytest.mark.parametrize("gamma", [0.1, 0.4, 1.0])
def test_it_is_the_paper_s_loss(name, gamma):
  teacher = softmax(np.asarray(TEACHER.logits, np.float64))
  power_sum = np.sum(teacher**gamma, -1)
  matched = teacher**gamma / power_sum[:, None]
  weight = 3 * (power_sum if name == "wttm" else 1)

  def expected(student):
    return np.mean(cross_entropy(student) + weight * kl(matched, softmax(student)))

  agrees({"name": name, "gamma": gamma, "beta": 3}, expected)
  if name == "wttm":
    np.testing.assert_allclose(loss(gamma=gamma)[1]["power_sum"], power_sum, rtol=1e-5)


def test_a_student_that_matches_the_transformed_teacher_has_no_divergence():
  student = TEACHER._replace(logits=0.2 * TEACHER.logits)
  terms, _ = loss(student, gamma=0.2)
  np.testing.assert_allclose(terms["divergence"], 0, atol=1e-5)


@pytest.mark.parametrize("name", ["ttm", "wttm"])
def test_a_class_that_both_networks_mask_does_not_count(name):
  bears_masked_classes({"name": name})
