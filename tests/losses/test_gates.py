"""Agreement of gradients against differences of the losses themselves."""

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


@pytest.mark.parametrize(
  ("tau", "student_tau"), [(4.0, None), (4.0, 1.0), (2.0, 3.0)]
)
def test_gradient_agreement(tau, student_tau):
  def agreement(student, teacher, label):
    def term(lam):
      return reference.gradient(
        lambda f: reference.distillation(
          f, label, reference.softmax(teacher, tau), lam, student_tau or tau
        ),
        student,
      )

    return term(0.0) @ term(1.0)

  expected = [
    agreement(*row) for row in zip(STUDENT, TEACHER, LABELS, strict=True)
  ]
  found = jax.jit(losses.gradient_agreement, static_argnames="student_tau")(
    STUDENT, TEACHER, LABELS, tau=tau, student_tau=student_tau
  )
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
