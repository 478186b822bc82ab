"""WTTM is the divergence from a power of the teacher's probabilities, times the power sum."""

import jax.numpy as jnp
import numpy as np
import pytest
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View

# Version and loss on the batch of test_versions.py.
RECORDED = {"wttm": (1, 19.9522)}


def probabilities(logits):
  powers = np.exp(np.asarray(logits, np.float64))
  return powers / powers.sum(-1, keepdims=True)


def loss(student=STUDENT, teacher=TEACHER, **options):
  return methods.objective({"name": "wttm", **options}).loss(View(student, (teacher,), LABELS))


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("gamma", [0.1, 0.4, 1.0])
def test_wttm_equals_the_papers_loss(gamma, weighted):
  terms, diagnostics = loss(gamma=gamma, beta=3, weighted=weighted)
  student, teacher = (probabilities(outputs.logits) for outputs in (STUDENT, TEACHER))
  power_sum = np.sum(teacher**gamma, -1)
  matched = teacher**gamma / power_sum[:, None]
  divergence = np.sum(matched * np.log(matched / student), -1)
  expected = 3 * divergence * (power_sum if weighted else 1)
  hard = -np.log(student[np.arange(4), LABELS])
  assert terms.keys() == {"cross_entropy", "divergence"}
  np.testing.assert_allclose(terms["divergence"], expected, rtol=1e-5)
  np.testing.assert_allclose(terms["cross_entropy"], hard, rtol=1e-5)
  np.testing.assert_allclose(diagnostics["power_sum"], power_sum, rtol=1e-5)


def test_a_student_that_matches_the_transformed_teacher_has_no_divergence():
  student = TEACHER._replace(logits=0.2 * TEACHER.logits)
  terms, _ = loss(student, gamma=0.2)
  np.testing.assert_allclose(terms["divergence"], 0, atol=1e-5)


def test_a_class_that_both_networks_mask_does_not_change_the_loss():
  masked, without = (
    [outputs._replace(logits=change(outputs.logits)) for outputs in (STUDENT, TEACHER)]
    for change in (lambda x: x.at[:, 4].set(-jnp.inf), lambda x: x[:, :4])
  )
  for a, b in zip(loss(*masked), loss(*without), strict=True):
    for name in a:
      np.testing.assert_allclose(a[name], b[name], rtol=1e-5)
