"""Fig. 2 shows features by class."""

from typing import Any

import numpy as np
import pytest
from known_teachers import findings, study, unmeasured
from reading_pictures import axes_of, cells_of

from jaxkd.analysis import summary
from jaxkd.analysis.figures import Missing, fig2
from jaxkd.reports.document import Picture

_RNG: Any = np.random.default_rng(0)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_features_are_scattered_by_class(dimensions):
  labels = np.arange(20) % 10
  features = {name: _RNG.standard_normal((20, dimensions)) for name in ("0.1M", "0.9M")}
  figure = fig2.plot(features, labels, accuracies={"0.1M": 97.12, "0.9M": 98.0})
  first = axes_of(figure)[0]
  assert first.get_title() == "0.1M, 97.1 %"
  assert len(first.collections) == len(first.texts) == 10
  assert cells_of(first) == [str(label) for label in range(10)]
  if dimensions == 2:
    for label, points in enumerate(first.collections):
      np.testing.assert_array_equal(points.get_offsets(), features["0.1M"][labels == label])


def test_features_of_unequal_or_high_dimension_are_reported_as_missing():
  found = study(*[np.zeros((4, 5))] * 2)
  for shapes in [(64, 64), (2, 3), (2, None)]:
    teachers = tuple(
      t._replace(features=None if width is None else np.ones((4, width)))
      for t, width in zip(found.teachers, shapes, strict=True)
    )
    (missing,) = fig2.draw(unmeasured(found._replace(teachers=teachers)))
    assert isinstance(missing, Missing)
    assert missing.needs.startswith("Fig. 2, ")


@pytest.mark.parametrize("accuracy", [97.0, None])
def test_the_split_of_the_accuracies_is_named(accuracy):
  logits, features = _RNG.normal(size=(4, 5)), np.eye(4, 2, dtype=np.float32)
  found = study(logits, logits, split="validation")
  teachers = tuple(t._replace(features=features, accuracy=accuracy) for t in found.teachers)
  found = found._replace(teachers=teachers)
  analysed = findings(found)
  columns = next(summary.tables(analysed)).lines[0]
  assert ("validation accuracy (%)" in columns) == (accuracy is not None)
  assert "test accuracy (%)" not in columns
  (picture,) = fig2.draw(analysed)
  assert isinstance(picture, Picture)
  assert ("The titles have the validation" in picture.caption) == (accuracy is not None)
