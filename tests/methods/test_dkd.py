"""The weight of DKD is warmed up."""

import jax.numpy as jnp
import numpy as np
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View


def test_the_weight_of_dkd_rises_linearly():
  options = {"name": "dkd", "alpha": 1.0, "beta": 8.0, "tau": 4.0}
  objective = methods.objective({**options, "warmup": 0.1})
  half, whole = (
    objective.loss(View(STUDENT, (TEACHER,), LABELS, progress=p))[0]
    for p in (jnp.float32(0.05), jnp.float32(0.5))
  )
  np.testing.assert_allclose(2 * half["decoupled"], whole["decoupled"], rtol=1e-5)
