"""The weight of DKD is warmed up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
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


def test_the_ramp_is_up_to_a_twentieth_below_the_originals():
  # Its weight is constant within an epoch: min(epoch / 20, 1), the first epoch is 1.
  epochs = np.arange(0, 24, 0.125)
  original = np.minimum((np.floor(epochs) + 1) / 20, 1)

  def weight(progress):
    terms, _ = methods.objective("dkd").loss(View(STUDENT, (TEACHER,), LABELS, progress=progress))
    return jnp.mean(terms["decoupled"])

  ours = jax.vmap(weight)(jnp.asarray(epochs / 240, jnp.float32))
  less = original - np.asarray(ours / ours[-1])
  assert less.max() == pytest.approx(1 / 20, rel=1e-4)
  assert less.min() > -1e-5
  np.testing.assert_allclose(less[epochs >= 20], 0, atol=1e-5)
