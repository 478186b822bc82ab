"""The authors' schedule, and PyTorch's SGD."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxkd.runs import config
from jaxkd.training import optim


def test_the_schedule_equals_the_authors_at_its_corners():
  options = {**config.default().optim, "learning_rate": 0.05}
  per_epoch = 391
  rate = optim.schedule(options, 240 * per_epoch)
  at = {
    0: 0.0,
    1: 0.01,
    5: 0.05,
    149.9: 0.05,
    150: 0.005,
    180: 0.0005,
    210: 0.00005,
    239.9: 0.00005,
  }
  for epoch, expected in at.items():
    assert rate(round(epoch * per_epoch)) == pytest.approx(expected, rel=1e-5)


def test_a_schedule_without_warmup_starts_at_its_peak():
  options = {"learning_rate": 0.1, "warmup": 0.0, "milestones": (0.5,), "decay": 0.1}
  rate = optim.schedule(options, 10)
  np.testing.assert_allclose([rate(0), rate(4), rate(5)], [0.1, 0.1, 0.01])


def test_momentum_and_weight_decay_equal_pytorchs():
  optimizer = optim.optimizer(
    {"momentum": 0.9, "weight_decay": 0.01}, lambda step: jnp.float32(0.1)
  )
  rng = np.random.default_rng(0)
  params = rng.normal(size=5)
  state = optimizer.init(jnp.asarray(params, jnp.float32))
  actual = jnp.asarray(params, jnp.float32)
  buffer = np.zeros(5)
  for _ in range(3):
    gradient = rng.normal(size=5)
    updates, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state, actual)
    actual = jax.tree.map(jnp.add, actual, updates)
    buffer = 0.9 * buffer + gradient + 0.01 * params
    params = params - 0.1 * buffer
  np.testing.assert_allclose(actual, params, rtol=1e-5)
