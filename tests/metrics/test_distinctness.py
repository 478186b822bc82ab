"""Distinctness and confidence against float64 NumPy and SciPy."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxkd import losses, metrics

_RNG: Any = np.random.default_rng(0)
N, C = 40, 7
LOGITS = (3 * _RNG.standard_normal((N, C))).astype(np.float32)
LABELS = _RNG.integers(0, C, N)


def _softmax(tau):
  return special.softmax(LOGITS.astype(np.float64) / tau, axis=-1)


def _wrong(values):
  return np.stack([np.delete(v, y) for v, y in zip(values, LABELS, strict=True)])


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_derived_average_and_variance(tau):
  expected = _softmax(tau)
  probs = expected.astype(np.float32)
  np.testing.assert_allclose(
    metrics.derived_average(probs, LABELS), _wrong(expected).mean(1), rtol=1e-5
  )
  np.testing.assert_allclose(
    metrics.derived_variance(probs, LABELS), _wrong(expected).var(1), rtol=1e-5
  )


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_inherent_variance(tau):
  q = special.softmax(_wrong(LOGITS.astype(np.float64)) / tau, axis=-1)
  found = metrics.inherent_variance(LOGITS, LABELS, tau)
  np.testing.assert_allclose(found, q.var(1), rtol=1e-5)


def test_derived_variance_splits_into_average_and_inherent_variance():
  tau = jnp.linspace(0.5, 8.0, N)
  probs = losses.softmax(LOGITS, tau)
  average = metrics.derived_average(probs, LABELS)
  inherent = metrics.inherent_variance(LOGITS, LABELS, tau)
  np.testing.assert_allclose(
    metrics.derived_variance(probs, LABELS),
    (C - 1) ** 2 * average**2 * inherent,
    rtol=2e-5,
  )


def test_equal_wrong_classes_are_not_distinct():
  logits = jnp.array([5.0, 0.1, 0.1, 0.1])
  probs = losses.softmax(logits)
  assert metrics.derived_variance(probs, jnp.array(0)) == 0
  assert metrics.inherent_variance(logits, jnp.array(0), 1.0) == 0


def test_half_precision_probabilities_are_summed_in_float32():
  probs = jnp.asarray(_softmax(1.0), jnp.bfloat16)
  expected = _wrong(np.asarray(probs.astype(jnp.float32), np.float64))
  found = metrics.derived_variance(probs, LABELS)
  assert found.dtype == jnp.float32
  np.testing.assert_allclose(found, expected.var(1), rtol=1e-5)


def test_temperature_distribution():
  grid = (1.0, 2.0, 4.0)
  variances = [_wrong(_softmax(tau)).var(1) for tau in grid]
  counts = np.bincount(np.argmax(variances, axis=0), minlength=3)
  np.testing.assert_allclose(metrics.temperature_distribution(LOGITS, LABELS, grid), counts / N)


def test_entropy():
  np.testing.assert_allclose(
    metrics.entropy(LOGITS, 2.0), special.entr(_softmax(2.0)).sum(1), rtol=1e-5
  )
  assert metrics.entropy(jnp.array([1e4, 0.0])) == 0


def test_calibration_bins_are_closed_on_the_right():
  # Confidence 1/2 and right, 1 and wrong: the two ends of the second bin.
  logits, labels = jnp.array([[0.0, 0.0], [1000.0, 0.0]]), jnp.array([0, 1])
  found = metrics.expected_calibration_error(logits, labels, bins=2)
  assert found == (0.5 + 1) / 2


def test_expected_calibration_error():
  probs = _softmax(1.0)
  confidence, right = probs.max(1), probs.argmax(1) == LABELS
  expected = 0.0
  for b in range(15):
    inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
    if inside.any():
      gap = abs(right[inside].mean() - confidence[inside].mean())
      expected += inside.mean() * gap
  found = metrics.expected_calibration_error(LOGITS, LABELS.astype(np.uint8))
  np.testing.assert_allclose(found, expected, rtol=1e-5)
