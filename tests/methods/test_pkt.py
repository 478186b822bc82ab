"""PKT matches the probabilities that examples are neighbours."""

import jax
import numpy as np
from references import agrees, cross_entropy, minimised
from views import STUDENT, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"pkt": (1, 931.933)}
FEATURES = jax.random.normal(jax.random.key(5), (4, 7))


def neighbours(features):
  units = features / np.linalg.norm(features, axis=1, keepdims=True)
  similarity = (1 + units @ units.T) / 2
  return similarity / similarity.sum(1, keepdims=True)


def test_the_loss_equals_that_of_the_authors_code():
  p = neighbours(np.asarray(FEATURES, np.float64))
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def expected(features):
    q = neighbours(features)
    return hard + 200 * np.mean(p * np.log((p + 1e-7) / (q + 1e-7)))

  teacher = TEACHER._replace(features=FEATURES)
  agrees({"name": "pkt", "weight": 200}, expected, field="features", teacher=teacher)


def test_features_of_zeros_have_a_finite_gradient():
  zeros = STUDENT._replace(features=STUDENT.features.at[1].set(0))
  gradient = jax.grad(lambda x: minimised("pkt", zeros._replace(features=x), TEACHER))
  assert np.all(np.isfinite(gradient(zeros.features)))
