"""Feature angles against all pairs in float64 NumPy."""

from typing import Any

import jax
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
def test_angles_are_equal_for_every_block_size(block):
  found = metrics.feature_angles(FEATURES, LABELS, block=block)
  np.testing.assert_allclose(found, _expected(FEATURES, LABELS), rtol=1e-5)


def test_a_small_spread_of_large_angles_is_resolved():
  # Nearly orthogonal classes: E[x^2] - E[x]^2 in float32 would be noise.
  features = np.eye(4)[LABELS] + 1e-3 * _RNG.standard_normal((N, 4))
  features = features.astype(np.float32)
  found = metrics.feature_angles(features, LABELS, block=16)
  expected = _expected(features, LABELS)
  np.testing.assert_allclose(found[2:], expected[2:], rtol=1e-3)


def test_zero_features_are_left_out():
  features = np.concatenate([FEATURES, np.zeros((3, D), np.float32)])
  labels = np.concatenate([LABELS, [0, 1, 1]])
  np.testing.assert_array_equal(
    metrics.feature_angles(features, labels, block=16),
    metrics.feature_angles(FEATURES, LABELS, block=16),
  )


def test_angles_without_pairs_are_nan():
  angles = metrics.feature_angles(FEATURES[:3], jnp.zeros(3, jnp.int32))
  assert np.isfinite(angles.within_mean)
  assert np.isnan(angles.between_mean)
  assert np.isnan(angles.between_std)


@pytest.mark.parametrize("degrees", [1e-4, 1e-3, 0.02, 0.5, 0.9, 30.0, 179.0])
def test_small_angles_are_resolved(degrees):
  angle = np.radians(degrees)
  direction = np.linalg.qr(_RNG.standard_normal((64, 2)))[0]
  features = np.stack(
    [direction[:, 0], np.cos(angle) * direction[:, 0] + np.sin(angle) * direction[:, 1]]
  )
  features = features.astype(np.float32)
  a, b = (x / np.linalg.norm(x) for x in features.astype(np.float64))
  expected = np.degrees(2 * np.arctan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))
  found = metrics.feature_angles(features, jnp.array([0, 1])).between_mean
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_parallel_features_of_any_length_have_angle_zero():
  features = FEATURES[0] * np.geomspace(1e-3, 1e3, 20, dtype=np.float32)[:, None]
  angles = metrics.feature_angles(features, jnp.zeros(20, int))
  np.testing.assert_allclose(angles.within_mean, 0, atol=1e-5)


def test_negative_labels_are_left_out():
  np.testing.assert_allclose(
    metrics.feature_angles(FEATURES, np.where(np.arange(N) < 9, -1, LABELS)),
    metrics.feature_angles(FEATURES[9:], LABELS[9:]),
    rtol=1e-5,
  )


@pytest.mark.parametrize(
  ("features", "labels", "message"),
  [
    (FEATURES[:0], LABELS[:0], r"features has shape \(0, 6\); it must be of one example"),
    (FEATURES, LABELS[:1], r"labels has shape \(1,\); it must be \(50,\)"),
    (FEATURES[0], LABELS[:6], r"features has shape \(6,\); it must be \[N, D\]"),
  ],
)
def test_wrong_shapes_are_refused(features, labels, message):
  with pytest.raises(ValueError, match=message):
    metrics.feature_angles(features, labels)


def test_memory_does_not_grow_with_the_pairs():
  def needed(count):
    shapes = jax.ShapeDtypeStruct((count, 8), jnp.float32), jax.ShapeDtypeStruct((count,), "int32")
    program = metrics.feature_angles.lower(*shapes, block=64).compile()
    return program.memory_analysis().temp_size_in_bytes

  # A sixteenth of the pairs' angles at the larger size.
  assert needed(4096) - needed(256) < 4096**2 * 4 / 16
