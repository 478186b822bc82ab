"""MLKD matches probabilities by example, by batch and by class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import agrees, cross_entropy, kl, minimised, softmax
from views import STUDENT, TEACHER

# Version and loss on the batch of test_versions.py.
RECORDED = {"mlkd": (1, 15.5106)}


def paper(teacher, lam=0.9, taus=(2, 3, 4, 5, 6)):
  teacher = np.asarray(teacher.logits, np.float64)
  probs = softmax(teacher)
  shares = [np.mean(x <= np.percentile(x, 50)) for x in (probs.max(1), probs.sum(0))]

  def loss(student):
    total = (1 - lam) * np.mean(cross_entropy(student))
    for tau in taus:
      s, t = softmax(student, tau), softmax(teacher, tau)
      total += lam * shares[0] * tau**2 * np.mean(kl(t, s))
      total += lam * shares[0] * np.sum((t @ t.T - s @ s.T) ** 2) / len(s)
      total += lam * shares[1] * np.sum((t.T @ t - s.T @ s) ** 2) / len(s.T)
    return total

  return loss


TIED = TEACHER._replace(logits=TEACHER.logits.at[1:].set(TEACHER.logits[0]))


@pytest.mark.parametrize("teacher", [TEACHER, TIED])
@pytest.mark.parametrize("options", [{}, {"lam": 0.5, "taus": (1.0, 4.0)}])
def test_the_loss_equals_that_of_the_authors_code_for_one_view(teacher, options):
  agrees({"name": "mlkd", **options}, paper(teacher, **options), teacher=teacher)


def test_masked_classes_add_nothing():
  def total(x, filling):
    pair = (
      outputs._replace(logits=jnp.pad(logits, ((0, 0), (0, 1)), constant_values=filling))
      for outputs, logits in ((STUDENT, x), (TEACHER, TEACHER.logits))
    )
    return minimised("mlkd", *pair)

  gradient_of = jax.jit(jax.value_and_grad(total))
  masked, negligible = (gradient_of(STUDENT.logits, filling) for filling in (-jnp.inf, -1e30))
  for a, b in zip(masked, negligible, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)
