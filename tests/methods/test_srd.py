"""SRD is the log of the summed differences of normalised features, and KD."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from references import agrees, cross_entropy, kl, minimised, softmax
from views import STUDENT, TEACHER, S, T

from jaxkd import methods

# Version and loss on the batch of test_versions.py.
RECORDED = {"srd": (1, 17.9036)}
OPTIONS = {"name": "srd", "weight": 0.7, "alpha": 3, "kd": 0.5, "tau": 2}
OWN, TARGET = (
  outputs._replace(features=jax.random.normal(jax.random.key(seed), (4, width)))
  for outputs, seed, width in ((STUDENT, 0, 3), (TEACHER, 1, 6))
)


def adapter():
  return methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))


def normalized(x):
  return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-4)


def expected(features, projector, logits=S):
  kernel, bias = (np.asarray(v[...], np.float64) for v in (projector.kernel, projector.bias))
  target = normalized(np.asarray(TARGET.features, np.float64))
  log_sum = np.log(np.sum(np.abs(normalized(features @ kernel + bias) - target) ** 3))
  student, teacher = np.asarray(logits, np.float64), np.asarray(T, np.float64)
  soft = 4 * np.mean(kl(softmax(teacher, 2), softmax(student, 2)))
  return np.mean(cross_entropy(student)) + 0.7 * log_sum + 0.5 * soft


def test_the_loss_equals_that_of_the_authors():
  projector = adapter()
  agrees(OPTIONS, lambda x: expected(x, projector), "features", OWN, TARGET, adapter=projector)


def test_the_logits_learn_as_in_kd():
  projector = adapter()
  features = np.asarray(OWN.features, np.float64)
  agrees(
    OPTIONS, lambda x: expected(features, projector, x), "logits", OWN, TARGET, adapter=projector
  )


def test_equal_features_have_a_finite_loss_and_no_gradient():
  own, target = (outputs._replace(features=jnp.ones((4, 3))) for outputs in (OWN, TARGET))
  projector = methods.objective(OPTIONS).adapter(own, (target,), nnx.Rngs(0))
  loss, gradient = jax.value_and_grad(
    lambda x: minimised(OPTIONS, own._replace(features=x), target, adapter=projector)
  )(own.features)
  assert np.isfinite(loss)
  np.testing.assert_array_equal(gradient, 0)
