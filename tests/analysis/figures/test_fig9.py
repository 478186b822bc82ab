"""Fig. 9 shows labels and their variances."""

from typing import Any

import numpy as np
import pytest
from known_teachers import findings, study
from reading_pictures import axes_of, cells_of, heights_of, ticks_of

from jaxkd.analysis.figures import _labels, fig9
from jaxkd.analysis.study import Settings
from jaxkd.reports import style

_RNG: Any = np.random.default_rng(0)
PROBS = {"small": np.array([0.1, 0.6, 0.2, 0.1]), "large": np.array([0.01, 0.96, 0.02, 0.01])}


def test_panels_show_labels_and_variances():
  variances = {"this example": [0.3, 0.4], "mean over all examples": [0.2, 0.1]}
  figure = fig9.plot(dict(zip(("14", "110"), PROBS.values(), strict=True)), 1, variances, "depth")
  *labels, variance = axes_of(figure)
  assert [heights_of(ax)[0] for ax in labels] == [0.6, 0.96]
  assert [ax.get_title() for ax in labels] == ["14", "110"]
  np.testing.assert_array_equal(variance.lines[0].get_ydata(), [0.3, 0.4])
  np.testing.assert_array_equal(variance.lines[1].get_ydata(), [0.2, 0.1])
  assert [cells_of(ax) for ax in labels] == [["$p_y$ = 0.60"], ["$p_y$ = 0.96"]]
  assert variance.get_xlabel() == "depth"
  assert ticks_of(variance.xaxis) == ["14", "110"]


def test_the_exponent_and_the_legend_do_not_overlap():
  variances = {"this example": [3e-5, 4e-5], "mean over all examples": [2e-5, 1e-5]}
  figure = fig9.plot(PROBS, 1, variances, "network", ("cat", "dog", "owl", "fox"))
  figure.draw_without_rendering()
  *_, labels, variance = axes_of(figure)
  exponent = variance.yaxis.get_offset_text()
  assert exponent.get_text()
  assert not exponent.get_window_extent().overlaps(variance.get_legend().get_window_extent())
  assert ticks_of(labels.xaxis) == ["dog", "cat", "owl", "fox"]


def test_seven_levels_are_thinned_to_four_panels():
  probs = [np.array([1 - 2 * p, 1.5 * p, 0.5 * p]) for p in np.arange(1, 8) / 30]
  names = [f"τ = {n}" for n in range(7)]
  labels = dict(zip(names, probs, strict=True))
  figure = fig9.plot(labels, 0, {"mean over all examples": [0.1] * 7}, "temperature")
  *labels, variance = axes_of(figure)
  assert [ax.get_title() for ax in labels] == [names[n] for n in (0, 2, 4, 6)]
  assert ticks_of(variance.xaxis) == names
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_markers_stay_inside_the_axes():
  # Nearly equal variances: a margin in proportion to their difference would be zero.
  labels = {"14": np.array([0.5, 0.4, 0.1]), "110": np.array([0.5, 0.4001, 0.0999])}
  variances = [np.var(probs[1:]) for probs in labels.values()]
  figure = fig9.plot(labels, 0, {"this example": variances}, "depth")
  figure.draw_without_rendering()
  variance = axes_of(figure)[-1]
  (line,) = variance.lines
  _, highest = line.get_transform().transform((0, line.get_ydata().max()))
  radius = line.get_markersize() / 2 * figure.dpi / 72
  assert highest + radius < variance.get_window_extent().y1


def test_the_csv_has_the_variances():
  found = study(*_RNG.normal(size=(2, 4, 5)))
  analysed = findings(found, settings=Settings(tau=2.0))
  drawn = next(fig9.draw(analysed))
  example = _labels.typical_example(analysed)
  for line in drawn.csv:
    (logits,) = (t.logits for t in found.teachers if t.name == line["network"])
    probs = np.exp(logits / 2)
    probs /= probs.sum(axis=-1, keepdims=True)
    wrong = [np.delete(p, label).var() for p, label in zip(probs, found.labels, strict=True)]
    assert line["derived variance"] == pytest.approx(wrong[example], rel=1e-4)
    mean = np.mean(wrong)
    assert line["mean derived variance"] == pytest.approx(mean, rel=1e-4)
