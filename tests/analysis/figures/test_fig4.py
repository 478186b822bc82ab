"""Fig. 4 shows last layers, solved from features and logits."""

from typing import Any

import numpy as np
from known_teachers import study
from reading_pictures import axes_of, cells_of

from jaxkd.analysis.figures import fig4
from jaxkd.analysis.study import MeasuredTeacher

_RNG: Any = np.random.default_rng(0)


def test_arrows_show_the_class_directions():
  weights = {"small": _RNG.standard_normal((5, 2)), "large": 3 * np.eye(5, 2)}
  features = {"small": np.array([1.0, 2.0]), "large": np.array([0.0, 4.0])}
  figure = fig4.plot(weights, features, 1)
  for ax, (name, rows) in zip(axes_of(figure), weights.items(), strict=True):
    arrows = ax.collections[0]
    longest = np.linalg.norm(rows, axis=1).max()
    np.testing.assert_allclose(np.stack([arrows.U, arrows.V], 1), rows / longest, rtol=1e-6)
    feature = features[name] / np.linalg.norm(features[name])
    np.testing.assert_allclose(ax.collections[1].get_offsets(), feature[None])
    assert cells_of(ax) == ["0", "1", "2", "3", "4"]
  assert axes_of(figure)[1].get_title() == ("large\n$f_y$ = 12.0, $\\sigma(g)$ = 0.0")


def test_the_last_layer_is_solved_from_features_and_logits():
  weights, features = _RNG.normal(size=(5, 2)), _RNG.normal(size=(30, 2))
  logits = features @ weights.T

  def with_features(logits):
    teachers = tuple(
      MeasuredTeacher(name, logits.astype(np.float32), features.astype(np.float32))
      for name in ("a", "b")
    )
    return study(logits)._replace(teachers=teachers)

  found = fig4.last_layers(with_features(logits))
  np.testing.assert_allclose(found["a"], weights, atol=1e-4)
  # A layer with a bias has no solution.
  assert fig4.last_layers(with_features(logits + np.arange(5))) == {}
