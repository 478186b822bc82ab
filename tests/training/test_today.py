"""Accumulation, averaged weights, smoothed labels and mixed images, in the step."""

import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import Mesh

from jaxkd import data, losses, methods, models
from jaxkd.reports import networks
from jaxkd.runs import planning
from jaxkd.runs.experiment import Experiment, run
from jaxkd.training import sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.step import Frozen, Keys, Learner, Trainer, Variables, functional

BATCH = 16
SPEC = dataclasses.replace(data.SPECS["digits"], padding=0)
TRAIN, _ = data.load(SPEC)
TINY = "tests.tiny_networks:TinyDropoutNet"
KEYS = Keys(jax.random.key(2), (jax.random.key(7),))
EMPTY = Variables(nnx.State({}), nnx.State({}))
KD = methods.objective("kd")


def make(name, seed):
  return models.create(name, num_classes=10, image_size=8, in_channels=1, rngs=nnx.Rngs(seed))


def trained(name, steps, devices=1, augmentation=data.UNCHANGED, states=None, **recipe):
  """States before the first step and after each step of a student with the teacher `mlp`.

  With several `students` in a step, which start alike, the states are those of the last one.
  """
  count = recipe.pop("students", 1)
  mesh = Mesh(np.array(jax.devices()[:devices]), (sharding.DATA,))
  put = sharding.replicate(mesh)
  student, variables = functional(make(name, 0))
  teacher, teacher_variables = functional(make("mlp", 1))
  learner = Learner(student, None, KD, optax.sgd(0.1, momentum=0.9), **recipe)
  trainer = Trainer(
    (learner,) * count, (Frozen(teacher, SPEC),), SPEC, BATCH, 10, mesh, augmentation
  )
  teachers = put((teacher_variables,))
  loader = data.Resident(put(TRAIN), BATCH, put(jax.random.key(3)))
  if states is None:
    states = put(trainer.init((learner.init(variables, EMPTY, ()),) * count, teachers))
  keys = KEYS._replace(students=KEYS.students * count)
  step, found = jax.jit(trainer.train_steps), [states[-1]]
  for number in steps:
    states, _ = step(states, teachers, keys, loader.source(number))
    found.append(states[-1])
  return found


def assert_close(actual, expected, rtol=1e-4, atol=1e-6):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), actual, expected
  )


@pytest.fixture(scope="module")
def plain():
  return trained("mlp", range(3))


@pytest.mark.parametrize("devices", [1, 2])
def test_parts_of_a_batch_equal_the_batch(plain, devices):
  parts = trained("mlp", range(3), devices, accumulate=4)
  assert_close(parts[-1].variables, plain[-1].variables)
  assert_close(parts[-1].sums, plain[-1].sums, rtol=1e-3)


def test_batch_norm_sees_one_part_after_the_other():
  _, after = trained("tests.tiny_networks:TinyNet", [0], accumulate=2)
  source = data.Resident(TRAIN, BATCH, jax.random.key(3)).source(0)
  rows = np.asarray(source.order[:BATCH])
  images = data.normalize(jnp.asarray(TRAIN.images[rows]), SPEC)
  model = make("tests.tiny_networks:TinyNet", 0)
  model.train()
  for part in range(2):
    model(images[part::2])
  assert_close(after.variables.stats, nnx.state(model, nnx.BatchStat))


class NormedNet(nnx.Module):
  """A batch norm and a linear layer, on images as vectors."""

  def __init__(self, width, classes, rngs):
    self.norm = models.layers.BatchNorm(width)
    self.linear = models.layers.Linear(width, classes, rngs=rngs)

  def outputs(self, images):
    features = self.norm(images.reshape(len(images), -1))
    return models.Outputs(self.linear(features), features)


def test_groups_are_normalised_one_by_one():
  random = np.random.default_rng(0)
  images = random.normal(1.0, 2.0, (12, 2, 2, 1)).astype(np.float32)
  network, variables = functional(NormedNet(4, 3, nnx.Rngs(0)))
  outputs, stats = network.apply_train(variables, jnp.asarray(images), jax.random.key(0), 3)
  groups = images.astype(np.float64).reshape(3, 4, 4)
  mean, var = groups.mean(1), groups.var(1, ddof=1)
  spread = np.sqrt(groups.var(1, keepdims=True) + 1e-5)
  expected = ((groups - mean[:, None]) / spread).reshape(12, 4)
  np.testing.assert_allclose(outputs.features, expected, rtol=1e-5, atol=1e-6)
  kernel = np.asarray(variables.params["linear"]["kernel"][...], np.float64)
  np.testing.assert_allclose(outputs.logits, expected @ kernel, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(stats["norm"]["mean"][...], 0.1 * mean.mean(0), rtol=1e-5)
  np.testing.assert_allclose(stats["norm"]["var"][...], 0.9 + 0.1 * var.mean(0), rtol=1e-5)


def test_groups_on_their_own_devices_need_no_communication_for_batch_norm():
  mesh = Mesh(np.array(jax.devices()[:2]), (sharding.DATA,))
  network, variables = functional(NormedNet(64, 10, nnx.Rngs(0)))
  shape = jax.ShapeDtypeStruct((16, 8, 8, 1), jnp.float32, sharding=sharding.split_batch(mesh))

  def all_reduces(groups):
    def loss(variables, images):
      outputs, _ = network.apply_train(variables, images, jax.random.key(0), groups)
      return outputs.features

    kept = sharding.replicated(mesh), sharding.split_batch(mesh)
    step = jax.jit(loss, in_shardings=kept, out_shardings=kept[1])
    return step.lower(variables, shape).compile().as_text().count("all-reduce(")

  assert all_reduces(1) > 0
  assert all_reduces(2) == all_reduces(4) == 0


def test_a_student_with_groups_in_a_cohort_equals_the_student_alone():
  alone = trained(TINY, range(2), batch_norm_groups=2)[-1]
  together = trained(TINY, range(2), students=2, batch_norm_groups=2)[-1]
  assert_close(together.variables, alone.variables)


def test_the_averages_follow_the_trained_weights(plain):
  averaged = trained("mlp", range(3), ema=0.15)
  assert_close(averaged[-1].live, plain[-1].variables, rtol=1e-6)
  mean = jax.tree.map(lambda x: np.asarray(x, np.float64), plain[0].variables)
  for time, state in enumerate(plain[1:]):
    decay = min(0.15, (1 + time) / (10 + time))
    mean = jax.tree.map(
      lambda m, x, d=decay: d * m + (1 - d) * np.asarray(x, np.float64), mean, state.variables
    )
    assert_close(averaged[time + 1].variables, mean)


def test_averages_include_batch_statistics():
  first, *later = trained(TINY, range(2), ema=0.9)
  mean = first.variables.stats
  for state, new_share in zip(later, (0.9, 9 / 11), strict=True):
    mean = jax.tree.map(lambda m, x, s=new_share: m + s * (x - m), mean, state.live.stats)
  assert jax.tree.leaves(mean)
  assert_close(later[-1].variables.stats, mean)


def test_smoothed_labels_are_in_the_cross_entropy_alone(plain):
  smoothed = trained("mlp", [0], label_smoothing=0.2)[1]
  source = data.Resident(TRAIN, BATCH, jax.random.key(3)).source(0)
  rows = np.asarray(source.order[:BATCH])
  logits = make("mlp", 0)(data.normalize(jnp.asarray(TRAIN.images[rows]), SPEC))
  logs = np.asarray(jax.nn.log_softmax(logits), np.float64)
  right = logs[np.arange(BATCH), TRAIN.labels[rows]]
  expected = -(0.8 * right + 0.2 * logs.mean(axis=1)).mean()
  np.testing.assert_allclose(smoothed.sums["hard"], 0.5 * expected, rtol=1e-5)
  np.testing.assert_allclose(smoothed.sums["soft"], plain[1].sums["soft"], rtol=1e-6)


def test_teacher_and_student_see_the_same_mixed_images():
  mixing = data.Augmentation(mixup=0.5)
  state = trained("mlp", [0], augmentation=mixing)[1]
  source = data.Resident(TRAIN, BATCH, jax.random.key(3)).source(0)
  rows = np.asarray(source.order[:BATCH])
  step_key, _ = jax.random.split(jax.random.fold_in(KEYS.data, 0))
  batch = mixing(TRAIN.images[rows], jnp.asarray(TRAIN.labels[rows]), SPEC, step_key)
  images = data.normalize(batch.pixels, SPEC)
  student, teacher = make("mlp", 0)(images), make("mlp", 1)(images)
  hard = losses.distillation(student, batch.labels, batch.soft_labels, lam=1.0, tau=1.0)
  soft = losses.kd(student, teacher, batch.labels, lam=1.0, tau=4.0, student_tau=1.0)
  np.testing.assert_allclose(state.sums["hard"], 0.5 * jnp.mean(hard), rtol=1e-5)
  np.testing.assert_allclose(state.sums["soft"], 0.5 * jnp.mean(soft), rtol=1e-5)


ALL = {
  "augmentation": data.Augmentation("trivialaugment", erasing=0.5, mixup=0.2, cutmix=1.0),
  "accumulate": 2,
  "ema": 0.9,
  "label_smoothing": 0.1,
  "batch_norm_groups": 2,
}


@functools.cache
def all_on():
  return trained(TINY, range(4), **ALL)


def test_a_training_with_everything_on_resumes_to_the_same_bits(tmp_path):
  states = all_on()
  with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
    checkpoints.save(states[2])
    checkpoints.wait()
    restored = checkpoints.restore(states[0], 2)
    # A later phase and the export load the averages.
    network = checkpoints.restore_network(states[0].variables)
  jax.tree.map(np.testing.assert_array_equal, network, states[2].variables)
  resumed = trained(TINY, (2, 3), states=(restored,), **ALL)[-1]
  jax.tree.map(np.testing.assert_array_equal, resumed, states[4])
  assert np.isfinite(resumed.sums["loss"])


def test_an_experiment_evaluates_and_reports_the_averages(tiny_config, tmp_path):
  tiny_config.rows, tiny_config.optim.ema, tiny_config.data.mixup = ("nokd",), 0.9, 0.2
  one = Experiment.of(tiny_config, tmp_path)
  assert not run([one])
  (phase,) = one.students
  (line,) = networks.table([("nokd", [phase])], {phase: "trained"})
  assert line["recipe"] == "ema 0.9, mixup 0.2; evaluated: the averaged weights"
  folder = one.folder(phase)
  network, template = functional(planning.network(phase))
  with contextlib.closing(Checkpoints(folder.checkpoints, keep=None)) as checkpoints:
    variables = checkpoints.restore_network(template)
  _, test = data.load(data.SPECS["digits"])
  logits = jax.jit(network.apply)(variables, data.normalize(jnp.asarray(test.images), SPEC)).logits
  accuracy = np.mean(np.argmax(logits, axis=-1) == test.labels)
  assert folder.result()["test"]["accuracy"] == pytest.approx(accuracy)


def test_two_devices_equal_one_with_everything_on():
  # Dropout draws for parts of a batch, on any number of devices.
  assert_close(trained(TINY, range(2), 4, **ALL)[-1].variables, all_on()[2].variables, 1e-3, 1e-4)
