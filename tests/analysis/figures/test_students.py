"""Figures of students: Fig. 8, and Fig. 3 and 10 of the ATS paper."""

from typing import Any

import numpy as np
import pytest
from known_teachers import student, study, unmeasured
from reading_pictures import axes_of, ticks_of

from jaxkd.analysis.figures import Missing, ats_fig3, ats_fig10, fig8
from jaxkd.reports import style
from jaxkd.reports.document import Picture


def test_fig_8_draws_means_and_deviations():
  curves = {"TS": np.array([70.0, 69.0]), "ISATS": np.array([70.5, np.nan])}
  spread = {"TS": np.array([0.5, 1.0]), "ISATS": np.array([0.5, np.nan])}
  panels = [
    fig8.AccuracyPanel("VGG8", ["20", "110"], curves, spread),
    fig8.AccuracyPanel("MobileNetV2", ["20", "110"], curves, spread),
    fig8.AccuracyPanel("ShuffleNetV1", ["20", "110"], curves, spread),
  ]
  figure = fig8.plot(panels, columns=2)
  assert [ax.get_title() for ax in axes_of(figure)] == [p.title for p in panels]
  ax = axes_of(figure)[0]
  assert ax.get_title() == "VGG8"
  assert ticks_of(ax.xaxis) == ["20", "110"]
  for line in ax.lines:
    np.testing.assert_array_equal(line.get_ydata(), curves[line.get_label()])
  # One or two panels are stacked in one column of the page.
  two = fig8.plot(panels[:2])
  assert two.get_figwidth() == style.COLUMN_WIDTH
  band = ax.collections[0].get_paths()[0].vertices[:, 1]
  assert (band.min(), band.max()) == (68.0, 70.5)


def test_ats_fig_3_draws_points_and_their_correlation():
  average, variance = np.arange(4.0), np.array([1.0, 3.0, 2.0, 4.0])
  improvement = np.array([0.0, 1.0, 2.0, 4.0])
  figure = ats_fig3.plot(average, variance, improvement)
  for ax, values in zip(axes_of(figure), (average, variance), strict=True):
    np.testing.assert_array_equal(
      ax.collections[0].get_offsets(), np.stack([values, improvement], 1)
    )
    r = np.corrcoef(values, improvement)[0, 1]
    assert ax.get_title() == f"r = {r:.2f}"
  assert "e(q)" in axes_of(figure)[0].get_xlabel()
  assert "v(q)" in axes_of(figure)[1].get_xlabel()


def drawn(*students, count=2, **fields):
  found = unmeasured(study(*[np.zeros((4, 5))] * count, students=students, **fields))
  blocks = [block for figure in (fig8, ats_fig3, ats_fig10) for block in figure.draw(found)]
  return {block.name: block for block in blocks if isinstance(block, Picture)}


def test_each_figure_draws_its_students():
  found = drawn(
    student("net0", "TS", 59.0, 61.0),
    student("net0", "ATS", 60.0, 62.0),
    student("net1", "TS", 55.0),
    grid=(
      student("net1", "ATS", 58.0, tau1=4.0, tau2=3.0),
      student("net1", "ATS", 59.0, tau1=5.0, tau2=2.0),
    ),
  )
  assert set(found) == {"fig8", "ats-fig3", "ats-fig10"}
  ax: Any = found["fig8"].figure.axes[0]
  curves = {line.get_label(): line.get_ydata() for line in ax.lines}
  np.testing.assert_array_equal(curves["TS"], [60, 55])
  np.testing.assert_array_equal(curves["ATS"], [61, np.nan])
  improvements = [line["improvement (%)"] for line in found["ats-fig3"].csv]
  assert improvements == pytest.approx([20, 22, 10])
  ax = found["ats-fig10"].figure.axes[0]
  assert [text.get_text() for text in ax.texts] == ["58.0", "59.0"]


def test_the_sample_deviation_is_drawn_and_missing_for_one_seed():
  found = drawn(student("net0", "TS", 59.0, 61.0), student("net1", "TS", 54.0, 56.0))["fig8"]
  deviations = [line["standard deviation"] for line in found.csv]
  assert deviations == pytest.approx([2**0.5, 2**0.5])
  ax: Any = found.figure.axes[0]
  heights = ax.collections[0].get_paths()[0].vertices[:, 1]
  assert heights.max() == pytest.approx(60 + 2**0.5)
  assert "mean and standard deviation over seeds" in found.caption

  alone = drawn(student("net0", "TS", 60.0), student("net1", "TS", 55.0))
  assert all(np.isnan(s["standard deviation"]) for s in alone["fig8"].csv)
  ax = alone["fig8"].figure.axes[0]
  assert not any(len(path) for c in ax.collections for path in c.get_paths())
  assert "deviation" not in alone["fig8"].caption


def test_captions_state_epochs_and_seeds():
  found = drawn(
    student("net0", "TS", 59.0, 61.0, epochs=6.0),
    student("net1", "TS", 55.0, 56.0, epochs=6.0),
    student("net0", "ISATS", 55.0, network="vgg8"),
    grid=(
      student("net1", "ATS", 58.0, tau1=4.0, tau2=3.0, epochs=1.0),
      student("net1", "ATS", 59.0, tau1=5.0, tau2=2.0, epochs=1.0),
    ),
  )
  for name in ("fig8", "ats-fig3"):
    said = found[name].caption
    assert "mlp: 6 epochs, seeds 0, 1; vgg8: 240 epochs, seed 0." in said
    assert "Approximated: students trained 6 epochs, the papers' 240." in said
  said = found["ats-fig3"].caption
  assert "of mlp and vgg8, taught by TS and ISATS, over training alone" in said
  assert "students trained 1 epoch, the papers'" in found["ats-fig10"].caption
  whole = drawn(student("net0", "TS", 60.0), student("net1", "TS", 55.0))
  assert "Approximated" not in whole["fig8"].caption


def test_each_student_and_family_has_a_panel():
  students = (
    student("net0", "TS", 60.0),
    student("net1", "TS", 61.0),
    student("net2", "ISATS", 62.0, network="vgg8"),
  )
  found = study(*[np.zeros((4, 5))] * 3, students=students)

  def panels(*families):
    teachers = tuple(
      teacher._replace(family=family)
      for teacher, family in zip(found.teachers, families, strict=True)
    )
    (drawing,) = fig8.draw(unmeasured(found._replace(teachers=teachers)))
    return {
      ax.get_title(): [tick.get_text() for tick in ax.get_xticklabels()]
      for ax in drawing.figure.axes
    }, drawing.figure.legends[0]

  every = ["net0", "net1", "net2"]
  titles, legend = panels("ResNet", "ResNet", "ResNet")
  assert titles == {"mlp": every, "vgg8": every}
  # The legend includes a method of the second panel only.
  assert [text.get_text() for text in legend.get_texts()] == ["TS", "ISATS"]
  titles, _ = panels("ResNet", "WRN", "ResNet")
  resnets = ["net0", "net2"]
  assert titles == {
    "mlp, ResNet": resnets,
    "mlp, WRN": ["net1"],
    "vgg8, ResNet": resnets,
    "vgg8, WRN": ["net1"],
  }
  # Families of one teacher each share a panel.
  assert panels("ResNet", "WRN", "VGG")[0] == {"mlp": every, "vgg8": every}


def test_each_student_has_a_grid():
  points = [{"tau1": 4.0, "tau2": 3.0}, {"tau1": 5.0, "tau2": 3.0}]
  found = drawn(
    grid=tuple(
      student("net1", "ATS", 60.0, network=network, **point)
      for network in ("mlp", "vgg8")
      for point in points
    )
  )
  assert set(found) == {"ats-fig10-mlp", "ats-fig10-vgg8"}


def test_figures_of_too_few_students_are_reported_as_missing():
  found = study(*[np.zeros((4, 5))] * 2, students=(student("net0", "TS", 60.0, alone=None),))
  for figure, title in [
    (fig8, "Fig. 8,"),
    (ats_fig3, "ATS paper, Fig. 3,"),
    (ats_fig10, "ATS paper"),
  ]:
    (missing,) = figure.draw(unmeasured(found))
    assert isinstance(missing, Missing)
    assert missing.needs.startswith(title)
