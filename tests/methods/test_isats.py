"""ISATS reports its temperatures."""

import numpy as np
from views import LABELS, STUDENT, TEACHER, T

from jaxkd import losses, methods
from jaxkd.methods import View


def test_isats_reports_how_often_each_temperature_is_chosen():
  grid = (1.0, 2.0, 8.0)
  options = {"name": "isats", "lam": 0.5, "gap": 1.0, "student_tau": 1.0}
  options["standardize"] = False
  _, shares = methods.objective({**options, "grid": grid}).loss(View(STUDENT, (TEACHER,), LABELS))
  chosen = losses.optimal_temperature(T, LABELS, grid)
  for tau in grid:
    np.testing.assert_array_equal(shares[f"tau_star_{tau:g}"], chosen == tau)
