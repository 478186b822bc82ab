"""Losses on features: values, gradients, degenerate features."""

from typing import Any

import jax
import jax.numpy as jnp
import loss_reference as reference
import numpy as np
import pytest

from jaxkd import losses

_RNG: Any = np.random.default_rng(2)
STUDENT = _RNG.standard_normal((6, 3)).astype(np.float32)
TEACHER = (2 * _RNG.standard_normal((6, 4))).astype(np.float32)
STUDENT_MAPS = _RNG.standard_normal((2, 3, 2, 4)).astype(np.float32)
TEACHER_MAPS = _RNG.standard_normal((2, 3, 2, 5)).astype(np.float32)


_RKD = jax.jit(jax.value_and_grad(losses.rkd))


def _check(loss, expected, student, *, dtype=jnp.float32):
  student = jnp.asarray(student, dtype)
  value, gradient = jax.jit(jax.value_and_grad(loss))(student)
  student = np.asarray(student.astype(jnp.float32), np.float64)
  np.testing.assert_allclose(value, expected(student), rtol=1e-5)
  np.testing.assert_allclose(
    gradient.astype(jnp.float32),
    reference.gradient(expected, student),
    rtol=float(jnp.finfo(dtype).eps) + 1e-4,
    atol=1e-5,
  )


dtypes = pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])


@dtypes
def test_rkd_equals_the_float64_reference(dtype):
  _check(
    lambda s: losses.rkd(s, TEACHER, distance=25.0, angle=50.0),
    lambda s: reference.rkd(s, TEACHER.astype(np.float64), 25.0, 50.0),
    STUDENT,
    dtype=dtype,
  )


@dtypes
def test_fitnet_is_the_mean_squared_difference(dtype):
  teacher = TEACHER[:, :3]
  _check(
    lambda s: jnp.sum(losses.fitnet(s, teacher)),
    lambda s: np.sum(np.mean((s - teacher) ** 2, axis=-1)),
    STUDENT,
    dtype=dtype,
  )


def test_fitnet_averages_over_all_entries_of_an_example():
  value = losses.fitnet(STUDENT_MAPS, np.zeros_like(STUDENT_MAPS))
  np.testing.assert_allclose(value, np.mean(STUDENT_MAPS**2, axis=(1, 2, 3)), rtol=1e-5)


@dtypes
def test_at_equals_the_float64_reference(dtype):
  _check(
    lambda s: jnp.sum(losses.at(s, TEACHER_MAPS)),
    lambda s: sum(map(reference.at, s, TEACHER_MAPS)),
    STUDENT_MAPS,
    dtype=dtype,
  )


def test_rkd_ignores_scale_rotation_and_translation():
  rotation, _ = np.linalg.qr(_RNG.standard_normal((3, 3)))
  moved = (3 * STUDENT @ rotation + 1).astype(np.float32)
  value, _ = _RKD(STUDENT, moved)
  np.testing.assert_allclose(value, 0.0, atol=1e-9)


@pytest.mark.parametrize(
  "features",
  [np.zeros((6, 3)), np.ones((6, 3)), np.eye(6)[:, [0, 0, 1]], 1e4 * STUDENT],
  ids=["zero", "equal", "collapsed", "large"],
)
def test_degenerate_features_give_a_finite_loss(features):
  features = features.astype(np.float32)
  value, gradient = _RKD(features, TEACHER)
  assert np.isfinite(value)
  assert np.all(np.isfinite(gradient))
  value, gradient = _RKD(STUDENT, features)
  assert np.isfinite(value)
  assert np.all(np.isfinite(gradient))


def test_rkd_of_one_example_is_zero():
  assert jax.jit(losses.rkd)(STUDENT[:1], TEACHER[:1]) == 0


def test_zero_maps_give_a_finite_loss():
  value, gradient = jax.jit(jax.value_and_grad(lambda s: jnp.sum(losses.at(s, TEACHER_MAPS))))(
    jnp.zeros_like(STUDENT_MAPS)
  )
  assert np.isfinite(value)
  assert np.all(np.isfinite(gradient))


def test_dist_of_an_equal_teacher_is_cross_entropy():
  labels = jnp.arange(6) % 3
  hard = jnp.mean(losses.cross_entropy(STUDENT, labels))
  loss = jax.jit(losses.dist)(STUDENT, STUDENT, labels, beta=1.0, gamma=1.0, tau=1.0)
  np.testing.assert_allclose(loss, hard, rtol=1e-5)
  assert loss.shape == ()


@pytest.mark.parametrize("loss", [losses.fitnet, losses.at])
def test_maps_of_another_shape_are_refused(loss):
  with pytest.raises(ValueError, match=r"teacher_features has shape \(2, 1, 2, 5\)"):
    loss(STUDENT_MAPS, TEACHER_MAPS[:, :1])
