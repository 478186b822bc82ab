"""Fig. 7 of the ATS paper: curves do not depend on the size of a block."""

from typing import Any

import numpy as np

from jaxkd.analysis import measure
from jaxkd.analysis.figures import ats_fig7

_RNG: Any = np.random.default_rng(0)


def test_curves_are_equal_for_every_block_size(monkeypatch):
  values, labels = _RNG.normal(size=(10, 5)), np.arange(10) % 5
  whole = ats_fig7.temperature_curves(values, labels, (1.25, 0.75))
  monkeypatch.setattr(measure, "_BLOCK", 4)
  parts = ats_fig7.temperature_curves(values, labels, (1.25, 0.75))
  np.testing.assert_allclose(whole, parts, rtol=1e-5)
