"""Mixed and smoothed labels reach the cross entropy of every method, and nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_versions import OBJECTIVES, terms_of
from views import LABELS, STUDENT, TEACHER

from jaxkd import methods
from jaxkd.methods import View

SOFT = jnp.asarray(np.random.default_rng(3).dirichlet(np.ones(5), 4), jnp.float32)
# They use no labels, by default.
WITHOUT = ("ban", "simkd")


@functools.partial(jax.jit, static_argnums=0)
def totals(name, labels):
  """The loss of a method on mixed labels and on hard ones, and its terms but cross entropy."""

  def total(soft):
    terms = terms_of(name, labels, soft_labels=soft)
    rest = {name: term for name, term in terms.items() if name not in ("hard", "cross_entropy")}
    return sum(terms.values()), rest

  return total(SOFT), total(None)


def test_soft_cross_entropy_equals_its_definition():
  view = View(STUDENT, (TEACHER,), LABELS, soft_labels=SOFT)
  logits = np.asarray(STUDENT.logits, np.float64)
  logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
  expected = -(np.asarray(SOFT) * logs).sum(axis=1)
  np.testing.assert_allclose(view.cross_entropy(STUDENT.logits), expected, rtol=1e-5)


def test_smoothing_spreads_a_share_of_mixed_labels_over_all_classes():
  view = View(STUDENT, (TEACHER,), LABELS, soft_labels=SOFT)
  smooth = view._replace(label_smoothing=0.1).cross_entropy(STUDENT.logits)
  expected = view._replace(soft_labels=0.9 * SOFT + 0.02).cross_entropy(STUDENT.logits)
  np.testing.assert_allclose(smooth, expected, rtol=1e-6)


def test_guidance_is_logged_of_plain_and_smoothed_labels_alone():
  kd, view = methods.objective("kd"), View(STUDENT, (TEACHER,), LABELS)
  assert kd.loss(view)[1].keys() == kd.loss(view._replace(label_smoothing=0.1))[1].keys()
  assert "misguided" in kd.loss(view)[1]
  assert not kd.loss(view._replace(soft_labels=SOFT))[1]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_method_takes_mixed_labels_only_in_its_cross_entropy(name):
  (mixed, rest), (hard, hard_rest) = totals(name, LABELS)
  (other, _), _ = totals(name, jnp.flip(LABELS))
  # The terms of the method itself are those of the hard labels.
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), rest, hard_rest)
  if name in WITHOUT:
    return
  assert abs(mixed - hard) > 1e-3
  # A method may not say that it takes mixed labels and use the class of an example.
  if methods.find(name).mixed_labels:
    np.testing.assert_allclose(mixed, other, rtol=1e-5)
