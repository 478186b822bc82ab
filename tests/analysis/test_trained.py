"""Thinning a split selects the same examples from arrays and from a stream."""

from typing import Any

import numpy as np
import pytest

from jaxkd import data
from jaxkd.analysis import trained


@pytest.mark.parametrize(("limit", "stride"), [(100, 15), (1436, 2), (1437, 1)])
def test_arrays_and_streamed_examples_are_thinned_alike(limit, stride):
  examples, _ = data.examples(data.find("digits"))
  arrays = examples.load()
  thin: Any = trained.thin(examples, limit)
  assert len(thin) <= limit
  assert len(thin) == -(-1437 // stride)
  assert thin.shape == examples.shape
  assert thin.class_names == examples.class_names
  found: Any
  for found in (thin.load(), trained.thin(arrays, limit)):
    np.testing.assert_array_equal(found.images, arrays.images[::stride])
    np.testing.assert_array_equal(found.labels, arrays.labels[::stride])
    assert found.labels.dtype == np.int32
