"""Contrastive losses: values, gradients, extremes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import loss_reference as reference
import numpy as np
import pytest

from jaxkd import losses

B, K, E, M = 3, 5, 4, 100
_RNG: Any = np.random.default_rng(3)
STUDENT = _RNG.standard_normal((B, E)).astype(np.float32)
TEACHER = _RNG.standard_normal((B, E)).astype(np.float32)
NEGATIVES = _RNG.standard_normal((B, K, E)).astype(np.float32)


@functools.partial(jax.jit, static_argnames="tau")
def _value_and_gradient(student, tau):
  def total(student):
    value = losses.crd(
      student, TEACHER, NEGATIVES, num_examples=M, log_normalizer=jnp.log(150.0), tau=tau
    )
    return jnp.sum(value), value

  return jax.grad(total, has_aux=True)(student)


@pytest.mark.parametrize("tau", [0.07, 0.5])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_crd_equals_the_float64_reference(tau, dtype):
  given = jnp.asarray(STUDENT, dtype)
  gradient, value = _value_and_gradient(given, tau)
  student = np.asarray(given.astype(jnp.float32), np.float64)

  def expected(student):
    return np.array(
      [
        reference.crd(s, t, n, M, 150, tau)
        for s, t, n in zip(
          student, TEACHER.astype(np.float64), NEGATIVES.astype(np.float64), strict=True
        )
      ]
    )

  np.testing.assert_allclose(value, expected(student), rtol=1e-5)
  np.testing.assert_allclose(
    gradient.astype(jnp.float32),
    reference.gradient(lambda s: expected(s).sum(), student),
    rtol=float(jnp.finfo(dtype).eps) + 1e-4,
    atol=1e-4,
  )


def test_the_log_normalizer_is_the_mean_score_of_num_examples():
  scores = [
    np.exp(reference.unit(s) @ reference.unit(other) / 0.5)
    for s, t, n in zip(STUDENT, TEACHER, NEGATIVES, strict=True)
    for other in [t, *n]
  ]
  found = jax.jit(losses.crd_log_normalizer, static_argnames="num_examples")(
    STUDENT, TEACHER, NEGATIVES, num_examples=M, tau=0.5
  )
  np.testing.assert_allclose(found, np.log(M * np.mean(scores)), rtol=1e-5)


def test_masked_negatives_do_not_count():
  where = np.array([[1, 1, 0, 1, 0], [0, 0, 0, 0, 1], [0] * 5], bool)
  # One memory for all examples.
  shared, tau = NEGATIVES[0], 0.5
  log_normalizer = losses.crd_log_normalizer(
    STUDENT, TEACHER, shared, num_examples=M, tau=tau, where=where
  )
  scores = [
    np.exp(reference.unit(s) @ reference.unit(other) / tau)
    for s, t, counted in zip(STUDENT, TEACHER, where, strict=True)
    for other in [t, *shared[counted]]
  ]
  np.testing.assert_allclose(log_normalizer, np.log(M * np.mean(scores)), 1e-5)

  @jax.jit
  def crd(student, num_examples, log_normalizer):
    return losses.crd(
      student,
      TEACHER,
      shared,
      num_examples=num_examples,
      log_normalizer=log_normalizer,
      tau=tau,
      where=where,
    )

  value = crd(STUDENT, M, log_normalizer)
  expected = [
    reference.crd(s, t, shared[counted], M, M * np.mean(scores), tau)
    for s, t, counted in zip(STUDENT, TEACHER, where, strict=True)
  ]
  np.testing.assert_allclose(value, expected, rtol=1e-5)
  assert value[2] == 0
  gradient = jax.grad(lambda s: jnp.sum(crd(s, M, log_normalizer)))(STUDENT)
  assert np.all(np.isfinite(gradient))
  # As the docstring says, the number of examples cancels.
  np.testing.assert_allclose(
    crd(STUDENT, 1, log_normalizer - np.log(np.float32(M))), value, rtol=1e-5
  )


@pytest.mark.parametrize("scale", [0.0, 1e-15, 1e15])
def test_embeddings_of_any_length_give_a_finite_loss(scale):
  gradient, value = _value_and_gradient(scale * STUDENT, 0.07)
  assert np.all(np.isfinite(value))
  assert np.all(np.isfinite(gradient))
