"""Pictures show the arrays that they are given."""

import numpy as np
import pytest
from reading_pictures import axes_of, ticks_of

from jaxkd.reports import pictures, style

TAUS = np.array([1.0, 2.0, 4.0])


def test_derived_curves_show_average_and_variance():
  averages = {"TS": np.array([0.1, 0.2, 0.3]), "ATS": np.array([0.2, 0.3, 0.4])}
  variances = {"TS": np.array([1.0, 2.0, 1.0]), "ATS": np.array([2.0, 3.0, 2])}
  derived = {name: (averages[name], variances[name]) for name in averages}
  figure = pictures.derived_curves(TAUS, derived)
  axes = np.reshape(np.array(axes_of(figure)), (2, 2))
  labels = [ax.get_ylabel() for ax in axes[:, 0]]
  assert labels == ["derived average $e(q)$", "derived variance $v(q)$"]
  for column, name in enumerate(averages):
    assert axes[0, column].get_title() == name
    for row, curves in enumerate((averages, variances)):
      line = axes[row, column].lines[0]
      np.testing.assert_array_equal(line.get_xdata(), TAUS)
      np.testing.assert_array_equal(line.get_ydata(), curves[name])
    assert axes[1, column].get_xlabel() == "temperature $\\tau$"
  for row, highest in enumerate((0.4, 3.0)):
    bottom, top = axes[row, 0].get_ylim()
    assert (bottom, top) == axes[row, 1].get_ylim()
    # No curve is cut.
    assert top > highest
  assert axes[0, 0].get_ylim()[0] == 0


@pytest.mark.parametrize(("lowest", "bottom"), [(1e-30, 0.7e-5), (0.0, 0.7e-5), (1e-3, 0.7e-3)])
def test_unlike_variances_share_a_log_scale(lowest, bottom):
  variances = {"TS": np.array([lowest, 2e-3, 1e-3]), "ATS": np.full(3, 0.1)}
  figure = pictures.derived_curves(TAUS, {name: (v, v) for name, v in variances.items()})
  for ax in axes_of(figure)[2:]:
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.get_ylim(), [bottom, 0.14])


def test_zero_variances_can_be_drawn():
  figure = pictures.derived_curves(TAUS, {"TS": (np.zeros(3), np.zeros(3))})
  figure.draw_without_rendering()


@pytest.mark.parametrize(("count", "wide"), [(3, False), (4, True)])
def test_the_caption_states_a_width_of_two_columns(count, wide):
  curves = {f"resnet{n}, TS": (np.ones(3), np.ones(3)) for n in range(count)}
  figure = style.captioned(pictures.derived_curves(TAUS, curves), "About.")
  width = style.PAGE_WIDTH if wide else style.COLUMN_WIDTH
  assert figure.get_figwidth() == width
  (text,) = figure.texts
  assert ("two columns wide" in text.get_text()) == wide


def test_titles_do_not_overlap():
  names = ["wide_resnet26_2, TS", "wide_resnet50_2, TS", "wide_resnet50_2, ATS"]
  figure = pictures.derived_curves(TAUS, dict.fromkeys(names, (np.ones(3), np.ones(3))))
  figure.draw_without_rendering()
  boxes = [ax.title.get_window_extent() for ax in axes_of(figure)[:3]]
  assert boxes[0].x1 < boxes[1].x0
  assert boxes[1].x1 < boxes[2].x0


def test_numbers_contrast_with_their_cells():
  # A single value has no scale.
  for values in (np.array([[0.0, 1.0]]), np.array([[0.5, np.nan]])):
    ax = axes_of(pictures.accuracy_grid([1], [1, 2], values))[0]
    image = ax.images[0]
    for text, value in zip(ax.texts, values[np.isfinite(values)], strict=True):
      cell = np.mean(image.cmap(image.norm(value))[:3])
      assert text.get_color() == ("black" if cell > 0.5 else "white")


def test_the_grid_shows_accuracies_by_temperature():
  accuracies = np.array([[70.0, 71.0, 72.0], [70.5, np.nan, 72.5]])
  ax = axes_of(pictures.accuracy_grid([3, 4], [1, 2, 3], accuracies))[0]
  np.testing.assert_array_equal(ax.images[0].get_array().filled(np.nan), accuracies)
  assert [text.get_text() for text in ax.texts] == ["70.0", "71.0", "72.0", "70.5", "72.5"]
  assert ticks_of(ax.yaxis) == ["3", "4"]
  assert ticks_of(ax.xaxis) == ["1", "2", "3"]
  assert "tau_2" in ax.get_xlabel()
  assert "tau_1" in ax.get_ylabel()


def test_learning_curves_show_mean_and_deviation_over_seeds():
  epochs = np.array([1.0, 2.0])
  runs = {
    name: [(epochs, accuracies), (epochs, accuracies + 1)]
    for name, accuracies in {"nokd": np.array([50.0, 60.0]), "kd": np.array([55.0, 70.0])}.items()
  }
  (ax,) = axes_of(pictures.learning_curves(runs, split="validation"))
  labels = ax.get_xlabel(), ax.get_ylabel()
  assert labels == ("epoch", "validation accuracy (%)")
  # One curve for each name: the mean over the seeds, with a band of one standard deviation.
  for line, band, own in zip(ax.lines, ax.collections, runs.values(), strict=True):
    accuracies = np.stack([values for _, values in own])
    np.testing.assert_array_equal(line.get_xdata(), epochs)
    np.testing.assert_array_equal(line.get_ydata(), accuracies.mean(axis=0))
    spread = band.get_paths()[0].vertices[:, 1]
    deviation = accuracies.std(axis=0, ddof=1)
    assert spread.max() == pytest.approx((accuracies.mean(axis=0) + deviation).max())
    assert spread.min() == pytest.approx((accuracies.mean(axis=0) - deviation).min())
  assert ax.lines[0].get_color() != ax.lines[1].get_color()
  legend = [text.get_text() for text in ax.get_legend().get_texts()]
  assert legend == ["nokd", "kd"]


def test_the_names_of_many_curves_leave_room_for_the_axes(tmp_path):
  epochs = np.array([1.0, 2.0])
  figure = pictures.learning_curves({f"row_{i}": [(epochs, epochs + i)] for i in range(45)})
  style.save(figure, tmp_path / "curves")
  (legend,) = figure.legends
  assert len(legend.get_texts()) == 45
  (ax,) = axes_of(figure)
  assert ax.get_position().width > 0.3


def test_seeds_with_unequal_epochs_are_averaged_where_all_were_evaluated():
  runs = [
    (np.array([1.0, 2.0, 3.0, 4.0]), np.array([50.0, 60.0, 64.0, 66.0])),
    (np.array([2.0, 4.0]), np.array([55.0, 60.0])),
  ]
  (ax,) = axes_of(pictures.learning_curves({"kd": runs}))
  (mean,), (band,) = ax.lines, ax.collections
  np.testing.assert_array_equal(mean.get_xdata(), [2, 4])
  np.testing.assert_array_equal(mean.get_ydata(), [57.5, 63])
  assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(63 + 6 / 2**0.5)


def test_seeds_without_common_epochs_have_one_curve_each():
  runs = [(np.array([1.0, 2.0]), np.array([50.0, 60.0])), (np.array([3.0]), np.array([55.0]))]
  (ax,) = axes_of(pictures.learning_curves({"kd": runs}))
  assert ax.get_ylabel() == "test accuracy (%)"
  whole, single = ax.lines[:2]
  np.testing.assert_array_equal(whole.get_ydata(), [50, 60])
  np.testing.assert_array_equal(single.get_ydata(), [55])
  assert whole.get_color() == single.get_color()
  assert len(ax.get_legend().get_texts()) == 1


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_evaluation_has_a_marker(seeds):
  runs = [(np.array([1.0]), np.array([50.0 + seed])) for seed in range(seeds)]
  (ax,) = axes_of(pictures.learning_curves({"kd": runs}))
  point = ax.lines[0]
  assert point.get_marker() not in (None, "None", "")
  np.testing.assert_array_equal(point.get_ydata(), [50 + (seeds - 1) / 2])
  bars = [path for c in ax.collections for path in c.get_paths()]
  assert len(bars) == seeds - 1


def test_curves_of_one_color_differ_in_line_style():
  curve = [(np.array([1.0, 2.0]), np.array([1.0, 2.0]))]
  names = [str(number) for number in range(len(style.COLORS) * len(style.LINES))]
  (ax,) = axes_of(pictures.learning_curves(dict.fromkeys(names, curve)))
  looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in ax.lines}
  assert len(looks) == len(names)


def test_option_curves_show_accuracy_by_value():
  panel = pictures.OptionPanel("alpha", [0.1, 0.5], [71.0, 72.0], [0.1, np.nan])
  (ax,) = axes_of(pictures.option_curves([panel], ylabel="validation accuracy (%)"))
  assert ticks_of(ax.xaxis) == ["0.1", "0.5"]
  assert (ax.get_xlabel(), ax.get_ylabel()) == ("alpha", "validation accuracy (%)")
  np.testing.assert_array_equal(ax.lines[0].get_ydata(), [71, 72])


@pytest.mark.parametrize(("classes", "numbers", "names"), [(3, True, True), (40, False, False)])
def test_a_confusion_matrix_shows_shares_of_each_class(classes, numbers, names):
  matrix = np.diag(np.full(classes, 3))
  matrix[0, 1] = 1
  known = [f"class {label}" for label in range(classes)]
  figure = pictures.confusion_matrices({"kd": matrix, "isats": matrix}, known)
  first, second = figure.axes
  assert (first.get_title(), second.get_title()) == ("kd", "isats")
  np.testing.assert_allclose(first.images[0].get_array()[0, :2], [75, 25])
  # The first class stands above.
  assert first.get_ylim()[0] > first.get_ylim()[1]
  texts = [text.get_text() for text in first.texts]
  assert texts[:3] == ["75", "25", "0"] if numbers else not texts
  assert ("class 2" in [tick.get_text() for tick in first.get_xticklabels()]) == names
