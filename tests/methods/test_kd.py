"""KD can end before the training does."""

import jax.numpy as jnp
import numpy as np
from views import KD, LABELS, STUDENT, TEACHER, S

from jaxkd import losses, methods
from jaxkd.methods import View


def test_distillation_ends_at_the_option_until():
  objective = methods.objective({**KD, "until": 0.6})
  for progress, weight in ((0.5, 0.3), (0.7, 0.0)):
    terms, _ = objective.loss(View(STUDENT, (TEACHER,), LABELS, progress=jnp.float32(progress)))
    hard = losses.cross_entropy(S, LABELS)
    np.testing.assert_allclose(terms["hard"], (1 - weight) * np.asarray(hard), rtol=1e-6)
    assert bool(jnp.any(terms["soft"] != 0)) == bool(weight)
