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


def test_the_differences_from_the_authors_code_are_those_that_are_stated():
  # CIFAR-100: their rate is constant within an epoch, and their last batch is smaller.
  examples, batch, peak = 50_000, 128, 0.05
  total = round(240 * examples / batch)
  assert (total, 240 * -(-examples // batch) - total) == (93_750, 90)
  steps = np.arange(total)
  epochs = steps * batch / examples
  ours = np.asarray(
    jax.vmap(optim.schedule({**optim.RECIPE, "learning_rate": peak}, total))(jnp.asarray(steps))
  )
  whole = np.floor(epochs)
  warm = peak * (whole + 1e-6) / 5
  theirs = np.where(whole <= 5, warm, peak * 0.1 ** np.clip((whole - 120) // 30, 0, None))
  more = ours - theirs
  rising = epochs < 5
  assert np.all(more[rising] >= -1.1e-8)
  assert peak / 5 * 0.99 < more.max() < peak / 5
  starts = rising & (epochs - whole < batch / examples)
  assert np.count_nonzero(starts) == 5
  np.testing.assert_allclose(more[starts], 0, atol=peak / 5 * batch / examples)
  # Afterwards there is none, but for the step in which an epoch of a drop begins.
  later = ~rising & (np.abs(more) > 1e-6)
  assert np.count_nonzero(later) <= 3
  assert set(np.round(epochs[later], 2)) <= {150.0, 180.0, 210.0}


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
