"""The authors' schedule, and PyTorch's SGD."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxkd.models.own import adapt
from jaxkd.runs import config
from jaxkd.training import optim
from jaxkd.training.muon import matrices, scale_by_muon
from jaxkd.training.step import functional


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


def rates(kind, total=40, warmup=0.1, peak=0.5):
  options = {**optim.RECIPE, "schedule": kind, "warmup": warmup, "learning_rate": peak}
  return np.asarray(jax.vmap(optim.schedule(options, total))(jnp.arange(total)), np.float64)


def test_every_schedule_rises_and_then_follows_its_curve():
  share = np.arange(36) / 36
  curves = {
    "cosine": (1 + np.cos(np.pi * share)) / 2,
    "linear": 1 - share,
    "constant": 1 + 0 * share,
  }
  for kind, curve in curves.items():
    found = rates(kind)
    np.testing.assert_allclose(found[:4], 0.5 * np.arange(4) / 4, rtol=1e-6)
    np.testing.assert_allclose(found[4:], 0.5 * curve, rtol=1e-4, atol=1e-7)
    assert rates(kind, warmup=0.0)[0] == 0.5


RNG = np.random.default_rng(1)
START = {"kernel": RNG.normal(size=(3, 4)), "bias": RNG.normal(size=4)}
GRADIENTS = [jax.tree.map(lambda x: RNG.normal(size=x.shape), START) for _ in range(3)]


def after(name, **options):
  """Parameters after three steps at the rate 0.1."""
  options = {**optim.RECIPE, "weight_decay": 0.02, "name": name, **options}
  optimizer = optim.optimizer(options, lambda step: jnp.float32(0.1))
  params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), START)
  state = optimizer.init(params)
  for gradient in GRADIENTS:
    gradient = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), gradient)
    # That of users: Optax mixes steps and floats.
    with jax.numpy_dtype_promotion("standard"):
      updates, state = optimizer.update(gradient, state, params)
    params = jax.tree.map(jnp.add, params, updates)
  return params


def by_hand(step, decays=("kernel", "bias")):
  """The same in float64; `step(gradient, memory, decay, params, number)` is subtracted."""
  params, memory = dict(START), {name: {} for name in START}
  for number, gradient in enumerate(GRADIENTS, 1):
    for name in params:
      decay = 0.02 * params[name] * (name in decays)
      params[name] = params[name] - step(gradient[name], memory[name], decay, params[name], number)
  return params


def nesterov(gradient, memory, decay, params, number):
  memory["m"] = 0.9 * memory.get("m", 0) + gradient + decay
  return 0.1 * (gradient + decay + 0.9 * memory["m"])


def adam(gradient, memory, number, beta1=0.9, beta2=0.999, eps=1e-8):
  memory["m"] = beta1 * memory.get("m", 0) + (1 - beta1) * gradient
  memory["v"] = beta2 * memory.get("v", 0) + (1 - beta2) * gradient**2
  mean, square = memory["m"] / (1 - beta1**number), memory["v"] / (1 - beta2**number)
  return mean / (np.sqrt(square) + eps)


def adamw(gradient, memory, decay, params, number):
  return 0.1 * (adam(gradient, memory, number) + decay)


def lamb(gradient, memory, decay, params, number):
  step = adam(gradient, memory, number, eps=1e-6) + decay
  return 0.1 * step * np.linalg.norm(params) / np.linalg.norm(step)


def muon(gradient, memory, decay, params, number):
  if gradient.ndim == 1:
    return 0.1 * (adam(gradient, memory, number) + decay)
  memory["m"] = 0.95 * memory.get("m", 0) + gradient
  x = gradient + 0.95 * memory["m"]
  u, singular, v = np.linalg.svd(x, full_matrices=False)
  singular = singular / np.linalg.norm(singular)
  for _ in range(5):
    singular = 3.4445 * singular - 4.775 * singular**3 + 2.0315 * singular**5
  return 0.1 * (0.2 * np.sqrt(max(x.shape)) * (u * singular) @ v + decay)


@pytest.mark.parametrize("step", [nesterov, adamw, lamb, muon])
def test_an_optimiser_equals_its_definition(step):
  for everything, decays in ((True, ("kernel", "bias")), (False, ("kernel",))):
    actual = after(step.__name__, decay_norms_and_biases=everything)
    expected = by_hand(step, decays)
    for name in START:
      np.testing.assert_allclose(actual[name], expected[name], rtol=2e-4, atol=1e-5)


def test_betas_and_eps_are_used():
  def step(gradient, memory, decay, params, number):
    return 0.1 * (adam(gradient, memory, number, 0.8, 0.95, 0.1) + decay)

  actual, expected = after("adamw", beta1=0.8, beta2=0.95, eps=0.1), by_hand(step)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), actual, expected)


def test_clipping_scales_the_gradient_of_all_parameters_to_the_limit():
  def step(gradient, memory, decay, params, number):
    norm = np.sqrt(sum(np.sum(x**2) for x in GRADIENTS[number - 1].values()))
    return nesterov(gradient * min(1, 2.5 / norm), memory, decay, params, number)

  norms = [np.sqrt(sum(np.sum(x**2) for x in each.values())) for each in GRADIENTS]
  assert max(norms) > 2.5
  actual, expected = after("nesterov", clip_norm=2.5), by_hand(step)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), actual, expected)


def test_muon_takes_a_convolution_as_one_matrix():
  kernel = jnp.asarray(np.random.default_rng(2).normal(size=(3, 3, 2, 5)), jnp.float32)
  muon, matrix = scale_by_muon(0.95), kernel.reshape(18, 5)
  with jax.numpy_dtype_promotion("standard"):
    (step, _), (flat, _) = (muon.update(x, muon.init(x)) for x in (kernel, matrix))
  np.testing.assert_allclose(step.reshape(18, 5), flat, rtol=1e-5)
  # That of Adam's steps, about.
  assert float(jnp.sqrt(jnp.mean(step**2))) == pytest.approx(0.2, rel=0.3)


def test_biases_and_scales_of_users_attention_are_no_matrices():
  class Attention(linen.Module):
    @linen.compact
    def __call__(self, x):
      x = linen.MultiHeadDotProductAttention(num_heads=2)(x.reshape(len(x), -1, 4))
      return linen.Dense(3)(linen.LayerNorm()(x).mean(1))

  images = jax.ShapeDtypeStruct((2, 4, 4, 1), jnp.float32)
  _, variables = functional(adapt(Attention(), images=images, rngs=nnx.Rngs(0)))
  found = dict(nnx.to_flat_state(variables.params))
  own = dict(nnx.to_flat_state(matrices(variables.params)))
  assert any(path[-1] == "bias" and found[path].ndim == 2 for path in found)
  assert {path: value.get_value() for path, value in own.items()} == {
    path: path[-1] == "kernel" for path in found
  }
