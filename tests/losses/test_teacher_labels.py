"""Teacher labels against float64 NumPy, with ties and with two classes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import loss_reference as reference
import numpy as np
import pytest

from jaxkd import losses

_RNG: Any = np.random.default_rng(0)
LOGITS = (4 * _RNG.standard_normal((6, 5))).astype(np.float32)
LABELS: Any = np.array([0, 4, 2, 2, 1, 0])
PER_EXAMPLE = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 0.5], np.float32)


_optimal_temperature = jax.jit(losses.optimal_temperature, static_argnames="grid")


def _rows(function, *arrays):
  return np.stack([function(*row) for row in zip(*arrays, strict=True)])


def _close(actual, expected):
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("tau", [0.5, 1, 4.0])
def test_softmax_equals_the_float64_reference(tau):
  expected = _rows(lambda f: reference.softmax(f, tau), LOGITS)
  _close(jax.jit(losses.softmax)(LOGITS, tau), expected)


def test_temperatures_may_differ_for_each_example():
  _close(
    jax.jit(losses.softmax)(LOGITS, PER_EXAMPLE), _rows(reference.softmax, LOGITS, PER_EXAMPLE)
  )
  _close(
    jax.jit(losses.asymmetric_softmax)(LOGITS, LABELS, PER_EXAMPLE + 1, PER_EXAMPLE),
    _rows(reference.asymmetric_softmax, LOGITS, LABELS, PER_EXAMPLE + 1, PER_EXAMPLE),
  )


def test_asymmetric_softmax_equals_the_float64_reference():
  expected = _rows(lambda f, y: reference.asymmetric_softmax(f, y, 4.0, 2.5), LOGITS, LABELS)
  probs = jax.jit(losses.asymmetric_softmax)(LOGITS, LABELS, 4.0, 2.5)
  _close(probs, expected)
  log_probs = jax.jit(losses.log_asymmetric_softmax)(LOGITS, LABELS, 4.0, 2.5)
  _close(log_probs, np.log(expected))


@pytest.mark.parametrize("grid", [losses.ISATS_GRID, (0.5, 1.0, 1.5)], ids=["paper", "fine"])
def test_the_optimal_temperature_maximises_the_derived_variance(grid):
  # From uncertain to confident: each temperature is optimal for some example.
  rng: Any = np.random.default_rng(1)
  scales = np.geomspace(0.5, 20, 200)[:, None]
  logits = (scales * rng.standard_normal((200, 5))).astype(np.float32)
  labels = np.argmax(logits, axis=-1)
  expected = _rows(lambda f, y: reference.optimal_temperature(f, y, grid), logits, labels)
  assert set(expected) == set(grid)
  found = _optimal_temperature(logits, labels, grid)
  np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_the_order_of_the_grid_does_not_matter():
  np.testing.assert_array_equal(
    _optimal_temperature(LOGITS, LABELS, (8.0, 1.0, 4.0, 2.0)),
    _optimal_temperature(LOGITS, LABELS, (1.0, 2.0, 4.0, 8.0)),
  )


@pytest.mark.parametrize(
  "logits",
  [[[3.0, -1.0]] * 2, [[9.0, 0.1, 0.1, 0.1]] * 2, [[0.0, 0.0, 0.0]] * 2],
  ids=["two classes", "equal wrong classes", "all equal"],
)
def test_ties_go_to_the_smaller_temperature(logits):
  found = _optimal_temperature(jnp.array(logits), jnp.array([0, 0]))
  np.testing.assert_array_equal(found, [1.0, 1.0])


def test_the_search_is_exact_under_underflow():
  # In float32 every wrong probability is 0 below tau = 8. The search compares
  # logarithms, so it still orders the temperatures.
  logits = jnp.array([1000.0, 1.0, 0.0])
  assert _optimal_temperature(logits, jnp.array(0)) == 8.0


def test_tau1_is_tau2_plus_the_gap():
  tau1, tau2 = jax.jit(losses.isats_temperatures)(LOGITS, LABELS, gap=1.5)
  np.testing.assert_array_equal(tau2, _optimal_temperature(LOGITS, LABELS))
  np.testing.assert_array_equal(tau1, tau2 + 1.5)


def _teacher_logits(shift):
  """Logits around `shift` of a teacher that is mostly right, and labels."""
  rng: Any = np.random.default_rng(2)
  logits = (shift + 2 * rng.standard_normal((60, 5))).astype(np.float32)
  return logits, np.where(rng.random(60) < 0.8, np.argmax(logits, axis=-1), 0)


@pytest.mark.parametrize(
  ("tau1", "tau2", "shift"), [(5.0, 3.0, 3), (2.0, 4.0, -6), (6.0, 2.0, 0), (2.0, 2.0, 0)]
)
def test_guided_temperatures_equal_a_search_in_float64(tau1, tau2, shift):
  def log_ratio(logits, label, tau):
    log_probs = np.log(reference.asymmetric_softmax(logits, label, tau, tau2))
    return log_probs[label] - reference.wrong(log_probs, label).max()

  def expected(logits, label):
    plain = log_ratio(logits, label, tau2)
    if plain <= 0 or log_ratio(logits, label, tau1) > 0:
      return tau1
    # Bisection: between tau2, which keeps the true class on top, and tau1, which does not.
    kept, lost = tau2, tau1
    for _ in range(60):
      middle = (kept + lost) / 2
      if log_ratio(logits, label, middle) >= min(0.01, plain):
        kept = middle
      else:
        lost = middle
    return kept

  logits, labels = _teacher_logits(shift)
  wanted = _rows(expected, logits, labels)
  found, others = jax.jit(losses.guided_temperatures)(logits, labels, tau1, tau2)
  np.testing.assert_allclose(found, wanted, rtol=1e-5)
  np.testing.assert_array_equal(others, np.full(60, tau2, np.float32))
  # The search moves some temperatures, unless they are equal.
  assert (0 < np.mean(wanted != tau1) < 1) == (tau1 != tau2)


def test_guided_temperatures_have_finite_gradients():
  # Lost by far, lost narrowly, kept, a wrong teacher, a tie, zeros, a single wrong class.
  logits = jnp.array(
    [[6, 5, 0], [5, 4.99, 0], [9, 1, 0], [1, 4, 0], [3, 3, 0], [0, 0, 0], [6, 5, -jnp.inf]]
  )
  labels = jnp.zeros(7, int)

  def example(logits, label):
    return losses.guided_temperatures(logits, label, 5.0, 3.0)[0]

  found, gradient = jax.jit(jax.vmap(jax.value_and_grad(example)))(logits, labels)
  # tau1 = f_y / (m / tau2 + 0.01).
  bottom = 5 / 3 + 0.01
  np.testing.assert_allclose(found, [6 / bottom, 3, 5, 5, 5, 5, 6 / bottom], rtol=1e-6)
  np.testing.assert_allclose(gradient[0], [1 / bottom, -6 / 3 / bottom**2, 0], rtol=1e-5)
  np.testing.assert_array_equal(gradient[1:6], np.zeros((5, 3)))
  np.testing.assert_array_equal(gradient[6], gradient[0])


def test_fused_probabilities_equal_the_float64_reference():
  means = reference.class_means(LOGITS, LABELS, 5, 2.0)
  found = jax.jit(losses.fused_probabilities)(LOGITS, LABELS, means, tau=3.0, alpha=0.1)
  _close(found, 0.9 * _rows(lambda f: reference.softmax(f, 3), LOGITS) + 0.1 * means[LABELS])


def test_class_means_equal_the_float64_reference():
  # Class 3 has no example.
  means = jax.jit(losses.class_mean_probabilities, static_argnums=2)(LOGITS, LABELS, 5, 3.0)
  _close(means, reference.class_means(LOGITS, LABELS, 5, 3.0))
  np.testing.assert_array_equal(means[3], np.zeros(5))


def test_class_means_accept_leading_dimensions():
  np.testing.assert_array_equal(
    losses.class_mean_probabilities(LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3), 5, 3.0),
    losses.class_mean_probabilities(LOGITS, LABELS, 5, 3.0),
  )


@pytest.mark.parametrize("num_classes", [2, 5, 100])
def test_standardize_divides_by_the_sample_deviation(num_classes):
  rng: Any = np.random.default_rng(5)
  logits = (3 + 4 * rng.standard_normal((6, num_classes))).astype(np.float32)
  _close(jax.jit(losses.standardize)(logits), _rows(reference.standardize, logits))


def test_two_standardized_logits_are_the_root_of_one_half():
  np.testing.assert_allclose(
    losses.standardize(jnp.array([9.0, -5.0])), [0.5**0.5, -(0.5**0.5)], rtol=1e-6
  )


def test_equal_logits_standardize_to_zero_without_gradient():
  logits = jnp.full((3,), 0.1)
  value, gradient = jax.jit(
    jax.value_and_grad(lambda x: jnp.sum(losses.standardize(x) * jnp.arange(3.0)))
  )(logits)
  assert value == 0
  np.testing.assert_array_equal(gradient, np.zeros(3))


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.int16, jnp.int32])
def test_labels_may_have_any_integer_dtype(dtype):
  labels = jnp.array([3, 250], dtype)
  logits = jnp.zeros((2, 300)).at[:, 3].set(2.0)
  tau1 = jnp.array(2.0)
  probs = jax.jit(losses.asymmetric_softmax)(logits, labels, tau1, 1.0)
  assert probs[0, 3] < probs[1, 3]
  np.testing.assert_allclose(
    jax.jit(losses.cross_entropy)(logits, labels),
    -np.log(jax.jit(losses.softmax)(logits))[np.arange(2), [3, 250]],
    rtol=1e-6,
  )


def test_masked_classes_do_not_change_the_probabilities():
  logits = np.insert(LOGITS, 5, -np.inf, axis=1)
  for found, expected in (
    (losses.softmax(logits, 3.0), losses.softmax(LOGITS, 3.0)),
    (
      losses.asymmetric_softmax(logits, LABELS, 4.0, 2.0),
      losses.asymmetric_softmax(LOGITS, LABELS, 4.0, 2.0),
    ),
    (losses.standardize(logits), losses.standardize(LOGITS)),
  ):
    _close(found[:, :5], expected)
  np.testing.assert_array_equal(losses.standardize(logits)[:, 5], -np.inf)


def test_masked_classes_do_not_change_the_optimal_temperature():
  # A counted class of probability 0 would change the variance of the other
  # three, as the last line shows.
  rng: Any = np.random.default_rng(7)
  logits = (6 * rng.standard_normal((200, 3))).astype(np.float32)
  labels = rng.integers(0, 3, 200)
  expected = _rows(
    lambda f, y: reference.optimal_temperature(f, y, losses.ISATS_GRID), logits, labels
  )
  masked = np.concatenate([logits, np.full((200, 2), -np.inf, np.float32)], axis=1)
  np.testing.assert_array_equal(_optimal_temperature(masked, labels), expected.astype(np.float32))
  counted = np.concatenate([logits, np.full((200, 2), -1e4, np.float32)], axis=1)
  assert np.any(_optimal_temperature(counted, labels) != expected)


def test_labels_out_of_range_and_nan_logits_give_nan():
  logits = np.where(np.arange(6)[:, None] == 5, np.nan, LOGITS)
  labels = np.array([-1, 5, 300, 2, 1, 0])
  for values in (
    losses.optimal_temperature(logits, labels),
    *losses.isats_temperatures(logits, labels),
    *(x * logits[:, 0] for x in losses.guided_temperatures(logits, labels, 3.0, 2.0)),
    losses.fused_probabilities(logits, labels, np.eye(5), tau=1.0, alpha=0.5)[:, 0],
    losses.asymmetric_softmax(logits, labels, 2.0, 1.0)[:, 0],
  ):
    np.testing.assert_array_equal(np.isnan(values), [True, True, True, False, False, True])
  assert np.all(np.isnan(losses.standardize(logits[5])))


def test_labels_out_of_range_count_for_no_class_mean():
  labels = np.where(np.arange(6) < 3, [5, -1, 99, 0, 0, 0], LABELS)
  np.testing.assert_allclose(
    losses.class_mean_probabilities(LOGITS, labels, 5, 3.0),
    losses.class_mean_probabilities(LOGITS[3:], LABELS[3:], 5, 3.0),
    rtol=1e-6,
  )


def test_a_search_over_many_large_logits_needs_no_memory_for_the_grid():
  logits = jax.ShapeDtypeStruct((64, 21841), jnp.float32)
  labels = jax.ShapeDtypeStruct((64,), jnp.int32)

  def temporary(grid):
    search = jax.jit(functools.partial(losses.optimal_temperature, grid=grid))
    return search.lower(logits, labels).compile().memory_analysis().temp_size_in_bytes

  assert temporary(tuple(range(1, 17))) < 1.05 * temporary((1.0, 2.0))


def test_a_search_over_many_large_logits_finds_the_same(monkeypatch):
  logits = jax.random.normal(jax.random.key(0), (64, 50)) * 5
  labels = jnp.arange(64) % 50
  expected = losses.optimal_temperature(logits, labels)
  monkeypatch.setattr(losses.labels, "_VMAPPED", 100)
  np.testing.assert_array_equal(losses.optimal_temperature(logits, labels), expected)
