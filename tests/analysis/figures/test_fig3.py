"""Fig. 3 shows angles with their deviations."""

import numpy as np
from reading_pictures import axes_of, ticks_of

from jaxkd.analysis.figures import fig3
from jaxkd.metrics import FeatureAngles


def test_bars_show_mean_angles_with_deviations():
  angles = {
    "14": FeatureAngles(*np.array([40, 8, 60, 9])),
    "110": FeatureAngles(*np.array([20, 4, 80, 5])),
  }
  figure = fig3.plot(angles)
  ax = axes_of(figure)[0]
  figure.draw_without_rendering()
  legend = figure.legends[0].get_window_extent()
  assert legend.y0 >= ax.get_window_extent().y1
  assert ticks_of(ax.xaxis) == ["14", "110"]
  shown = {bars.get_label(): bars for bars in ax.containers}
  for name, means, spans in [
    ("same class", [40, 20], [[32, 48], [16, 24]]),
    ("two classes", [60, 80], [[51, 69], [75, 85]]),
  ]:
    line, _, (bars,) = shown[name]
    np.testing.assert_array_equal(line.get_ydata(), means)
    segments = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_array_equal(segments, spans)
