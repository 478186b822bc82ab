"""SCKD gates the soft term."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from views import LABELS, STUDENT, TEACHER, S, T

from jaxkd import losses, methods
from jaxkd.methods import View


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("per", ["sample", "batch"])
def test_sckd_drops_the_soft_term_where_gradients_disagree(per, standardize):
  options = {"name": "sckd", "lam": 0.5, "tau": 4.0, "student_tau": None}
  options["standardize"] = standardize
  comparable = losses.standardize if standardize else lambda logits: logits

  def distilled(s):
    return losses.kd(comparable(s), comparable(T), LABELS, lam=1.0, tau=4.0)

  terms, diagnostics = methods.objective({**options, "per": per}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )

  def gradient(loss):
    return jax.grad(lambda s: jnp.sum(loss(s)))(S)

  task = gradient(lambda s: losses.cross_entropy(s, LABELS))
  soft = gradient(distilled)
  products = np.sum(np.asarray(task) * np.asarray(soft), axis=-1)
  if per == "batch":
    products = np.full_like(products, products.sum())
  # The test needs examples of both kinds.
  assert per == "batch" or 0 < np.mean(products >= 0) < 1
  np.testing.assert_array_equal(diagnostics["agreement"], products >= 0)
  np.testing.assert_allclose(
    terms["soft"], 0.5 * np.asarray(distilled(S)) * (products >= 0), rtol=1e-6
  )
  # The weight of the cross entropy is the same everywhere.
  np.testing.assert_allclose(
    terms["hard"], 0.5 * np.asarray(losses.cross_entropy(S, LABELS)), rtol=1e-6
  )
