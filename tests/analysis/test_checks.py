"""A user's arrays are checked: shapes, types, finite values, labels in range."""

import numpy as np
import pytest

from jaxkd.analysis import saved

GOOD = np.zeros((4, 3), np.float32)
LABELS = np.array([0, 1, 2, 0])
BROKEN = np.where(np.eye(4, 3) > 0, np.nan, GOOD)


def test_good_arrays_pass():
  saved.check_logits({"small": GOOD, "large": GOOD}, LABELS)
  saved.check_features({"small": GOOD, "large": GOOD[:, :2]}, LABELS)


@pytest.mark.parametrize(
  ("logits", "labels", "message"),
  [
    ({"a": GOOD, "b": GOOD[:, :2]}, LABELS, r"b: logits of shape \(4, 2\), but"),
    ({"a": BROKEN}, LABELS, "a: logits: 3 of 4 examples are not finite, the f"),
    ({"a": GOOD}, LABELS + 1, "label 3 of example 2 is outside the 3 classes"),
    ({"a": GOOD}, LABELS - 1, "label -1 of example 0 is outside the 3 classes"),
    ({"a": GOOD}, LABELS[:2], r"a: 4 examples, but labels of shape \(2,\)"),
    ({"a": GOOD}, LABELS / 2, "labels must be integers, not float64"),
    ({"a": GOOD[:, :1]}, LABELS, "a: one class only"),
    ({"a": GOOD[0]}, LABELS, r"a: logits must be \[N, C\], not \(3,\)"),
    ({"a": GOOD[:0]}, LABELS[:0], r"a: logits must be \[N, C\], not \(0, 3\)"),
  ],
)
def test_bad_logits_are_refused_in_one_line(logits, labels, message):
  with pytest.raises(ValueError, match=message) as error:
    saved.check_logits(logits, labels)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize(
  ("features", "labels", "message"),
  [
    (GOOD[0], LABELS, r"a: features must be \[N, D\], not \(3,\)"),
    (GOOD, LABELS[:2], r"a: 4 examples, but labels of shape \(2,\)"),
    (GOOD, 0 * LABELS, "all labels are 0: angles between classes need two"),
    (BROKEN, LABELS, "a: features: 3 of 4 examples are not finite"),
  ],
)
def test_bad_features_are_refused(features, labels, message):
  with pytest.raises(ValueError, match=message):
    saved.check_features({"a": features}, labels)
