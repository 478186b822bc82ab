"""Gradient agreement against finite differences of the losses."""

import functools
from typing import Any

import jax
import loss_reference as reference
import numpy as np
import pytest

from jaxkd import losses

_RNG: Any = np.random.default_rng(4)
STUDENT = (2 * _RNG.standard_normal((6, 5))).astype(np.float32)
TEACHER = (4 * _RNG.standard_normal((6, 5))).astype(np.float32)
LABELS: Any = np.array([0, 4, 2, 2, 1, 0])


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("tau", "student_tau"), [(4.0, None), (4.0, 1.0), (2.0, 3.0)])
def test_agreement_equals_the_product_of_numerical_gradients(tau, student_tau, standardize):
  def agreement(student, teacher, label):
    # The cross entropy uses the logits without standardisation.
    def term(lam):
      compared = reference.standardize if standardize and lam else np.asarray
      return reference.gradient(
        lambda f: reference.distillation(
          compared(f), label, reference.softmax(compared(teacher), tau), lam, student_tau or tau
        ),
        student,
      )

    return term(0.0) @ term(1.0)

  expected = [agreement(*row) for row in zip(STUDENT, TEACHER, LABELS, strict=True)]
  found = jax.jit(losses.gradient_agreement, static_argnames=("student_tau", "standardize"))(
    STUDENT, TEACHER, LABELS, tau=tau, student_tau=student_tau, standardize=standardize
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_masked_classes_and_ignored_examples_do_not_change_the_agreement():
  student, teacher = (np.insert(x, 5, -np.inf, axis=1) for x in (STUDENT, TEACHER))
  agreement = jax.jit(
    functools.partial(losses.gradient_agreement, tau=4.0, standardize=True),
    static_argnames="ignore_label",
  )
  free = agreement(STUDENT, TEACHER, LABELS)
  labels = np.where(np.arange(6) < 2, [255, 6, 0, 0, 0, 0], LABELS)
  found = np.asarray(agreement(student, teacher, labels, ignore_label=255))
  assert found[0] == 0
  assert np.isnan(found[1])
  np.testing.assert_allclose(found[2:], free[2:], rtol=1e-5)
