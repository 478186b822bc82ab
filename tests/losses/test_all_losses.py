"""What every loss must do: values, gradients, half precision, extremes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import loss_reference as reference
import numpy as np
import pytest

from jaxkd import losses

B, C = 6, 5
_RNG: Any = np.random.default_rng(1)
STUDENT = (2 * _RNG.standard_normal((B, C))).astype(np.float32)
TEACHER = (4 * _RNG.standard_normal((B, C))).astype(np.float32)
LABELS: Any = np.array([0, 4, 2, 2, 1, 0])
SOFT = np.stack([reference.softmax(f) for f in TEACHER]).astype(np.float32)
MEANS = reference.class_means(TEACHER, LABELS, C, 2.0).astype(np.float32)
LAM = np.linspace(0.0, 1.0, B).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Case:
  """A loss of (student, teacher, labels, **options), and the same of one example."""

  loss: Callable
  expected: Callable


PER_EXAMPLE = {
  "cross_entropy": Case(
    lambda s, t, y, **k: losses.cross_entropy(s, y, **k),
    lambda s, t, y: -np.log(reference.softmax(s)[y]),
  ),
  "distillation": Case(
    lambda s, t, y, **k: losses.distillation(s, y, losses.softmax(t), lam=0.3, tau=2.0, **k),
    lambda s, t, y: reference.distillation(s, y, reference.softmax(t), 0.3, 2),
  ),
  "kd": Case(
    lambda s, t, y, **k: losses.kd(s, t, y, lam=0.7, tau=4, **k),
    lambda s, t, y: reference.kd(s, t, y, 0.7, 4),
  ),
  "kd, student at 1": Case(
    lambda s, t, y, **k: losses.kd(s, t, y, lam=0.7, tau=4.0, student_tau=1.0, **k),
    lambda s, t, y: reference.distillation(s, y, reference.softmax(t, 4), 0.7, 1),
  ),
  "ats": Case(
    lambda s, t, y, **k: losses.ats(s, t, y, lam=0.5, tau1=4.0, tau2=2.5, student_tau=2.0, **k),
    lambda s, t, y: reference.ats(s, t, y, 0.5, 4, 2.5, 2),
  ),
  "isats": Case(
    lambda s, t, y, **k: losses.isats(s, t, y, lam=0.5, **k),
    lambda s, t, y: reference.isats(s, t, y, 0.5, losses.ISATS_GRID),
  ),
  "fgcr": Case(
    lambda s, t, y, **k: losses.fgcr(s, t, y, MEANS, lam=0.5, tau=3.0, alpha=0.1, **k),
    lambda s, t, y: reference.fgcr(s, t, y, MEANS.astype(float), 0.5, 3, 0.1),
  ),
  "regt": Case(
    lambda s, t, y, **k: losses.regt(s, y, beta=0.5, **k), lambda s, t, y: reference.regt(s, y, 0.5)
  ),
  "divergence": Case(
    lambda s, t, y, **k: losses.divergence(s, t, tau=4.0),
    lambda s, t, y: 16 * reference.kl(reference.softmax(t, 4), reference.softmax(s, 4)),
  ),
  "dkd": Case(
    lambda s, t, y, **k: losses.dkd(s, t, y, alpha=1.0, beta=8.0, tau=4.0, **k),
    lambda s, t, y: reference.dkd(s, t, y, 1, 8, 4),
  ),
  "standardized kd": Case(
    lambda s, t, y, **k: losses.kd(
      losses.standardize(s), losses.standardize(t), y, lam=1.0, tau=2.0, **k
    ),
    lambda s, t, y: reference.kd(reference.standardize(s), reference.standardize(t), y, 1, 2),
  ),
}
DIST = Case(
  lambda s, t, y, **k: losses.dist(s, t, y, beta=2.0, gamma=1.0, tau=4.0, **k),
  lambda s, t, y: reference.dist(s, t, y, 2, 1, 4),
)

per_example = pytest.mark.parametrize("name", PER_EXAMPLE)
every = pytest.mark.parametrize("name", [*PER_EXAMPLE, "dist"])
# A divergence has no labels.
labelled = pytest.mark.parametrize("name", sorted({*PER_EXAMPLE} - {"divergence"}))


def _case(name):
  return DIST if name == "dist" else PER_EXAMPLE[name]


def _expected(name, student, teacher):
  student, teacher = student.astype(np.float64), teacher.astype(np.float64)
  if name == "dist":
    return DIST.expected(student, teacher, LABELS)
  rows = zip(student, teacher, LABELS, strict=True)
  return np.array([_case(name).expected(*row) for row in rows])


@functools.cache
def _value_and_gradient(name):
  def total(student, teacher, labels):
    value = _case(name).loss(student, teacher, labels)
    return jnp.sum(value), value

  return jax.jit(jax.grad(total, has_aux=True))


@functools.cache
def _jitted(name):
  return jax.jit(_case(name).loss, static_argnames="ignore_label")


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_value_and_gradient(name, dtype):
  arrays = jnp.asarray(STUDENT, dtype), jnp.asarray(TEACHER, dtype)
  gradient, value = _value_and_gradient(name)(*arrays, LABELS)
  # What a half-precision input has lost is lost; nothing more is.
  student, teacher = (np.asarray(x.astype(jnp.float32)) for x in arrays)
  assert value.dtype == jnp.float32
  np.testing.assert_allclose(value, _expected(name, student, teacher), rtol=1e-5)
  assert gradient.dtype == dtype
  np.testing.assert_allclose(
    gradient.astype(jnp.float32),
    reference.gradient(lambda s: _expected(name, s, teacher).sum(), student),
    rtol=float(jnp.finfo(dtype).eps) + 1e-4,
    atol=1e-5,
  )


@every
def test_float64_stays_float64(name):
  with jax.enable_x64(True):
    value = jax.jit(_case(name).loss)(
      STUDENT.astype(np.float64), TEACHER.astype(np.float64), LABELS
    )
  assert value.dtype == np.float64
  np.testing.assert_allclose(value, _expected(name, STUDENT, TEACHER), rtol=1e-13)


_HUGE = 1e4
EXTREMES = {
  "equal": np.full((B, C), 0.1),
  "huge and equal": np.full((B, C), _HUGE),
  "one-hot, right": _HUGE * np.eye(C)[LABELS],
  "one-hot, wrong": _HUGE * np.eye(C)[(LABELS + 1) % C],
  "opposite": -_HUGE * np.eye(C)[LABELS],
  "huge": _HUGE * np.sign(TEACHER),
  "huge and shifted": _HUGE + TEACHER,
}


@every
@pytest.mark.parametrize("teacher", EXTREMES)
def test_extreme_logits_are_finite(name, teacher):
  gradient_of = _value_and_gradient(name)
  for student in EXTREMES:
    gradient, value = gradient_of(
      EXTREMES[student].astype(np.float32), EXTREMES[teacher].astype(np.float32), LABELS
    )
    assert np.all(np.isfinite(value)), student
    assert np.all(np.isfinite(gradient)), student


@every
def test_one_hot_in_float16_is_finite(name):
  logits = jnp.asarray(6e4 * np.eye(C)[LABELS], jnp.float16)
  gradient, value = _value_and_gradient(name)(logits, -logits, LABELS)
  assert np.all(np.isfinite(value))
  assert np.all(np.isfinite(gradient))


def test_cross_entropy_keeps_its_digits_far_from_zero():
  logits = jnp.array([1e4, 1e4 - 1.0])
  np.testing.assert_allclose(losses.cross_entropy(logits, jnp.array(1)), np.log1p(np.e), rtol=1e-5)


@per_example
def test_vmap_equals_batch(name):
  np.testing.assert_allclose(
    jax.jit(jax.vmap(_case(name).loss))(STUDENT, TEACHER, LABELS),
    _jitted(name)(STUDENT, TEACHER, LABELS),
    rtol=1e-6,
  )


@per_example
def test_leading_dimensions(name):
  loss = _jitted(name)
  np.testing.assert_allclose(
    loss(STUDENT.reshape(2, 3, C), TEACHER.reshape(2, 3, C), LABELS.reshape(2, 3)).reshape(-1),
    loss(STUDENT, TEACHER, LABELS),
    rtol=1e-6,
  )


@pytest.mark.parametrize("name", sorted({*PER_EXAMPLE, "dist"} - {"fgcr"}))
def test_two_classes(name):
  # One wrong class: nothing to tell apart, but a loss all the same.
  gradient, value = _value_and_gradient(name)(STUDENT[:, :2], TEACHER[:, :2], LABELS % 2)
  assert np.all(np.isfinite(value))
  assert np.all(np.isfinite(gradient))
  if name in PER_EXAMPLE:
    rows = zip(STUDENT[:, :2].astype(float), TEACHER[:, :2].astype(float), LABELS % 2, strict=True)
    expected = [_case(name).expected(*row) for row in rows]
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_per_example_options():
  tau = np.linspace(1.0, 5.0, B).astype(np.float32)
  expected = [
    reference.kd(s, t, y, lam, temperature)
    for s, t, y, lam, temperature in zip(STUDENT, TEACHER, LABELS, LAM, tau, strict=True)
  ]
  np.testing.assert_allclose(
    jax.jit(losses.kd)(STUDENT, TEACHER, LABELS, lam=LAM, tau=tau), expected, rtol=1e-5
  )


def test_teacher_is_not_detached():
  gradient = jax.jit(jax.grad(lambda t: jnp.sum(losses.kd(STUDENT, t, LABELS, lam=0.5, tau=2.0))))(
    TEACHER
  )
  assert np.all(np.any(np.abs(gradient) > 1e-4, axis=-1))


def test_regt_has_no_gradient_from_equal_wrong_classes():
  logits = jnp.array([[1.0, 0.1, 0.1, 0.1]])
  labels = jnp.array([0])
  p = np.asarray(losses.softmax(logits))[0, 0]
  # Only cross entropy (p - 1) and confidence (p (1 - p)) act on f_y.
  gradient = jax.jit(jax.grad(lambda f: losses.regt(f, labels, beta=0.5)[0]))(logits)
  np.testing.assert_allclose(gradient[0, 0], p - 1 + 0.5 * p * (1 - p), rtol=1e-5)


@every
def test_masked_classes_have_no_part_in_the_loss(name, monkeypatch):
  at = 3
  labels = LABELS + (at <= LABELS)
  student, teacher = (np.insert(x, at, -np.inf, axis=1) for x in (STUDENT, TEACHER))
  means = np.insert(np.insert(MEANS, at, 0, axis=0), at, 0, axis=1)
  loss = _case(name).loss
  free_gradient, _ = _value_and_gradient(name)(STUDENT, TEACHER, LABELS)
  monkeypatch.setitem(globals(), "MEANS", means)

  @jax.jit
  @functools.partial(jax.grad, argnums=(0, 1), has_aux=True)
  def gradients(student, teacher):
    value = loss(student, teacher, labels)
    return jnp.sum(value), value

  (gradient, teacher_gradient), value = gradients(student, teacher)
  monkeypatch.undo()
  np.testing.assert_allclose(value, _expected(name, STUDENT, TEACHER), rtol=1e-5)
  np.testing.assert_allclose(
    gradient, np.insert(free_gradient, at, 0, axis=1), rtol=1e-4, atol=1e-6
  )
  assert np.all(np.isfinite(teacher_gradient))
  np.testing.assert_array_equal(teacher_gradient[:, at], 0)


@pytest.mark.parametrize("name", sorted({*PER_EXAMPLE} - {"cross_entropy", "regt"}))
def test_a_class_that_only_the_student_masks_makes_the_loss_infinite(name):
  student = STUDENT.copy()
  student[0, 1] = -np.inf
  value = np.asarray(_jitted(name)(student, TEACHER, LABELS))
  assert value[0] == np.inf
  assert np.all(np.isfinite(value[1:]))


@labelled
def test_ignored_labels_give_zero_and_labels_outside_give_nan(name):
  labels = np.array([-100, 4, C, -1, 1, 0])
  student, teacher = STUDENT.copy(), TEACHER.copy()
  if name != "standardized kd":
    # The losses, unlike `standardize`, know which logits may be anything.
    student[0], teacher[0] = np.nan, np.inf
  kept = np.array([1, 4, 5])
  clean_gradient, clean = _value_and_gradient(name)(STUDENT, TEACHER, np.array([0, 4, 0, 0, 1, 0]))

  @jax.jit
  @functools.partial(jax.grad, has_aux=True)
  def gradient_and_value(student):
    value = _case(name).loss(student, teacher, labels, ignore_label=-100)
    return jnp.sum(value), value

  gradient, value = map(np.asarray, gradient_and_value(student))
  assert value[0] == 0
  np.testing.assert_array_equal(gradient[0], 0)
  assert np.all(np.isnan(value[2:4]))
  assert np.all(np.isnan(gradient[2:4]).any(axis=-1))
  np.testing.assert_allclose(value[kept], np.asarray(clean)[kept], rtol=1e-6)
  np.testing.assert_allclose(gradient[kept], np.asarray(clean_gradient)[kept], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["cross_entropy", "isats", "fgcr", "dist"])
def test_labels_outside_give_nan_without_jit_too(name):
  value = _case(name).loss(STUDENT, TEACHER, np.array([-1, C, -100, 2, 1, 0]))
  np.testing.assert_array_equal(np.isnan(value), name == "dist" or [1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize("name", sorted({*PER_EXAMPLE, "dist"} - {"divergence"}))
def test_a_label_may_be_ignored_that_is_a_class(name):
  value = _jitted(name)(STUDENT, TEACHER, LABELS, ignore_label=4)
  kept = LABELS != 4
  if name == "dist":
    expected = DIST.expected(STUDENT[kept].astype(float), TEACHER[kept].astype(float), LABELS[kept])
    np.testing.assert_allclose(value, expected, rtol=1e-5)
  else:
    expected = np.where(kept, _expected(name, STUDENT, TEACHER), 0)
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_dist_of_ignored_examples_alone_is_zero():
  labels = np.full(B, 7)
  value, gradient = jax.jit(
    jax.value_and_grad(lambda s: DIST.loss(s, TEACHER, labels, ignore_label=7))
  )(STUDENT)
  assert value == 0
  np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("option", ["tau", "student_tau", "lam"])
def test_gradients_in_options_with_masked_classes(option):
  masked = np.insert(STUDENT, 2, -np.inf, axis=1), np.insert(TEACHER, 2, -np.inf, axis=1)
  options = {"lam": 0.7, "tau": 4.0, "student_tau": 3.0}

  @jax.jit
  @jax.grad
  def gradient(value, student, teacher):
    return jnp.sum(losses.kd(student, teacher, np.zeros(B, int), **{**options, option: value}))

  np.testing.assert_allclose(
    gradient(jnp.float32(options[option]), *masked),
    gradient(jnp.float32(options[option]), STUDENT, TEACHER),
    rtol=1e-4,
  )
