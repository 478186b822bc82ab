"""The style and the files of figures."""

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from reading_pictures import axes_of

from jaxkd.reports import pictures, style

CURVE = {"kd": [(np.array([1.0, 2.0]), np.array([50.0, 60.0]))]}


def test_the_caption_is_wrapped_below_the_axes():
  caption = "CIFAR-100, ResNet-14 and ResNet-110, 240 epochs, seed 0. " * 3
  plain = pictures.learning_curves(CURVE)
  figure = style.captioned(pictures.learning_curves(CURVE), caption)
  (text,) = figure.texts
  assert text.get_text().split() == caption.split()
  assert figure.get_figheight() > plain.get_figheight()
  figure.draw_without_rendering()
  box = text.get_window_extent()
  assert 0 <= box.x0 < box.x1 <= figure.bbox.width
  assert 0 <= box.y0 < box.y1
  axes = [ax.get_tightbbox() for ax in axes_of(figure)]
  assert box.y1 <= min(b.y0 for b in axes)


def test_a_figure_is_saved_as_png_and_as_reproducible_svg(tmp_path):
  figure = style.captioned(pictures.learning_curves(CURVE), "digits")
  png, svg = style.save(figure, tmp_path / "made" / "fig1.5")
  assert png == tmp_path / "made" / "fig1.5.png"
  assert png.read_bytes().startswith(b"\x89PNG")
  text = svg.read_text()
  assert "digits</text>" in text
  again = style.save(style.captioned(pictures.learning_curves(CURVE), "digits"), png)
  assert again[1].read_text() == text


def test_drawing_leaves_rcparams_unchanged():
  before = dict(matplotlib.rcParams)
  figure = pictures.learning_curves(CURVE)
  assert dict(matplotlib.rcParams) == before
  assert isinstance(figure, Figure)
  assert figure.get_figwidth() == style.COLUMN_WIDTH


def test_a_title_is_broken_between_words():
  broken = style.title("wide_resnet50_2, ATS", style.COLUMN_WIDTH, 3)
  assert broken == "wide_resnet50_2,\nATS"


def test_a_name_with_dollars_is_drawn_as_it_is(tmp_path):
  name = r"$\foo$ and $5"
  curves = {name: CURVE["kd"]}
  _, svg = style.save(style.captioned(pictures.learning_curves(curves), name), tmp_path / "fig")
  derived = {name: (np.ones(2), np.ones(2))}
  style.save(pictures.derived_curves(np.array([1.0, 2.0]), derived), tmp_path / "derived")
  assert svg.read_text().count(f"{name}</text>") == 2
