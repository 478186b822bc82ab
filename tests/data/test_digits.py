"""scikit-learn's digits, the embedded data set."""

import numpy as np

from jaxkd import data


def test_the_split_of_digits_is_fixed():
  train, test = data.load(data.SPECS["digits"])
  again, _ = data.load(data.SPECS["digits"])
  assert train.images.shape == (1437, 8, 8, 1)
  assert test.images.shape == (360, 8, 8, 1)
  assert train.images.dtype == np.uint8
  assert train.labels.dtype == np.int32
  np.testing.assert_array_equal(train.images, again.images)


def test_the_splits_are_those_of_scikit_learn():
  # Slow to import.
  from sklearn import datasets, model_selection

  digits = datasets.load_digits()
  options = {"test_size": 360, "stratify": digits.target, "random_state": 0}
  rows = model_selection.train_test_split(np.arange(1797), **options)
  for split, own in zip(data.load(data.SPECS["digits"]), rows, strict=True):
    np.testing.assert_array_equal(split.images[..., 0], np.round(digits.images[own] * (255 / 16)))
    np.testing.assert_array_equal(split.labels, digits.target[own])
  names = tuple(map(str, digits.target_names))
  assert names == data.examples(data.SPECS["digits"])[0].class_names


def test_digits_are_stratified_and_disjoint():
  train, test = data.load(data.SPECS["digits"])
  share = np.bincount(test.labels) / (np.bincount(test.labels) + np.bincount(train.labels))
  np.testing.assert_allclose(share, 360 / 1797, atol=0.005)
  # No two of scikit-learn's images are equal.
  assert not {i.tobytes() for i in train.images} & {i.tobytes() for i in test.images}


def test_mean_and_std_of_the_spec_are_those_of_the_training_split():
  spec = data.SPECS["digits"]
  train, _ = data.load(spec)
  pixels = train.images / 255
  np.testing.assert_allclose(pixels.mean(), spec.mean[0], atol=5e-4)
  np.testing.assert_allclose(pixels.std(), spec.std[0], atol=5e-4)
