"""Feature angles against all pairs in float64 NumPy."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxkd import metrics

_RNG: Any = np.random.default_rng(0)
N, D = 50, 6
FEATURES = _RNG.standard_normal((N, D)).astype(np.float32)
LABELS = _RNG.integers(0, 4, N)


def _expected(features, labels):
  units = features.astype(np.float64)
  units /= np.linalg.norm(units, axis=1, keepdims=True)
  i, j = np.triu_indices(len(units), 1)
  angles = np.degrees(np.arccos(np.clip(np.sum(units[i] * units[j], 1), -1, 1)))
  same = labels[i] == labels[j]
  within, between = angles[same], angles[~same]
  return within.mean(), within.std(), between.mean(), between.std()


@pytest.mark.parametrize("block", [1, 16, 25, 1024])
def test_all_pairs_whatever_the_block(block):
  found = metrics.feature_angles(FEATURES, LABELS, block=block)
  np.testing.assert_allclose(found, _expected(FEATURES, LABELS), rtol=1e-5)


def test_small_spread_of_large_angles():
  # Nearly orthogonal classes: E[x^2] - E[x]^2 in float32 would be noise.
  features = np.eye(4)[LABELS] + 1e-3 * _RNG.standard_normal((N, 4))
  features = features.astype(np.float32)
  found = metrics.feature_angles(features, LABELS, block=16)
  expected = _expected(features, LABELS)
  np.testing.assert_allclose(found[2:], expected[2:], rtol=1e-3)


def test_features_without_direction_are_left_out():
  features = np.concatenate([FEATURES, np.zeros((3, D), np.float32)])
  labels = np.concatenate([LABELS, [0, 1, 1]])
  np.testing.assert_array_equal(
    metrics.feature_angles(features, labels, block=16),
    metrics.feature_angles(FEATURES, LABELS, block=16),
  )


def test_without_pairs_there_is_no_angle():
  angles = metrics.feature_angles(FEATURES[:3], jnp.zeros(3, jnp.int32))
  assert np.isfinite(angles.within_mean)
  assert np.isnan(angles.between_mean)
  assert np.isnan(angles.between_std)
