"""The training step equals its definition, on any number of devices."""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import Mesh

from jaxkd import data, losses, methods, models
from jaxkd.training import evaluation, sharding
from jaxkd.training.classes import Evaluation
from jaxkd.training.step import Evaluator, Frozen, Keys, Learner, Trainer, Variables, functional

BATCH = 16
SPEC = dataclasses.replace(data.SPECS["digits"], padding=0)
TRAIN, TEST = data.load(SPEC)
RATE = 0.1
# A network with batch statistics.
TINY = "tests.tiny_networks:TinyNet"
KEYS = Keys(jax.random.key(2), (jax.random.key(2),))


def mesh_of(count):
  return Mesh(np.array(jax.devices()[:count]), (sharding.DATA,))


def make(name, seed):
  return models.create(name, num_classes=10, image_size=8, in_channels=1, rngs=nnx.Rngs(seed))


class Setting(NamedTuple):
  """A trainer, its states and its data.

  Attributes:
    train_steps: jitted.
    states: before the first step.
    teachers: their variables.
    loader: of the training split.
  """

  train_steps: Any
  states: Any
  teachers: Any
  loader: data.Resident

  def run(self, *numbers, states=None):
    """Takes steps one by one; returns the states and the last pulse."""
    states = states or self.states
    for number in numbers:
      source = self.loader.source(number)
      states, pulse = self.train_steps(states, self.teachers, KEYS, source)
    return states, pulse


@functools.cache
def setting(devices, name=TINY, spec=SPEC):
  mesh = mesh_of(devices)
  student, variables = functional(make(name, 0))
  teacher, teacher_variables = functional(make(name, 1))
  put = sharding.replicate(mesh)
  learner = Learner(student, None, methods.objective("kd"), optax.sgd(RATE))
  trainer = Trainer(
    learners=(learner,),
    teachers=(Frozen(teacher, spec),),
    spec=spec,
    batch_size=BATCH,
    total_steps=10,
    mesh=mesh,
  )
  teachers = put((teacher_variables,))
  empty = Variables(nnx.State({}), nnx.State({}))
  start = learner.init(variables, empty, ())
  states = put(trainer.init((start,), teachers))
  loader = data.Resident(put(TRAIN), BATCH, put(jax.random.key(3)))
  return Setting(jax.jit(trainer.train_steps), states, teachers, loader)


@pytest.fixture(scope="module")
def three_steps():
  ((state,), _) = setting(1).run(0, 1, 2)
  return state


def assert_close(actual, expected, rtol):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10), actual, expected
  )


def test_a_step_is_sgd_on_the_public_loss():
  (after,), pulse = setting(1).run(0)

  rows = np.asarray(setting(1).loader.source(0).order[:BATCH])
  images = data.normalize(jnp.asarray(TRAIN.images[rows]), SPEC)
  labels = jnp.asarray(TRAIN.labels[rows])
  teacher, student = make(TINY, 1), make(TINY, 0)
  teacher.eval()
  student.train()

  @nnx.jit
  def gradient(student, teacher):
    target = teacher(images)

    def loss_fn(model):
      logits = model(images)
      return jnp.mean(losses.kd(logits, target, labels, lam=0.5, tau=4.0, student_tau=1.0))

    return nnx.value_and_grad(loss_fn)(student)

  loss, gradients = gradient(student, teacher)
  expected = jax.tree.map(lambda p, g: p - RATE * g, nnx.state(student, nnx.Param), gradients)
  np.testing.assert_allclose(pulse.loss, loss, rtol=1e-5)
  assert_close(after.variables.params, expected, rtol=1e-3)
  # The running statistics are those of one forward pass.
  assert_close(after.variables.stats, nnx.state(student, nnx.BatchStat), rtol=1e-4)
  assert int(after.step) == 1


@dataclasses.dataclass(frozen=True)
class Weighted(methods.Method):
  """Cross entropy and a hint with a module of its own, weighted in the loss or by `reweigh`."""

  by_reweigh: bool = False

  def adapter(self, student, teachers, rngs):
    return nnx.Linear(student.features.shape[-1], teachers[0].features.shape[-1], rngs=rngs)

  def loss(self, view):
    hint = losses.fitnet(view.adapter(view.student.features), view.teacher.features)
    hard = losses.cross_entropy(view.student.logits, view.labels)
    scale = (1.0, 1.0) if self.by_reweigh else (2.0, 0.5)
    return {"hard": scale[0] * hard, "hint": scale[1] * hint}, {}

  @property
  def reweigh(self):
    def weights(gradients):
      return {"hard": 2.0, "hint": 0.5}, {"norm": optax.tree.norm(gradients["hint"])}

    return weights if self.by_reweigh else None


def test_reweighed_terms_are_those_of_a_weighted_loss():
  network, variables = functional(make(TINY, 0))
  images = jax.random.normal(jax.random.key(5), (BATCH, 8, 8, 1))
  teacher = make(TINY, 1).outputs(images)
  labels = jnp.arange(BATCH) % 10
  shapes = jax.eval_shape(network.apply, variables, images)

  def step(by_reweigh):
    method = Weighted(by_reweigh)
    adapter, adapter_variables = functional(method.adapter(shapes, (teacher,), nnx.Rngs(2)))
    learner = Learner(network, adapter, method, optax.sgd(RATE))
    state = learner.init(variables, adapter_variables, ())
    key, progress = jax.random.key(0), jnp.zeros(())
    return jax.jit(learner.step)(state, (teacher,), images, labels, key, progress)

  (expected, terms), (after, logged) = step(by_reweigh=False), step(by_reweigh=True)
  assert logged.pop("norm") > 0
  assert_close(logged, terms, rtol=1e-5)
  assert_close(after.adapter.params, expected.adapter.params, rtol=1e-4)
  assert_close(after.variables, expected.variables, rtol=1e-4)


def test_logits_and_class_maps_of_a_teacher_get_the_student_s_order_of_classes():
  class Known:
    def apply(self, variables, images):
      class_map = jnp.broadcast_to(variables, (1, 2, 2, 3))
      return models.Outputs(variables[None], class_map=class_map)

  outputs = Frozen(Known(), SPEC, (2, 0, 1)).apply(jnp.array([5.0, 6.0, 7.0]), TRAIN.images[:1])
  np.testing.assert_array_equal(outputs.logits, [[7, 5, 6]])
  np.testing.assert_array_equal(outputs.class_map, np.broadcast_to([7, 5, 6], (1, 2, 2, 3)))


def test_one_call_of_several_steps_equals_single_steps(three_steps):
  train_steps, states, teachers, loader = setting(1)
  (looped,), _ = train_steps(states, teachers, KEYS, loader.source(0), np.int32(3))
  assert int(looped.step) == 3
  assert_close(looped.variables.params, three_steps.variables.params, rtol=1e-3)
  assert_close(looped.sums, three_steps.sums, rtol=1e-3)


def test_two_devices_equal_one_device(three_steps):
  (sharded,), _ = setting(4).run(0, 1, 2)
  assert len(jax.tree.leaves(sharded.variables.params)[0].devices()) == 2
  assert_close(sharded.variables.params, three_steps.variables.params, rtol=1e-3)
  assert_close(sharded.sums, three_steps.sums, rtol=1e-3)


def test_sums_cover_the_steps_since_the_last_report(three_steps):
  assert three_steps.steps_summed == 3
  sums = three_steps.sums
  np.testing.assert_allclose(sums["loss"], sums["hard"] + sums["soft"], 1e-6)
  assert 0 <= sums["accuracy"] <= 3
  empty = three_steps.reset()
  assert empty.steps_summed == 0
  assert not any(empty.sums.values())


def test_augmentation_changes_the_loss():
  ((plain,), _), ((shifted,), _) = (
    setting(1, spec=spec).run(0) for spec in (SPEC, data.SPECS["digits"])
  )
  assert plain.sums["loss"] != shifted.sums["loss"]


def test_the_first_non_finite_step_is_recorded():
  (state,), pulse = setting(1).run(0)
  assert pulse.bad_steps.tolist() == [-1]
  broken = jax.tree.map(lambda x: x * jnp.inf, state.variables.params)
  states = (state._replace(variables=state.variables._replace(params=broken)),)
  _, pulse = setting(1).run(1, 2, states=states)
  assert pulse.bad_steps.tolist() == [1]


@pytest.mark.parametrize("devices", [1, 2])
def test_evaluation_counts_every_example_once(devices):
  mesh = mesh_of(devices)
  network, variables = functional(make("mlp", 0))
  evaluator = Evaluator(network, SPEC, 64, mesh)
  put = sharding.replicate(mesh)
  arrays, variables = put(TEST), put(variables)
  measure = jax.jit(evaluator.measure)
  # 360 examples: the sixth batch is padded.
  batches = data.eval_batches(arrays, 64, sharding.split_batch(mesh))
  parts = [measure((variables,), batch) for batch in batches]
  batches, predictions = zip(*parts, strict=True)
  totals = {name: sum(batch[name] for batch in batches) for name in batches[0]}

  model = make("mlp", 0)
  logits = model(data.normalize(jnp.asarray(TEST.images), SPEC))
  labels = jnp.asarray(TEST.labels)
  correct = np.argmax(logits, axis=-1) == TEST.labels
  assert int(totals["accuracy"]) == int(correct.sum())
  known, predicted = np.concatenate(predictions, axis=1)
  np.testing.assert_array_equal(known[:360], TEST.labels)
  np.testing.assert_array_equal(predicted[:360] == TEST.labels, correct)
  assert set(known[360:]) == set(predicted[360:]) == {-1}
  np.testing.assert_allclose(
    totals["loss"], np.sum(losses.cross_entropy(logits, labels)), rtol=1e-5
  )
  probs = np.asarray(losses.softmax(logits, 4.0))
  wrong = np.array([np.delete(p, y) for p, y in zip(probs, TEST.labels, strict=True)])
  at_four = losses.ISATS_GRID.index(4.0)
  np.testing.assert_allclose(totals["derived_average"][at_four], wrong.mean(1).sum(), rtol=1e-5)
  np.testing.assert_allclose(totals["derived_variance"][at_four], wrong.var(1).sum(), rtol=1e-4)


def test_an_evaluation_has_few_batches_on_the_devices_at_once(monkeypatch):
  waited = []

  class Counting:
    mesh, batch_size, spec = mesh_of(1), 1, SPEC

    def measure(self, variables, index):
      return {"index": index}, jnp.array([[3], [4]])

  def batches(*_):
    for index in range(20):
      # The sums of all but the newest batches have been waited for.
      assert index - max(waited, default=-1) <= 4
      yield np.int32(index)

  def ready(results):
    # All results come once more after the last batch.
    if isinstance(results, tuple):
      waited.append(int(results[0]["index"]))
    return results

  monkeypatch.setattr(evaluation, "_batches", batches)
  monkeypatch.setattr(jax, "block_until_ready", ready)
  split = data.Arrays(np.zeros(20), np.zeros(20))
  found = evaluation.measuring(Counting(), (), None)((), split)
  assert found.means == {"index": 9.5}
  assert found.confusion.tolist() == [[3, 4, 20]]
  assert found.images_per_second > 0


def test_labels_are_counted_for_more_classes_than_int32_has_pairs_of(monkeypatch):
  class Many:
    mesh, batch_size = mesh_of(1), 3
    spec = dataclasses.replace(SPEC, num_classes=50_000)

    def measure(self, variables, batch):
      return {}, jnp.array([[49_999, 49_999, 7], [49_999, 49_998, 7]])

  monkeypatch.setattr(evaluation, "_batches", lambda *_: [0])
  split = data.Arrays(np.zeros(3), np.zeros(3))
  found = evaluation.measuring(Many(), (), None)((), split).confusion
  assert found.tolist() == [[7, 7, 1], [49_999, 49_998, 1], [49_999, 49_999, 1]]
  counted = Evaluation.of("test", found, 50_000, None)
  assert counted.examples[[7, 49_999]].tolist() == [1, 2]
  assert counted.correct.sum() == 2
  assert counted.confusions.tolist() == [[49_999, 49_998, 1]]
