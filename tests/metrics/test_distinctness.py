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
def test_derived_average_and_variance_equal_numpy(tau):
  expected = _softmax(tau)
  probs = expected.astype(np.float32)
  np.testing.assert_allclose(
    metrics.derived_average(probs, LABELS), _wrong(expected).mean(1), rtol=1e-5
  )
  np.testing.assert_allclose(
    metrics.derived_variance(probs, LABELS), _wrong(expected).var(1), rtol=1e-5
  )


@pytest.mark.parametrize(("tau1", "tau2"), [(4.0, 4.0), (4.0, 3.0), (5.0, 3.0)])
def test_guidance_equals_numpy(tau1, tau2):
  taus = np.where(np.arange(C) == LABELS[:, None], tau1, tau2)
  expected = special.softmax(LOGITS.astype(np.float64) / taus, axis=-1)
  probs = losses.asymmetric_softmax(LOGITS, LABELS, tau1, tau2)
  own = expected[np.arange(N), LABELS]
  np.testing.assert_allclose(metrics.label_probability(probs, LABELS), own, rtol=1e-5)
  found = metrics.misguidance(probs, LABELS)
  np.testing.assert_array_equal(found, np.argmax(expected, axis=-1) != LABELS)
  assert 0 < found.mean() < 1


def test_a_tie_of_the_true_class_with_a_wrong_class_counts_as_misguidance():
  probs = jnp.array([[0.4, 0.4, 0.2], [0.5, 0.3, 0.2], [0.3, 0.5, 0.2]])
  for label in (0, 1):
    found = metrics.misguidance(probs, jnp.full(3, label))
    np.testing.assert_array_equal(found, [[1, 0, 1], [1, 1, 0]][label])


@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_inherent_variance_equals_numpy(tau):
  q = special.softmax(_wrong(LOGITS.astype(np.float64)) / tau, axis=-1)
  found = metrics.inherent_variance(LOGITS, LABELS, tau)
  np.testing.assert_allclose(found, q.var(1), rtol=1e-5)


def test_derived_variance_splits_into_average_and_inherent_variance():
  tau = jnp.linspace(0.5, 8.0, N)
  probs = losses.softmax(LOGITS, tau)
  average = metrics.derived_average(probs, LABELS)
  inherent = metrics.inherent_variance(LOGITS, LABELS, tau)
  np.testing.assert_allclose(
    metrics.derived_variance(probs, LABELS), (C - 1) ** 2 * average**2 * inherent, rtol=2e-5
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


def test_the_temperature_distribution_counts_optimal_temperatures():
  grid = (1.0, 2.0, 4.0)
  variances = [_wrong(_softmax(tau)).var(1) for tau in grid]
  counts = np.bincount(np.argmax(variances, axis=0), minlength=3)
  np.testing.assert_allclose(metrics.temperature_distribution(LOGITS, LABELS, grid), counts / N)


def test_entropy_equals_scipy():
  np.testing.assert_allclose(
    metrics.entropy(LOGITS, 2.0), special.entr(_softmax(2.0)).sum(1), rtol=1e-5
  )
  assert metrics.entropy(jnp.array([1e4, 0.0])) == 0


def test_calibration_bins_are_closed_on_the_right():
  # Confidence 1/2 and right, 1 and wrong: the two ends of the second bin.
  logits, labels = jnp.array([[0.0, 0.0], [1000.0, 0.0]]), jnp.array([0, 1])
  found = metrics.expected_calibration_error(logits, labels, bins=2)
  assert found == (0.5 + 1) / 2


def test_expected_calibration_error_equals_numpy():
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


def test_masked_classes_are_not_counted():
  masked = np.insert(LOGITS, C, -np.inf, axis=1)
  where, tau = masked > -np.inf, 2.0
  probs, free = losses.softmax(masked, tau), losses.softmax(LOGITS, tau)
  for metric in (metrics.derived_average, metrics.derived_variance):
    np.testing.assert_allclose(metric(probs, LABELS, where=where), metric(free, LABELS), rtol=1e-5)
  np.testing.assert_allclose(
    metrics.inherent_variance(masked, LABELS, tau),
    metrics.inherent_variance(LOGITS, LABELS, tau),
    rtol=1e-5,
  )
  np.testing.assert_allclose(metrics.entropy(masked), metrics.entropy(LOGITS), rtol=1e-5)


def test_labels_out_of_range_give_nan():
  labels = np.concatenate([[-1, C, 300], LABELS[3:]])
  outside = np.arange(N) < 3
  probs = _softmax(1.0).astype(np.float32)
  for found in (
    metrics.derived_average(probs, labels),
    metrics.derived_variance(probs, labels),
    metrics.inherent_variance(LOGITS, labels, 1.0),
    metrics.label_probability(probs, labels),
    metrics.misguidance(probs, labels),
    metrics.misguidance(jnp.where(outside[:, None], jnp.nan, probs), LABELS),
  ):
    np.testing.assert_array_equal(np.isnan(found), outside)
  assert np.all(np.isnan(metrics.temperature_distribution(LOGITS, labels)))
  assert np.isnan(metrics.expected_calibration_error(LOGITS, labels))


@pytest.mark.parametrize(
  "metric",
  [
    metrics.derived_average,
    metrics.derived_variance,
    metrics.label_probability,
    metrics.misguidance,
    metrics.temperature_distribution,
    metrics.expected_calibration_error,
    lambda logits, labels: metrics.inherent_variance(logits, labels, 1.0),
  ],
)
def test_labels_of_another_shape_are_refused(metric):
  with pytest.raises(ValueError, match=r"labels has shape \(40, 1\); it must be \(40,\)"):
    metric(LOGITS, LABELS[:, None])
