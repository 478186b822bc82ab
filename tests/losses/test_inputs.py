"""Wrong shapes, dtypes and temperatures are refused, in and out of jit."""

import functools
import re
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkd import losses

B, C, D = 6, 5, 4
_RNG: Any = np.random.default_rng(6)
STUDENT, TEACHER = _RNG.standard_normal((2, B, C)).astype(np.float32)
LABELS = np.arange(B) % C
FEATURES = _RNG.standard_normal((B, D)).astype(np.float32)
MAPS = _RNG.standard_normal((B, 3, 2, D)).astype(np.float32)
COLUMN = np.ones((B, 1), np.float32)
ONE_HOT = np.eye(C)[LABELS]

_partial = functools.partial
# Losses of two networks' logits and labels.
OF_TEACHERS = {
  "kd": _partial(losses.kd, lam=0.5, tau=2.0),
  "ats": _partial(losses.ats, lam=0.5, tau1=3.0, tau2=2.0),
  "isats": _partial(losses.isats, lam=0.5),
  "fgcr": lambda s, t, y: losses.fgcr(s, t, y, jnp.eye(C), lam=0.5, tau=2.0, alpha=0.1),
  "dkd": _partial(losses.dkd, alpha=1.0, beta=8.0, tau=2.0),
  "dist": _partial(losses.dist, beta=1.0, gamma=1.0, tau=2.0),
  "gradient_agreement": _partial(losses.gradient_agreement, tau=2.0),
}
# Losses and labels from one network's logits and labels.
OF_LABELS = {
  "cross_entropy": losses.cross_entropy,
  "regt": _partial(losses.regt, beta=0.1),
  "distillation": lambda f, y: losses.distillation(f, y, f, lam=0.5, tau=1.0),
  "asymmetric_softmax": _partial(losses.asymmetric_softmax, tau1=2.0, tau2=1.0),
  "log_asymmetric_softmax": _partial(losses.log_asymmetric_softmax, tau1=2.0, tau2=1.0),
  "optimal_temperature": losses.optimal_temperature,
  "isats_temperatures": losses.isats_temperatures,
  "guided_temperatures": _partial(losses.guided_temperatures, tau1=2.0, tau2=1.0),
  "class_mean_probabilities": _partial(losses.class_mean_probabilities, num_classes=C, tau=1.0),
  **{name: _partial(loss, STUDENT) for name, loss in OF_TEACHERS.items()},
}


def _refused(message, function, *arrays):
  pattern = re.escape(message)
  with pytest.raises(ValueError, match=pattern):
    function(*arrays)
  with pytest.raises(ValueError, match=pattern):
    jax.eval_shape(function, *arrays)


@pytest.mark.parametrize("name", OF_TEACHERS)
@pytest.mark.parametrize("shape", [(1, C), (B, C + 1), (B - 1, C), (C,)])
def test_teacher_logits_of_another_shape_are_refused(name, shape):
  message = f"teacher_logits has shape {shape}; it must be (6, 5), the shape of student_logits"
  if name == "dist" and len(shape) == 1:
    message = "teacher_logits has shape (5,); it must be [B, C]"
  _refused(message, OF_TEACHERS[name], STUDENT, np.ones(shape, np.float32), LABELS)


def test_a_divergence_from_other_examples_or_classes_is_refused():
  for shape in ((1, C), (B, C + 1), (C,)):
    message = f"teacher_logits has shape {shape}; it must be (6, 5), the shape of student_logits"
    _refused(message, losses.divergence, STUDENT, np.ones(shape, np.float32))


@pytest.mark.parametrize("name", OF_LABELS)
def test_labels_of_another_shape_or_dtype_are_refused(name):
  function = OF_LABELS[name]
  for labels in (LABELS[:1], LABELS[:, None], ONE_HOT.astype(int), ONE_HOT, np.int32(1)):
    _refused(f"labels has shape {np.shape(labels)}; it must be (6,)", function, STUDENT, labels)
  _refused("labels has dtype float32; it must be integers", function, STUDENT, np.ones(B))


@pytest.mark.parametrize("name", OF_LABELS)
@pytest.mark.parametrize("shape", [(B, 1), (B, 0)])
def test_fewer_than_two_classes_are_refused(name, shape):
  if name in OF_TEACHERS:
    function = lambda logits, labels: OF_TEACHERS[name](logits, STUDENT, labels)  # noqa: E731
  else:
    function = OF_LABELS[name]
  message = f"logits has shape {shape}; it must be "
  _refused(message, function, np.ones(shape, np.float32), LABELS)


kd, ats = OF_TEACHERS["kd"], OF_TEACHERS["ats"]
PER_EXAMPLE = {
  "lam": lambda v: losses.kd(STUDENT, TEACHER, LABELS, lam=v, tau=1.0),
  "tau": lambda v: losses.kd(STUDENT, TEACHER, LABELS, lam=0.5, tau=v),
  "student_tau": lambda v: kd(STUDENT, TEACHER, LABELS, student_tau=v),
  "tau1": lambda v: losses.ats(STUDENT, TEACHER, LABELS, lam=0.5, tau1=v, tau2=1.0),
  "tau2": lambda v: losses.asymmetric_softmax(STUDENT, LABELS, 1.0, v),
  "alpha": lambda v: losses.fgcr(STUDENT, TEACHER, LABELS, ONE_HOT[:C], lam=1.0, tau=2.0, alpha=v),
  "beta": lambda v: losses.regt(STUDENT, LABELS, beta=v),
  "gap": lambda v: losses.isats(STUDENT, TEACHER, LABELS, lam=0.5, gap=v),
}


@pytest.mark.parametrize("name", PER_EXAMPLE)
def test_options_are_scalars_or_one_value_for_each_example(name):
  for value in (COLUMN, COLUMN[:1, 0], COLUMN[:3, 0]):
    message = f"{name} has shape {value.shape}; it must be a scalar or (6,)"
    _refused(message, PER_EXAMPLE[name], value)
  each = PER_EXAMPLE[name](np.full(B, 0.5, np.float32))
  np.testing.assert_allclose(each, PER_EXAMPLE[name](0.5), rtol=1e-6)


def test_options_of_a_batch_are_scalars():
  for name in ("beta", "gamma", "tau"):
    options = {"beta": 1.0, "gamma": 1.0, "tau": 1.0, name: COLUMN[:, 0]}
    message = f"{name} has shape (6,); it must be a scalar"
    _refused(message, _partial(losses.dist, **options), STUDENT, TEACHER, LABELS)


@pytest.mark.parametrize("tau", [0, -1.0, 1e30, 1e-30, float("nan"), np.float32(1e6), np.zeros(B)])
def test_temperatures_out_of_range_are_refused(tau):
  for function in (
    lambda f, y: losses.softmax(f, tau),
    lambda f, y: losses.asymmetric_softmax(f, y, tau, 1.0),
    lambda f, y: losses.guided_temperatures(f, y, 2.0, tau),
    lambda f, y: losses.divergence(f, f, tau=tau),
    lambda f, y: losses.kd(f, f, y, lam=0.5, tau=tau),
    lambda f, y: losses.kd(f, f, y, lam=0.5, tau=1.0, student_tau=tau),
    lambda f, y: losses.ats(f, f, y, lam=0.5, tau1=2.0, tau2=tau),
    lambda f, y: losses.class_mean_probabilities(f, y, C, tau),
  ):
    _refused("a temperature must be from 0.0001 to 10000", function, STUDENT, LABELS)


def test_grids_out_of_range_are_refused():
  for grid, gap, message in (
    ((), 1.0, "grid has shape (0,); it must be [G]"),
    (2.0, 1.0, "grid has shape (); it must be [G]"),
    ((1.0, 0.0), 1.0, "grid is 0.0; a temperature must be"),
    ((1.0, 2.0), -1, "grid + gap is 0.0; a temperature must be"),
  ):
    _refused(message, _partial(losses.isats_temperatures, grid=grid, gap=gap), STUDENT, LABELS)


@pytest.mark.parametrize("tau", losses.TAU_RANGE)
def test_values_and_gradients_are_exact_at_the_ends_of_the_temperature_range(tau):
  def softmax(logits):
    powers = np.exp((logits - logits.max(-1, keepdims=True)) / tau)
    return powers / powers.sum(-1, keepdims=True)

  value, gradient = jax.jit(
    jax.value_and_grad(lambda s: jnp.sum(losses.kd(s, TEACHER, LABELS, lam=1.0, tau=tau)))
  )(STUDENT)
  student, teacher = (softmax(x.astype(np.float64)) for x in (STUDENT, TEACHER))
  expected = tau * (student - teacher)
  atol = 1e-3 * np.abs(expected).max()
  np.testing.assert_allclose(gradient, expected, atol=atol)
  shifted = STUDENT.astype(np.float64) - STUDENT.max(-1, keepdims=True)
  log_student = shifted / tau - np.log(np.exp(shifted / tau).sum(-1, keepdims=True))
  np.testing.assert_allclose(value, -(tau**2) * np.sum(teacher * log_student), rtol=1e-5)


@pytest.mark.parametrize("shape", [(C - 1, C), (C, C - 1), (C,), (B, C, C)])
def test_class_means_of_another_shape_are_refused(shape):
  function = _partial(losses.fgcr, lam=0.5, tau=2.0, alpha=0.1)
  message = f"class_means has shape {shape}; it must be (5, 5)"
  _refused(message, function, STUDENT, TEACHER, LABELS, np.ones(shape, np.float32))


@pytest.mark.parametrize(
  ("loss", "student", "teacher", "message"),
  [
    (losses.rkd, FEATURES, FEATURES[:1], "teacher_features has shape (1, 4); it must be (6, any)"),
    (losses.rkd, MAPS, FEATURES, "student_features has shape (6, 3, 2, 4); it must be [B, D]"),
    (losses.at, FEATURES, FEATURES, "student_features has shape (6, 4); it must be maps"),
    (losses.at, MAPS, MAPS[:, :1], "teacher_features has shape (6, 1, 2, 4); it must be (6, 3, 2"),
    (
      losses.fitnet,
      FEATURES,
      FEATURES[:, :1],
      "teacher_features has shape (6, 1); it must be (6, 4",
    ),
    (
      losses.fitnet,
      FEATURES[0],
      FEATURES[0],
      "student_features has shape (4,); it must be [B, ...]",
    ),
  ],
)
def test_features_that_do_not_match_are_refused(loss, student, teacher, message):
  _refused(message, loss, student, teacher)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (
      {"teacher_embeddings": FEATURES[:1]},
      "teacher_embeddings has shape (1, 4); it must be (6, 4)",
    ),
    ({"negatives": FEATURES[:, :3]}, "negatives has shape (6, 3); it must be (6, K, 4)"),
    ({"negatives": MAPS[0]}, "negatives has shape (3, 2, 4); it must be (6, K, 4)"),
    ({"where": np.ones((B, 2), bool)}, "where has shape (6, 2); it must be (6, 6)"),
    ({"tau": COLUMN}, "tau has shape (6, 1); it must be a scalar"),
    ({"tau": 0.0}, "tau is 0.0; a temperature must be"),
  ],
)
def test_embeddings_that_do_not_match_are_refused(change, message):
  arrays = {"student_embeddings": FEATURES, "teacher_embeddings": FEATURES, "negatives": FEATURES}
  with pytest.raises(ValueError, match=re.escape(message)):
    losses.crd(**{**arrays, **change}, num_examples=10, log_normalizer=0.0)
  with pytest.raises(ValueError, match=re.escape(message)):
    losses.crd_log_normalizer(**{**arrays, **change}, num_examples=10)


def test_losses_and_metrics_need_jax_and_optax_only():
  code = """
import sys
for name in ("flax", "orbax", "clu", "ml_collections", "tensorflow_datasets", "grain", "etils"):
  sys.modules[name] = None
import jaxkd.losses, jaxkd.metrics
print(sorted(m for m in sys.modules if m.split(".")[0] == "jaxkd"))
"""
  found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
  rooms = {name.split(".")[1] for name in eval(found.stdout) if "." in name}
  assert rooms == {"common", "losses", "metrics"}
