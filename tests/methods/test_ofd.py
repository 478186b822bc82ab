"""OFD compares maps before their ReLU, down to a margin of each channel."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import agrees, averaged, batch_normalized, cross_entropy, float64
from views import LABELS, STUDENT, TEACHER, preactivations

from jaxkd import methods
from jaxkd.methods.ofd import margin

# Version and loss on the batch of test_versions.py.
RECORDED = {"ofd": (1, 2.18812)}
OPTIONS = {"name": "ofd", "weight": 0.02}


OWN = preactivations(STUDENT, 0, (4, 2), (2, 3))
# The first stage has no partner; the last has a channel that is never negative.
TARGET = preactivations(TEACHER, 1, (8, 3), (4, 2), (4, 4))
_FIRST, _SECOND, _LAST = TARGET.preactivations
TARGET = TARGET._replace(preactivations=(_FIRST, _SECOND, _LAST.at[..., 0].add(10.0)))


def prepared(teacher, *masks):
  """The sums of several passes over the batch, each of some of its examples."""
  method = methods.objective(OPTIONS)
  parts = [method.prepare((teacher,), LABELS, jnp.array(mask), 5) for mask in masks]
  return jax.tree.map(lambda *sums: sum(sums), *parts)


def margins(x):
  """The means of the channels' negative values, and 3 deviations below 0 where there are none."""
  channels = x.reshape(-1, x.shape[-1]).T
  return np.array([c[c < 0].mean() if (c < 0).mean() > 1e-3 else -3 * c.std() for c in channels])


def expected(stages, connectors):
  total = np.mean(cross_entropy(float64(STUDENT.logits)))
  for x, connect, target, weight in zip(
    stages, connectors, TARGET.preactivations[1:], (0.01, 0.02), strict=True
  ):
    target = float64(target)
    low = margins(target)
    x = batch_normalized(x @ float64(connect[0].kernel)[0, 0])
    target = np.maximum(averaged(target, x.shape[1]), low)
    free = (x <= target) & (target <= 0)
    total += weight * np.sum(np.where(free, 0, (x - target) ** 2)) / 4
  return total


def test_the_loss_equals_that_of_the_authors():
  connectors = methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))
  constants = prepared(TARGET, [True, False, True, False], [False, True, False, True])
  view = {"adapter": connectors, "constants": constants}
  agrees(OPTIONS, lambda x: expected(x, connectors), "preactivations", OWN, TARGET, **view)


@pytest.mark.parametrize(("mean", "deviation"), [(0.5, 1.0), (-1.0, 0.3), (3.0, 1.5)])
def test_the_margin_of_gaussian_maps_is_that_of_a_batch_norm_with_these_parameters(mean, deviation):
  maps = mean + deviation * jax.random.normal(jax.random.key(2), (4, 200, 200, 1))
  teacher = TEACHER._replace(preactivations=(maps,))
  (sums,) = prepared(teacher, [True] * 4)
  low = mean / deviation
  tail = (
    deviation * np.exp(-(low**2) / 2) / np.sqrt(2 * np.pi) / (0.5 * math.erfc(low / math.sqrt(2)))
  )
  np.testing.assert_allclose(margin(sums), mean - tail, rtol=0.02)


def test_padding_does_not_count():
  some = prepared(TARGET, [True, False, True, False])
  kept = TARGET._replace(preactivations=tuple(x[::2] for x in TARGET.preactivations))
  method = methods.objective(OPTIONS)
  alone = method.prepare((kept,), LABELS[::2], jnp.array([True, True]), 5)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), some, alone)


def test_a_network_without_preactivations_is_refused():
  with pytest.raises(
    ValueError, match="needs stage 0 as a map, but a network has 0 preactivations"
  ):
    prepared(TEACHER, [True] * 4)
