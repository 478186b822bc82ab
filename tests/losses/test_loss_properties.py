"""Identities between the losses, on random logits."""

import functools
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from jaxkd import losses, metrics

C = 5
_LOGIT = st.floats(-30.0, 30.0, width=32)
_LOGITS = st.lists(_LOGIT, min_size=C, max_size=C).map(
  lambda values: np.array([values], np.float32)
)
_LABELS = st.integers(0, C - 1).map(lambda label: np.array([label]))
_TAUS = st.floats(0.5, 10.0, width=32)
_LAMS = st.floats(0.0, 1.0, width=32)

_softmax = jax.jit(losses.softmax)
_asymmetric_softmax = jax.jit(losses.asymmetric_softmax)
_guided_temperatures = jax.jit(losses.guided_temperatures)
_cross_entropy = jax.jit(losses.cross_entropy)
_kd = jax.jit(losses.kd)
_ats = jax.jit(losses.ats)
_PERMUTABLE = [
  jax.jit(functools.partial(losses.ats, lam=0.5, tau1=3.0, tau2=2.0)),
  jax.jit(functools.partial(losses.isats, lam=0.5)),
  jax.jit(functools.partial(losses.dkd, alpha=1.0, beta=8.0, tau=4.0)),
]

properties = hypothesis.settings(max_examples=20, deadline=None, derandomize=True, database=None)


def _close(actual, expected, rtol=1e-4, atol=1e-5):
  np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


@properties
@hypothesis.given(_LOGITS, _LOGITS, _LABELS, _LAMS, _TAUS)
def test_ats_with_equal_temperatures_is_kd(student, teacher, labels, lam, tau):
  _close(
    _ats(student, teacher, labels, lam=lam, tau1=tau, tau2=tau, student_tau=tau),
    _kd(student, teacher, labels, lam=lam, tau=tau),
  )


@properties
@hypothesis.given(_LOGITS, _LOGITS, _LABELS, _LAMS)
def test_kd_at_temperature_one_is_cross_entropy_with_soft_labels(student, teacher, labels, lam):
  soft_labels = (1 - lam) * np.eye(C)[labels] + lam * np.asarray(_softmax(teacher))
  log_probs = np.log(np.asarray(_softmax(student), np.float64) + 1e-300)
  _close(
    _kd(student, teacher, labels, lam=lam, tau=1.0),
    -np.sum(soft_labels * log_probs, axis=-1),
    rtol=1e-3,
  )


@properties
@hypothesis.given(_LOGITS, _LOGITS, _LABELS, _TAUS)
def test_kd_with_lam_zero_is_cross_entropy(student, teacher, labels, tau):
  _close(_kd(student, teacher, labels, lam=0.0, tau=tau), _cross_entropy(student, labels))


@properties
@hypothesis.given(_LOGITS, _LABELS, _TAUS, st.floats(-100.0, 100.0, width=32))
def test_softmax_and_kd_are_invariant_to_shifts(logits, labels, tau, shift):
  shifted = logits + np.float32(shift)
  # The shift itself rounds the logits: to 2**-17 below 128.
  _close(_softmax(shifted, tau), _softmax(logits, tau), atol=1e-4)
  _close(
    _kd(shifted, shifted, labels, lam=0.5, tau=tau),
    _kd(logits, logits, labels, lam=0.5, tau=tau),
    rtol=1e-3,
    atol=1e-3,
  )


def test_the_optimal_temperature_is_invariant_to_shifts():
  rng: Any = np.random.default_rng(0)
  logits = np.round(8 * rng.standard_normal((50, C)), 1).astype(np.float32)
  labels = rng.integers(0, C, 50)
  optimal_temperature = jax.jit(losses.optimal_temperature)
  np.testing.assert_array_equal(
    optimal_temperature(logits + np.float32(16), labels), optimal_temperature(logits, labels)
  )


def test_a_shift_changes_asymmetric_probabilities():
  logits, labels = jnp.array([2.0, 1.0, 0.0]), jnp.array(0)
  probs = _asymmetric_softmax(logits, labels, 3.0, 2.0)
  shifted = _asymmetric_softmax(logits + 6, labels, 3.0, 2.0)
  np.testing.assert_allclose(shifted[0] / shifted[1] / (probs[0] / probs[1]), np.exp(-1), rtol=1e-5)


@properties
@hypothesis.given(_LOGITS, _TAUS, _TAUS)
def test_guided_temperatures_keep_the_true_class_on_top(logits, tau1, tau2):
  labels = np.argmax(logits, axis=-1)
  plain = metrics.misguidance(_asymmetric_softmax(logits, labels, tau2, tau2), labels)
  before = metrics.misguidance(_asymmetric_softmax(logits, labels, tau1, tau2), labels)
  found, others = _guided_temperatures(logits, labels, tau1, tau2)
  after = metrics.misguidance(_asymmetric_softmax(logits, labels, found, others), labels)
  # A teacher that is right keeps the true class on top, unless float32 has a tie.
  assert after <= plain
  assert before or found == np.float32(tau1)
  assert min(tau1, tau2) <= found <= max(tau1, tau2)
  assert others == np.float32(tau2)


@properties
@hypothesis.given(_LOGITS, _LOGITS, _LABELS, st.permutations(range(C - 1)))
def test_losses_are_invariant_to_permutations_of_wrong_classes(student, teacher, labels, order):
  others = [c for c in range(C) if c != labels[0]]
  permutation = np.arange(C)
  permutation[others] = [others[i] for i in order]
  moved = student[:, permutation], teacher[:, permutation], labels
  kept = student, teacher, labels
  _close(
    _asymmetric_softmax(moved[1], labels, 3.0, 2.0),
    _asymmetric_softmax(teacher, labels, 3.0, 2.0)[:, permutation],
  )
  for loss in _PERMUTABLE:
    _close(loss(*moved), loss(*kept), atol=1e-4)


@properties
@hypothesis.given(_LOGITS, _LABELS, _TAUS)
def test_asymmetric_probabilities_sum_to_one(logits, labels, tau):
  probs = _asymmetric_softmax(logits, labels, tau + 1, tau)
  _close(jnp.sum(probs, axis=-1), 1.0)
