"""The validation split is held out of the training split."""

import numpy as np
import pytest
from stripes import SPEC

from jaxkd import data


def _arrays(counts):
  labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
  images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1)
  return data.Arrays(images, labels)


def test_the_holdout_is_a_stratified_partition():
  arrays = _arrays([50, 20, 100])
  train, validation = data.holdout(arrays, 0.1, seed=3)
  assert np.bincount(validation.labels).tolist() == [5, 2, 10]
  both = np.concatenate([train.images, validation.images]).ravel()
  assert sorted(both) == list(range(170))
  for split in (train, validation):
    np.testing.assert_array_equal(arrays.labels[split.images.ravel()], split.labels)


def test_a_streamed_split_holds_out_the_same_examples(data_dir):
  whole, _ = data.examples(SPEC, data_dir)
  streamed = data.holdout(whole, 0.25, seed=1)
  resident = data.holdout(whole.load(), 0.25, seed=1)
  for examples, arrays in zip(streamed, resident, strict=True):
    assert isinstance(examples, data.Examples)
    assert examples.shape == (8, 8, 3)
    assert examples.class_names == ("a", "b", "c")
    np.testing.assert_array_equal(examples.labels, arrays.labels)
    pairs = zip(arrays.images, arrays.labels, strict=True)
    for number, (image, label) in enumerate(pairs):
      assert examples[number].label == label
      np.testing.assert_array_equal(examples[number].image, image)
    np.testing.assert_array_equal(examples.load().images, arrays.images)


def test_the_seed_determines_the_held_out_examples():
  def rows(seed):
    _, validation = data.holdout(_arrays([60, 60]), 0.25, seed)
    return validation.images.ravel().tolist()

  assert rows(0) == rows(0)
  assert rows(0) != rows(1)


@pytest.mark.parametrize(("counts", "fraction"), [([9, 1], 0.5), ([50, 50], 0.001), ([5, 5], 1.5)])
def test_an_impossible_fraction_is_refused(counts, fraction):
  with pytest.raises(data.DataError, match=r"can't be held out"):
    data.holdout(_arrays(counts), fraction)
