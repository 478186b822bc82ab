"""Fig. 6 shows matrices on one scale."""

import numpy as np
from reading_pictures import axes_of, ticks_of

from jaxkd.analysis.figures import fig6
from jaxkd.reports import style


def test_panels_show_the_matrices_on_one_scale():
  matrices = {
    "Spearman": np.array([[1.0, 0.9], [0.9, 1.0]]),
    "Kendall": np.array([[1.0, 0.75], [0.75, 1.0]]),
  }
  figure = fig6.plot(["14", "110"], matrices)
  for ax, (title, matrix) in zip(axes_of(figure), matrices.items(), strict=True):
    assert ax.get_title() == title
    np.testing.assert_array_equal(ax.images[0].get_array(), matrix)
    # A colour stands for one number in all panels and reports.
    assert ax.images[0].get_clim() == (0, 1)
    assert ticks_of(ax.yaxis) == ["14", "110"]
  assert ticks_of(axes_of(figure)[-1].xaxis) == ["14", "110"]
  assert figure.get_figwidth() == style.COLUMN_WIDTH
