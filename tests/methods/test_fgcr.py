"""FGCR prepares class means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from views import LABELS, STANDARDIZED, S, T, whole

from jaxkd import losses, methods
from jaxkd.models import Outputs


@pytest.mark.parametrize("standardize", [False, True])
def test_fgcr_prepares_class_means_one_temperature_lower(standardize):
  options = {
    "name": "fgcr",
    "lam": 0.3,
    "tau": 4.0,
    "alpha": 0.1,
    "student_tau": 4.0,
    "standardize": standardize,
  }
  objective = methods.objective(options)
  # Two batches, each with one masked example.
  batches = (
    objective.prepare((Outputs(T[:3]),), LABELS[:3], jnp.array([True, True, False]), 5),
    objective.prepare((Outputs(T[1:]),), LABELS[1:], jnp.array([False, True, True]), 5),
  )
  constants = jax.tree.map(jnp.add, *batches)
  student, teacher = STANDARDIZED if standardize else (S, T)
  means = losses.class_mean_probabilities(teacher, LABELS, 5, tau=3.0)
  np.testing.assert_allclose(means[3], losses.softmax(teacher[1], 3.0), rtol=1e-6)
  soft = losses.fgcr(student, teacher, LABELS, means, lam=1.0, tau=4.0, alpha=0.1)
  expected = 0.7 * losses.cross_entropy(S, LABELS) + 0.3 * soft
  np.testing.assert_allclose(whole(options, constants=constants), jnp.mean(expected), rtol=1e-6)
