"""Fig. 1 shows the softened labels of one example."""

import numpy as np
from known_teachers import measures, study
from reading_pictures import axes_of, cells_of, heights_of, ticks_of

from jaxkd.analysis.figures import _labels, fig1
from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import Settings

PROBS = {"small": np.array([0.1, 0.6, 0.2, 0.1]), "large": np.array([0.01, 0.96, 0.02, 0.01])}


def test_bars_show_the_softened_labels():
  figure = fig1.plot(PROBS, 1)
  small, large = axes_of(figure)
  assert [small.get_title(), large.get_title()] == ["small", "large"]
  assert heights_of(small) == [0.6, 0.1, 0.2, 0.1]
  assert heights_of(large) == [0.96, 0.01, 0.02, 0.01]
  # Both panels have the scale of the wrong classes; the label's probability is written out.
  assert small.get_ylim() == large.get_ylim()
  assert 0.2 < small.get_ylim()[1] < 0.3
  assert [cells_of(small), cells_of(large)] == [["$p_y$ = 0.60"], ["$p_y$ = 0.96"]]
  assert large.get_xlabel() == "class, ground truth first"
  colors = [bar.get_facecolor() for bar in small.patches]
  assert colors[0] != colors[1] == colors[3]


def test_bars_have_the_names_of_few_classes_in_the_order_of_the_bars():
  (*_, last) = axes_of(fig1.plot(PROBS, 1, ("cat", "dog", "o$l", "fox")))
  assert ticks_of(last.xaxis) == ["dog", "cat", r"o\$l", "fox"]
  many = {"net": np.full(21, 1 / 21)}
  (last,) = axes_of(fig1.plot(many, 1, [str(n) for n in range(21)]))
  assert ticks_of(last.xaxis) == []


def test_the_typical_example_is_classified_correctly_and_has_the_median_ratio():
  # The last example has the middle ratio, but one teacher is wrong about it.
  found = study(*[np.zeros((5, 5))] * 2, labels=range(5))

  def example(**fields):
    measured = measures([[1, 8, 4, 2, 3], [1, 1, 1, 1, 1]], **fields)
    return _labels.typical_example(Findings([found], Settings(), [measured]))

  assert example() == 4
  wrong = [True, True, True, True, False]
  assert example(correct=wrong) == 2
