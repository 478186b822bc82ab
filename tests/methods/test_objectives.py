"""Every objective's terms add up to its public loss."""

import jax.numpy as jnp
import numpy as np
import pytest
from views import KD, LABELS, STANDARDIZED, TEACHER, S, T, whole

from jaxkd import losses

# By method, its version and its loss on the batch of test_versions.py.
RECORDED = {
  "at": (2, 224.113),
  "ats": (1, 3.12418),
  "crd": (1, 20.1618),
  "cross_entropy": (1, 2.12557),
  "dist": (1, 64.2939),
  "dkd": (1, 55.3266),
  "fgcr": (1, 3.08923),
  "fitnet": (2, 57.8689),
  "isats": (1, 3.49388),
  "kd": (1, 3.06083),
  "multi": (1, 3.18463),
  "regt": (1, 2.12622),
  "reskd": (1, 12.5938),
  "rkd": (1, 5.9856),
  "sckd": (2, 3.06083),
}


@pytest.mark.parametrize(
  ("options", "expected"),
  [
    ({"name": "cross_entropy"}, lambda: losses.cross_entropy(S, LABELS)),
    ({"name": "regt", "beta": 0.5}, lambda: losses.regt(S, LABELS, beta=0.5)),
    (KD, lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0)),
    (
      {**KD, "student_tau": 2.0},
      lambda: losses.kd(S, T, LABELS, lam=0.3, tau=4.0, student_tau=2.0),
    ),
    (
      {
        "name": "ats",
        "lam": 0.3,
        "tau1": 4.0,
        "tau2": 2.0,
        "student_tau": 1.0,
        "standardize": False,
      },
      lambda: losses.ats(S, T, LABELS, lam=0.3, tau1=4.0, tau2=2.0),
    ),
    (
      {
        "name": "isats",
        "lam": 0.3,
        "grid": [1.0, 2.0, 4.0],
        "gap": 0.5,
        "student_tau": 2.0,
        "standardize": False,
      },
      lambda: losses.isats(S, T, LABELS, lam=0.3, grid=(1.0, 2.0, 4.0), gap=0.5, student_tau=2.0),
    ),
    (
      {**KD, "standardize": True},
      lambda: (
        0.7 * losses.cross_entropy(S, LABELS)
        + 0.3 * losses.kd(losses.standardize(S), losses.standardize(T), LABELS, lam=1.0, tau=4.0)
      ),
    ),
    (
      # The options of the paper on standardisation.
      {**KD, "lam": 0.9, "weight": 10.0, "tau": 2.0, "student_tau": 2.0, "standardize": True},
      lambda: (
        0.1 * losses.cross_entropy(S, LABELS)
        + 9 * losses.kd(*STANDARDIZED, LABELS, lam=1.0, tau=2.0)
      ),
    ),
    (
      {"name": "dkd", "alpha": 9.0, "beta": 72.0, "tau": 2.0, "warmup": 0.0, "standardize": True},
      lambda: (
        losses.cross_entropy(S, LABELS)
        + 9 * losses.dkd(*STANDARDIZED, LABELS, alpha=1.0, beta=8.0, tau=2.0)
      ),
    ),
    (
      {"name": "dkd", "alpha": 1.0, "beta": 8.0, "tau": 4.0, "warmup": 0.0},
      lambda: (
        losses.cross_entropy(S, LABELS) + losses.dkd(S, T, LABELS, alpha=1.0, beta=8.0, tau=4.0)
      ),
    ),
    (
      {"name": "rkd", "distance": 25.0, "angle": 50.0},
      lambda: jnp.mean(losses.cross_entropy(S, LABELS)) + losses.rkd(S, T),
    ),
    (
      {"name": "dist", "beta": 2.0, "gamma": 1.0, "tau": 4.0},
      lambda: losses.dist(S, T, LABELS, beta=2.0, gamma=1.0, tau=4.0),
    ),
  ],
)
def test_the_terms_add_up_to_the_public_loss(options, expected):
  teachers = () if options["name"] in ("cross_entropy", "regt") else (TEACHER,)
  np.testing.assert_allclose(whole(options, teachers), jnp.mean(expected()), rtol=1e-5)
