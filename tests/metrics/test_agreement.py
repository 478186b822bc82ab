"""Rank statistics against SciPy, and rules against plain Python."""

import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from known_classes import CIFAR100_CLASSES, DIGITS_FIVE_CLASSES
from scipy import special, stats

from jaxkd import metrics
from jaxkd.analysis import rules
from jaxkd.metrics import agreement

_RNG: Any = np.random.default_rng(0)
# More examples than a block of the rank statistics, and no multiple of it.
N, C = 300, 7
A = _RNG.permuted(np.tile(np.arange(C), (N, 1)), axis=1).astype(np.float32)
B = (A + 2 * _RNG.standard_normal((N, C))).astype(np.float32)
TIED = _RNG.integers(0, 4, (N, C)).astype(np.float32)
SIMILAR = (TIED + _RNG.integers(0, 2, (N, C))).astype(np.float32)

pairs = pytest.mark.parametrize(("a", "b"), [(A, B), (TIED, SIMILAR)], ids=["distinct", "ties"])


def _rows(function, a, b):
  return np.array([function(*row) for row in zip(a, b, strict=True)])


@pytest.mark.parametrize("k", [1, 3, C])
def test_topk_overlap_equals_set_intersections(k):
  def common(a, b):
    return len({*np.argsort(-a)[:k]} & {*np.argsort(-b)[:k]})

  counts = _rows(common, A, B)
  np.testing.assert_allclose(
    metrics.topk_overlap(A, B, k), np.bincount(counts, minlength=k + 1) / N
  )
  np.testing.assert_allclose(metrics.rank_set_overlap(A, B, k), counts / k)


@pairs
def test_spearman_equals_scipy(a, b):
  expected = _rows(lambda x, y: stats.spearmanr(x, y).statistic, a, b)
  np.testing.assert_allclose(metrics.spearman(a, b), expected, atol=1e-6)


@pairs
def test_kendall_tau_b_equals_scipy(a, b):
  expected = _rows(lambda x, y: stats.kendalltau(x, y).statistic, a, b)
  np.testing.assert_allclose(metrics.kendall_tau_b(a, b), expected, atol=1e-6)


@pairs
def test_kendall_tau_is_equation_6(a, b):
  def sg(x):
    return 1 if x > 0 else -1

  def equation(x, y):
    terms = [sg(x[i] - x[j]) * sg(y[i] - y[j]) for i, j in itertools.combinations(range(C), 2)]
    return 2 / (C * (C - 1)) * sum(terms)

  np.testing.assert_allclose(metrics.kendall_tau(a, b), _rows(equation, a, b), atol=1e-6)


def test_kendall_tau_and_tau_b_agree_without_ties():
  np.testing.assert_allclose(metrics.kendall_tau(A, B), metrics.kendall_tau_b(A, B), rtol=1e-6)


def test_many_classes_are_counted_exactly():
  a, b = _RNG.standard_normal((2, 3, 1000))
  expected = _rows(lambda x, y: stats.kendalltau(x, y).statistic, a, b)
  found = metrics.kendall_tau_b(a.astype(np.float32), b.astype(np.float32))
  # A few of the half million pairs become equal in float32.
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_ranks_of_17000_classes_do_not_overflow():
  ranks = agreement._doubled_ranks(jnp.arange(17_000.0)[None])
  np.testing.assert_array_equal(ranks[:, 0], 2 + 2 * np.arange(17_000))


@pytest.mark.parametrize(
  "metric", [metrics.spearman, metrics.kendall_tau, metrics.kendall_tau_b, metrics.rank_set_overlap]
)
def test_leading_dimensions_are_treated_as_one_batch(metric):
  found = metric(A.reshape(3, 100, C), B.reshape(3, 100, C))
  np.testing.assert_array_equal(found.reshape(-1), metric(A, B))


@pytest.mark.parametrize("metric", [metrics.spearman, metrics.kendall_tau, metrics.topk_overlap])
def test_logits_of_different_numbers_of_classes_are_refused(metric):
  options = {"k": 2} if metric is metrics.topk_overlap else {}
  with pytest.raises(ValueError, match=r"logits_b has shape \(300, 6\); it must be \(300, 7\)"):
    metric(A, B[:, :-1], **options)


@pytest.mark.parametrize("k", [0, C + 1])
def test_k_outside_the_number_of_classes_is_refused(k):
  with pytest.raises(ValueError, match=f"k = {k}; it must be from 1 to the 7"):
    metrics.topk_overlap(A, B, k)


@pytest.mark.parametrize("k", [1, 2])
def test_negative_zero_equals_zero(k):
  a, b = np.array([[0.0, -0.0, -1.0]], np.float32), np.array([[-0.0, 0.0, -1.0]], np.float32)
  assert metrics.rank_set_overlap(a, b, k) == 1
  np.testing.assert_array_equal(metrics.topk_overlap(a, b, k)[-1], 1)
  for found, same in zip(
    metrics.rank_correlations(a, b), metrics.rank_correlations(a, a), strict=True
  ):
    np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize(
  "metric",
  [metrics.rank_correlations, metrics.spearman, metrics.kendall_tau, metrics.rank_set_overlap],
)
def test_empty_arrays_are_refused(metric):
  with pytest.raises(ValueError, match=r"logits_a has shape \(0, 7\); it must be of one example"):
    metric(A[:0], B[:0])


def test_rule_consistency_equals_scipy_and_numpy():
  labels = _RNG.integers(0, 3, N)
  chains = ((0, 2, 5), (1, 6, 3, 4))
  probs = special.softmax(B.astype(np.float64) / 4, axis=1)
  kendalls, deviations = [], []
  for chain in chains:
    rows = probs[labels == chain[0]][:, list(chain)]
    order = -np.arange(len(chain))
    kendalls.append(np.mean([stats.kendalltau(row, order).statistic for row in rows]))
    deviations.append(np.mean(np.std(rows[:, 1:], axis=1)))
  found = metrics.rule_consistency(B, labels, chains)
  np.testing.assert_allclose(found.kendall, np.mean(kendalls), rtol=1e-5)
  np.testing.assert_allclose(found.deviation, np.mean(deviations), rtol=1e-5)


def test_a_rule_with_a_label_out_of_range_is_refused():
  with pytest.raises(ValueError, match="the rule's class 7 is outside the 7 classes"):
    metrics.rule_consistency(A, jnp.zeros(N, int), ((0, 1, 7),))


@pytest.mark.parametrize(
  ("table", "class_names", "number"),
  [
    (rules.CIFAR100_RULES, CIFAR100_CLASSES, 100),
    (rules.DIGITS_FIVE_RULES, DIGITS_FIVE_CLASSES, 50),
  ],
  ids=["cifar100", "digits_five"],
)
def test_rules_name_existing_classes(table, class_names, number):
  assert len(set(class_names)) == len(class_names) == number
  for rule in table:
    for chain in rules.label_chains(rule, class_names):
      assert len(set(chain)) == len(chain) >= 3


def test_rules_equal_the_papers():
  # Labels as in the published archives.
  names = CIFAR100_CLASSES
  assert rules.label_chains(rules.CIFAR100_RULES[0], names) == ((36, 50, 65, 80, 74),)
  assert rules.label_chains(rules.CIFAR100_RULES[2], names) == ((47, 52, 96, 59, 56),)
  digits = rules.label_chains(rules.DIGITS_FIVE_RULES[2], DIGITS_FIVE_CLASSES)
  assert digits[0] == (20, 0, 10, 30)
  assert digits[9] == (29, 9, 19, 39)
  for group in rules.CIFAR100_GROUPS.values():
    assert set(group) <= set(names)


def test_a_rule_with_an_unknown_class_name_is_refused():
  with pytest.raises(ValueError, match=r"rule C\.1: no class is called 'ham"):
    rules.label_chains(rules.CIFAR100_RULES[0], ["mouse"])
