"""RLD refines the teacher's logits by the label."""

import jax.numpy as jnp
import numpy as np
import pytest
from references import agrees, bears_masked_classes, cross_entropy, kl, softmax
from views import LABELS, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"rld": (1, 19.2585)}
# The teacher ranks the label's class first, second, and last of five.
RANKED = TEACHER._replace(
  logits=jnp.array([[4.0, 1, 0, -1, 2], [3, 0, 1, 2, -1], [1, -2, 3, 0, 2], [0, 1, 3, -1, 2]])
)


def paper(teacher, alpha=1, beta=8, tau=4.0, confidence_tau=4.0):
  """Returns the loss as a function of the student's logits, one example after the other."""

  def example(student, teacher, label):
    pair = [
      np.array([p, 1 - p])
      for p in (softmax(teacher, confidence_tau).max(), softmax(student, confidence_tau)[label])
    ]
    below = teacher < teacher[label]
    rest = kl(softmax(teacher[below], tau), softmax(student[below], tau)) if below.any() else 0
    return alpha * confidence_tau**2 * kl(*pair) + beta * tau**2 * rest

  def loss(student):
    rows = zip(student, np.asarray(teacher.logits, np.float64), LABELS, strict=True)
    return np.mean(cross_entropy(student) + [example(*row) for row in rows])

  return loss


@pytest.mark.parametrize("teacher", [TEACHER, RANKED])
@pytest.mark.parametrize("options", [{}, {"alpha": 2, "beta": 3, "tau": 2.0, "confidence_tau": 1}])
def test_the_loss_equals_that_of_the_paper(teacher, options):
  agrees({"name": "rld", **options}, paper(teacher, **options), teacher=teacher, progress=0.5)


def test_the_weight_rises_over_the_warmup():
  agrees({"name": "rld", "warmup": 0.2}, paper(TEACHER, 0.25, 2), progress=0.05)
  agrees({"name": "rld", "warmup": 0.0}, paper(TEACHER), progress=0.0)


def test_a_class_that_both_networks_mask_does_not_count():
  bears_masked_classes({"name": "rld"}, progress=0.5)
