"""Fig. 5 shows distributions in percent."""

import numpy as np
from reading_pictures import axes_of, cells_of, ticks_of

from jaxkd.analysis.figures import fig5


def test_cells_show_the_overlap_in_percent():
  distributions = [np.array([0.3, 0.7]), np.array([0.1, 0.2, 0.7])]
  ax = axes_of(fig5.plot(distributions, title="CUB"))[0]
  assert ax.get_title() == "CUB"
  assert (ax.get_xlabel(), ax.get_ylabel()) == ("K", "common classes")
  assert cells_of(ax) == ["30", "10", "70", "20", "70"]
  assert ticks_of(ax.xaxis) == ["1", "2"]
  assert ticks_of(ax.yaxis) == ["0", "1", "2"]
  np.testing.assert_allclose(
    ax.images[0].get_array().filled(np.nan), np.array([[30, 10], [70, 20], [np.nan, 70]])
  )
