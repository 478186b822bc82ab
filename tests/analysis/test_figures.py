"""That the figures show the arrays they were given, and how they are saved."""

from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxkd.analysis import figures
from jaxkd.analysis.figures import style
from jaxkd.metrics import FeatureAngles

_RNG: Any = np.random.default_rng(0)
PROBS = {
  "small": np.array([0.1, 0.6, 0.2, 0.1]),
  "large": np.array([0.01, 0.96, 0.02, 0.01]),
}
TAUS = np.array([1.0, 2.0, 4.0])


def _axes(figure: Figure) -> Any:
  """Returns the axes, whose artists' stubs are vaguer than the artists."""
  return figure.axes


def _heights(ax):
  return [bar.get_height() for bar in ax.patches]


def _cells(ax):
  return [text.get_text() for text in ax.texts]


def _ticks(axis):
  return [label.get_text() for label in axis.get_ticklabels()]


def test_softened_labels():
  figure = figures.softened_labels(PROBS, 1)
  small, large = _axes(figure)
  assert [small.get_title(), large.get_title()] == ["small", "large"]
  assert _heights(small) == [0.6, 0.1, 0.2, 0.1]
  assert _heights(large) == [0.96, 0.01, 0.02, 0.01]
  # One scale, which the wrong classes of both fill; the truth is written out.
  assert small.get_ylim() == large.get_ylim()
  assert 0.2 < small.get_ylim()[1] < 0.3
  assert [_cells(small), _cells(large)] == [["$p_y$ = 0.60"], ["$p_y$ = 0.96"]]
  assert large.get_xlabel() == "class, ground truth first"
  colors = [bar.get_facecolor() for bar in small.patches]
  assert colors[0] != colors[1] == colors[3]


def test_confidence():
  figure = figures.confidence(
    list(PROBS.values()), 1, ["14", "110"], xlabel="depth", means=[0.2, 0.1]
  )
  *labels, variance = _axes(figure)
  assert [_heights(ax)[0] for ax in labels] == [0.6, 0.96]
  assert [ax.get_title() for ax in labels] == ["14", "110"]
  wrong = [np.var(np.delete(p, 1)) for p in PROBS.values()]
  np.testing.assert_allclose(variance.lines[0].get_ydata(), wrong, rtol=1e-5)
  np.testing.assert_array_equal(variance.lines[1].get_ydata(), [0.2, 0.1])
  assert [_cells(ax) for ax in labels] == [["$p_y$ = 0.60"], ["$p_y$ = 0.96"]]
  assert variance.get_xlabel() == "depth"
  assert _ticks(variance.xaxis) == ["14", "110"]


def test_confidence_at_many_levels():
  probs = [np.array([1 - 2 * p, 1.5 * p, 0.5 * p]) for p in np.arange(1, 8) / 30]
  names = [f"τ = {n}" for n in range(7)]
  figure = figures.confidence(probs, 0, names)
  *labels, variance = _axes(figure)
  assert [ax.get_title() for ax in labels] == [names[n] for n in (0, 2, 4, 6)]
  assert _ticks(variance.xaxis) == names
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_no_marker_is_cut():
  # Hardly different, so a margin in proportion to the difference is none.
  probs = [np.array([0.5, 0.4, 0.1]), np.array([0.5, 0.4001, 0.0999])]
  figure = figures.confidence(probs, 0, ["14", "110"])
  figure.draw_without_rendering()
  variance = _axes(figure)[-1]
  (line,) = variance.lines
  _, highest = line.get_transform().transform((0, line.get_ydata().max()))
  radius = line.get_markersize() / 2 * figure.dpi / 72
  assert highest + radius < variance.get_window_extent().y1


def test_derived_curves():
  averages = {"TS": np.array([0.1, 0.2, 0.3]), "ATS": np.array([0.2, 0.3, 0.4])}
  variances = {"TS": np.array([1.0, 2.0, 1.0]), "ATS": np.array([2.0, 3.0, 2])}
  figure = figures.derived_curves(TAUS, averages, variances)
  axes = np.reshape(np.array(_axes(figure)), (2, 2))
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
    # Nothing is cut, whichever curve is drawn first.
    assert top > highest
  assert axes[0, 0].get_ylim()[0] == 0


@pytest.mark.parametrize(("lowest", "bottom"), [(1e-30, 0.7e-5), (0.0, 0.7e-5), (1e-3, 0.7e-3)])
def test_small_variances_beside_large_ones(lowest, bottom):
  variances = {"TS": np.array([lowest, 2e-3, 1e-3]), "ATS": np.full(3, 0.1)}
  figure = figures.derived_curves(TAUS, variances, variances)
  for ax in _axes(figure)[2:]:
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.get_ylim(), [bottom, 0.14])


def test_no_variance_at_all():
  curve = {"TS": np.zeros(3)}
  figure = figures.derived_curves(TAUS, curve, curve)
  figure.draw_without_rendering()


@pytest.mark.parametrize(("count", "wide"), [(3, False), (4, True)])
def test_a_wide_figure_says_so(count, wide):
  curves = {f"resnet{n}, TS": np.ones(3) for n in range(count)}
  figure = figures.derived_curves(TAUS, curves, curves, caption="About.")
  width = style.PAGE_WIDTH if wide else style.COLUMN_WIDTH
  assert figure.get_figwidth() == width
  (text,) = figure.texts
  assert ("two columns wide" in text.get_text()) == wide


def test_titles_do_not_touch():
  names = ["wide_resnet26_2, TS", "wide_resnet50_2, TS", "wide_resnet50_2, ATS"]
  curves = dict.fromkeys(names, np.ones(3))
  figure = figures.derived_curves(TAUS, curves, curves)
  figure.draw_without_rendering()
  boxes = [ax.title.get_window_extent() for ax in _axes(figure)[:3]]
  assert boxes[0].x1 < boxes[1].x0
  assert boxes[1].x1 < boxes[2].x0


def test_feature_angles():
  angles = {
    "14": FeatureAngles(*np.array([40, 8, 60, 9])),
    "110": FeatureAngles(*np.array([20, 4, 80, 5])),
  }
  figure = figures.feature_angles(angles)
  ax = _axes(figure)[0]
  figure.draw_without_rendering()
  legend = figure.legends[0].get_window_extent()
  assert legend.y0 >= ax.get_window_extent().y1
  assert _ticks(ax.xaxis) == ["14", "110"]
  shown = {bars.get_label(): bars for bars in ax.containers}
  for name, means, spans in [
    ("same class", [40, 20], [[32, 48], [16, 24]]),
    ("two classes", [60, 80], [[51, 69], [75, 85]]),
  ]:
    line, _, (bars,) = shown[name]
    np.testing.assert_array_equal(line.get_ydata(), means)
    segments = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_array_equal(segments, spans)


def test_student_accuracy():
  curves = {"TS": np.array([70.0, 69.0]), "ISATS": np.array([70.5, np.nan])}
  spread = {"TS": np.array([0.5, 1.0]), "ISATS": np.array([0.5, np.nan])}
  panels = [
    figures.AccuracyPanel("VGG8", ["20", "110"], curves, spread),
    figures.AccuracyPanel("MobileNetV2", ["20", "110"], curves),
    figures.AccuracyPanel("ShuffleNetV1", ["20", "110"], curves),
  ]
  figure = figures.student_accuracy(panels, columns=2)
  assert [ax.get_title() for ax in _axes(figure)] == [p.title for p in panels]
  ax = _axes(figure)[0]
  assert ax.get_title() == "VGG8"
  assert _ticks(ax.xaxis) == ["20", "110"]
  for line in ax.lines:
    np.testing.assert_array_equal(line.get_ydata(), curves[line.get_label()])
  # One or two stand above each other in a column of a page.
  two = figures.student_accuracy(panels[:2])
  assert two.get_figwidth() == style.COLUMN_WIDTH
  band = ax.collections[0].get_paths()[0].vertices[:, 1]
  assert (band.min(), band.max()) == (68.0, 70.5)


def test_topk_overlap():
  panels = {"CUB": [np.array([0.3, 0.7]), np.array([0.1, 0.2, 0.7])]}
  ax = _axes(figures.topk_overlap(panels))[0]
  assert (ax.get_xlabel(), ax.get_ylabel()) == ("K", "common classes")
  assert _cells(ax) == ["30", "10", "70", "20", "70"]
  assert _ticks(ax.xaxis) == ["1", "2"]
  assert _ticks(ax.yaxis) == ["0", "1", "2"]
  np.testing.assert_allclose(
    ax.images[0].get_array().filled(np.nan),
    np.array([[30, 10], [70, 20], [np.nan, 70]]),
  )


def test_agreement():
  matrices = {
    "Spearman": np.array([[1.0, 0.9], [0.9, 1.0]]),
    "Kendall": np.array([[1.0, 0.75], [0.75, 1.0]]),
  }
  figure = figures.agreement(["14", "110"], matrices)
  for ax, (title, matrix) in zip(_axes(figure), matrices.items(), strict=True):
    assert ax.get_title() == title
    np.testing.assert_array_equal(ax.images[0].get_array(), matrix)
    # The same colour is the same number in all panels and reports.
    assert ax.images[0].get_clim() == (0, 1)
    assert _ticks(ax.yaxis) == ["14", "110"]
  assert _ticks(_axes(figure)[-1].xaxis) == ["14", "110"]
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_the_numbers_can_be_read_on_their_cells():
  # Of one value alone, too, which has no scale.
  for values in (np.array([[0.0, 1.0]]), np.array([[0.5, np.nan]])):
    ax = _axes(figures.temperature_grid([1], [1, 2], values))[0]
    image = ax.images[0]
    for text, value in zip(ax.texts, values[np.isfinite(values)], strict=True):
      cell = np.mean(image.cmap(image.norm(value))[:3])
      assert text.get_color() == ("black" if cell > 0.5 else "white")


def test_temperature_grid():
  accuracies = np.array([[70.0, 71.0, 72.0], [70.5, np.nan, 72.5]])
  ax = _axes(figures.temperature_grid([3, 4], [1, 2, 3], accuracies))[0]
  np.testing.assert_array_equal(ax.images[0].get_array().filled(np.nan), accuracies)
  assert _ticks(ax.yaxis) == ["3", "4"]
  assert _ticks(ax.xaxis) == ["1", "2", "3"]
  assert "tau_2" in ax.get_xlabel()
  assert "tau_1" in ax.get_ylabel()


def test_group_posteriors():
  names = ["cat", "dog", "oak", "car"]
  posteriors = {"14": _RNG.random((4, 4)), "110": _RNG.random((4, 4))}
  groups = {"pets": ["dog", "cat"], "trees": ["oak"]}
  figure = figures.group_posteriors(posteriors, names, groups)
  dogs, oaks = _axes(figure)[:2]
  assert dogs.get_title() == "dog (pets)"
  assert oaks.get_title() == "oak (trees)"
  assert _ticks(oaks.xaxis) == ["dog", "cat", "oak"]
  assert _ticks(dogs.yaxis) == ["14", "110"]
  assert dogs.get_ylim() == (1.5, -0.5)
  circles, rings = dogs.collections
  # Row by row: of an example of a dog, the posteriors of cat and oak.
  expected = [posteriors[net][1, c] for net in ("14", "110") for c in (0, 2)]
  np.testing.assert_allclose(circles.get_array(), expected)
  sizes = circles.get_sizes()
  np.testing.assert_allclose(sizes / sizes.max(), expected / max(expected))
  np.testing.assert_array_equal(rings.get_offsets(), [[0, 0], [0, 1]])
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_group_of_an_unknown_class():
  with pytest.raises(ValueError, match="no class is called 'wolf'"):
    figures.group_posteriors({"14": np.eye(2)}, ["a", "b"], {"g": ["wolf"]})


@pytest.mark.parametrize("dimensions", [2, 3])
def test_feature_scatter(dimensions):
  labels = np.arange(20) % 10
  features = {name: _RNG.standard_normal((20, dimensions)) for name in ("0.1M", "0.9M")}
  figure = figures.feature_scatter(features, labels, accuracies={"0.1M": 97.12, "0.9M": 98.0})
  first = _axes(figure)[0]
  assert first.get_title() == "0.1M, 97.1 %"
  assert len(first.collections) == len(first.texts) == 10
  assert _cells(first) == [str(label) for label in range(10)]
  if dimensions == 2:
    for label, points in enumerate(first.collections):
      np.testing.assert_array_equal(points.get_offsets(), features["0.1M"][labels == label])


def test_class_directions():
  weights = {"small": _RNG.standard_normal((5, 2)), "large": 3 * np.eye(5, 2)}
  features = {"small": np.array([1.0, 2.0]), "large": np.array([0.0, 4.0])}
  figure = figures.class_directions(weights, features, 1)
  for ax, (name, rows) in zip(_axes(figure), weights.items(), strict=True):
    arrows = ax.collections[0]
    longest = np.linalg.norm(rows, axis=1).max()
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), rows / longest, rtol=1e-6)
    feature = features[name] / np.linalg.norm(features[name])
    np.testing.assert_allclose(ax.collections[1].get_offsets(), feature[None])
    assert _cells(ax) == ["0", "1", "2", "3", "4"]
  assert _axes(figure)[1].get_title() == ("large\n$f_y$ = 12.0, $\\sigma(g)$ = 0.0")


def test_features_that_cannot_be_drawn():
  with pytest.raises(ValueError, match=r"features of \[64\] dimensions"):
    figures.feature_scatter({"0.1M": np.zeros((2, 64))}, np.arange(2))


def test_improvement_correlation():
  average, variance = np.arange(4.0), np.array([1.0, 3.0, 2.0, 4.0])
  improvement = np.array([0.0, 1.0, 2.0, 4.0])
  figure = figures.improvement_correlation(average, variance, improvement)
  for ax, values in zip(_axes(figure), (average, variance), strict=True):
    np.testing.assert_array_equal(
      ax.collections[0].get_offsets(), np.stack([values, improvement], 1)
    )
    r = np.corrcoef(values, improvement)[0, 1]
    assert ax.get_title() == f"r = {r:.2f}"
  assert "e(q)" in _axes(figure)[0].get_xlabel()
  assert "v(q)" in _axes(figure)[1].get_xlabel()


def test_learning_curves():
  epochs = np.array([1.0, 2.0])
  runs = {
    name: [(epochs, accuracies), (epochs, accuracies + 1)]
    for name, accuracies in {
      "nokd": np.array([50.0, 60.0]),
      "kd": np.array([55.0, 70.0]),
    }.items()
  }
  (ax,) = _axes(figures.learning_curves(runs, split="validation"))
  labels = ax.get_xlabel(), ax.get_ylabel()
  assert labels == ("epoch", "validation accuracy (%)")
  drawn = [curve for curves in runs.values() for curve in curves]
  for line, (x, y) in zip(ax.lines, drawn, strict=True):
    np.testing.assert_array_equal(line.get_xdata(), x)
    np.testing.assert_array_equal(line.get_ydata(), y)
  # A colour and a line of the legend for each name, whatever its seeds.
  colors = [line.get_color() for line in ax.lines]
  assert colors[0] == colors[1] != colors[2] == colors[3]
  legend = [text.get_text() for text in ax.get_legend().get_texts()]
  assert legend == ["nokd", "kd"]


def test_more_learning_curves_than_colors_differ_in_their_lines():
  curve = [(np.array([1.0, 2.0]), np.array([1.0, 2.0]))]
  names = [str(number) for number in range(len(style.COLORS) + 1)]
  (ax,) = _axes(figures.learning_curves(dict.fromkeys(names, curve)))
  looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
  assert len(looks) == len(names)


def test_caption_stands_below_and_is_wrapped():
  caption = "CIFAR-100, ResNet-14 and ResNet-110, 240 epochs, seed 0. " * 3
  plain = figures.softened_labels(PROBS, 1)
  figure = figures.softened_labels(PROBS, 1, caption=caption)
  (text,) = figure.texts
  assert text.get_text().split() == caption.split()
  assert figure.get_figheight() > plain.get_figheight()
  figure.draw_without_rendering()
  box = text.get_window_extent()
  assert 0 <= box.x0 < box.x1 <= figure.bbox.width
  assert 0 <= box.y0 < box.y1
  axes = [ax.get_tightbbox() for ax in _axes(figure)]
  assert box.y1 <= min(b.y0 for b in axes)


def test_save(tmp_path):
  figure = figures.softened_labels(PROBS, 1, caption="digits")
  png, svg = figures.save(figure, tmp_path / "made" / "fig1.5")
  assert png == tmp_path / "made" / "fig1.5.png"
  assert png.read_bytes().startswith(b"\x89PNG")
  text = svg.read_text()
  assert "digits</text>" in text
  again = figures.save(figures.softened_labels(PROBS, 1, caption="digits"), png)
  assert again[1].read_text() == text


def test_style_leaves_no_trace():
  before = dict(matplotlib.rcParams)
  figure = figures.softened_labels(PROBS, 1)
  assert dict(matplotlib.rcParams) == before
  assert isinstance(figure, Figure)
  assert figure.get_figwidth() == style.COLUMN_WIDTH
