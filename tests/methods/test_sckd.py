"""SCKD gates the soft term."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh
from views import LABELS, STUDENT, TEACHER, S, T

from jaxkd import distill, losses, methods, models
from jaxkd.methods import View
from jaxkd.models import Outputs
from jaxkd.training import optim, sharding
from jaxkd.training.step import Learner, Variables, functional


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("per", ["sample", "batch"])
def test_sckd_drops_the_soft_term_where_gradients_disagree(per, standardize):
  options = {"name": "sckd", "lam": 0.5, "tau": 4.0, "student_tau": 4.0}
  options["standardize"] = standardize
  comparable = losses.standardize if standardize else lambda logits: logits

  def distilled(s):
    return losses.kd(comparable(s), comparable(T), LABELS, lam=1.0, tau=4.0)

  terms, diagnostics = methods.objective({**options, "per": per}).loss(
    View(STUDENT, (TEACHER,), LABELS)
  )

  def gradient(loss):
    return jax.grad(lambda s: jnp.sum(loss(s)))(S)

  task = gradient(lambda s: losses.cross_entropy(s, LABELS))
  soft = gradient(distilled)
  products = np.sum(np.asarray(task) * np.asarray(soft), axis=-1)
  if per == "batch":
    products = np.full_like(products, products.sum())
  # The test needs examples of both kinds.
  assert per == "batch" or 0 < np.mean(products >= 0) < 1
  np.testing.assert_array_equal(diagnostics["agreement"], products >= 0)
  np.testing.assert_allclose(
    terms["soft"], 0.5 * np.asarray(distilled(S)) * (products >= 0), rtol=1e-6
  )
  # The weight of the cross entropy is the same everywhere.
  np.testing.assert_allclose(
    terms["hard"], 0.5 * np.asarray(losses.cross_entropy(S, LABELS)), rtol=1e-6
  )


GATED = {"name": "sckd", "lam": 0.25, "tau": 4.0, "student_tau": 4.0}
DECAY, RATE = 0.5, 0.1
EIGHT = jnp.arange(8) % 5


def tiny():
  return models.create(
    "mlp", num_classes=5, image_size=4, in_channels=1, depth=1, width=6, rngs=nnx.Rngs(0)
  )


def batch(seed, shift):
  """Images, and a teacher's logits with `shift` less confidence in the labels."""
  images, logits = (
    jax.random.normal(key, shape)
    for key, shape in zip(
      jax.random.split(jax.random.key(seed)), ((8, 4, 4, 1), (8, 5)), strict=True
    )
  )
  return images, Outputs(3 * logits - shift * jax.nn.one_hot(EIGHT, 5))


# In both batches the gradients in the logits would decide otherwise.
OPEN, CLOSED = batch(35, 0.0), batch(103, 1.0)


def step(images, teacher, devices=1, **options):
  """Takes a step of SGD; returns the parameters and what is logged."""
  network, variables = functional(tiny())
  optimizer = optim.optimizer({"momentum": 0.9, "weight_decay": DECAY}, lambda _: RATE)
  learner = Learner(network, None, methods.objective({**GATED, **options}), optimizer)
  state = learner.init(variables, Variables(nnx.State({}), nnx.State({})), ())
  mesh = Mesh(np.array(jax.devices()[:devices]), (sharding.DATA,))
  given = jax.device_put((images, EIGHT, teacher), sharding.split_batch(mesh))
  state, key = sharding.replicate(mesh)((state, jax.random.key(0)))

  @jax.jit
  def run(state, images, labels, teacher):
    return learner.step(state, (teacher,), images, labels, key, jnp.zeros(()))

  after, logged = run(state, *given)
  return after.variables.params, logged


def gradients(images, teacher):
  """The gradients of the two terms, each by itself, in the student's parameters."""
  graph, params = nnx.split(tiny())

  def cross_entropy(params):
    return jnp.mean(losses.cross_entropy(nnx.merge(graph, params)(images), EIGHT))

  def distillation(params):
    logits = nnx.merge(graph, params)(images)
    return jnp.mean(losses.kd(logits, teacher.logits, EIGHT, lam=1.0, tau=4.0))

  hard, soft = (jax.jit(jax.grad(loss))(params) for loss in (cross_entropy, distillation))
  return params, hard, soft


def cosine(a, b):
  a, b = (np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)]) for tree in (a, b))
  return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize(("given", "keeps"), [(OPEN, 1.0), (CLOSED, 0.0)], ids=["open", "closed"])
@pytest.mark.parametrize("devices", [1, 2])
def test_a_step_keeps_kd_where_the_cosine_in_the_parameters_is_not_negative(given, keeps, devices):
  params, hard, soft = gradients(*given)
  assert abs(cosine(hard, soft)) > 0.1
  assert (cosine(hard, soft) >= 0) == keeps
  after, logged = step(*given, devices=devices)
  assert logged["agreement"] == keeps
  # SGD's first step, with weight decay, which the gate doesn't see.
  expected = jax.tree.map(
    lambda p, h, s: p - RATE * (0.75 * h + keeps * 0.25 * s + DECAY * p), params, hard, soft
  )
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), after, expected)
  logits = tiny()(given[0])
  np.testing.assert_allclose(
    logged["hard"], 0.75 * jnp.mean(losses.cross_entropy(logits, EIGHT)), rtol=1e-5
  )
  distilled = jnp.mean(losses.kd(logits, given[1].logits, EIGHT, lam=1.0, tau=4.0))
  np.testing.assert_allclose(logged["soft"], keeps * 0.25 * distilled, rtol=1e-5)
  np.testing.assert_allclose(logged["loss"], logged["hard"] + logged["soft"], rtol=1e-6)


@pytest.mark.parametrize("given", [OPEN, CLOSED], ids=["open", "closed"])
def test_gradients_in_the_logits_can_decide_otherwise(given):
  agreement = {per: step(*given, per=per)[1]["agreement"] for per in ("step", "batch")}
  assert agreement["step"] == 1 - agreement["batch"]


def test_distill_logs_the_share_of_steps_that_keep_kd():
  rng = np.random.default_rng(0)
  images = rng.normal(size=(64, 4, 4, 1)).astype(np.float32)
  labels = rng.integers(0, 5, 64).astype(np.int32)
  weights = jnp.asarray(rng.normal(size=(16, 5)), jnp.float32)
  trained = distill(
    tiny(),
    lambda x: x.reshape(len(x), -1) @ weights,
    (images, labels),
    GATED,
    epochs=2,
    batch_size=8,
  )
  for line in trained.metrics:
    # Eight steps an epoch.
    assert 0 < line["train_agreement"] < 1
    assert (8 * line["train_agreement"]).is_integer()
    assert line["train_loss"] == pytest.approx(line["train_hard"] + line["train_soft"], rel=1e-5)
