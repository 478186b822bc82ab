"""CRD over several steps equals its definition."""

import contextlib
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxkd import data, methods, models
from jaxkd.methods import View
from jaxkd.models import Outputs
from jaxkd.training import sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.step import Frozen, Keys, Learner, Trainer, functional

BATCH, CLASSES, FEATURES, LENGTH, TAU = 4, 3, 6, 10, 0.3
OPTIONS = {"features": FEATURES, "negatives": LENGTH, "tau": TAU}
CRD = {"name": "crd", "weight": 0.8, **OPTIONS}
RNG = np.random.default_rng(0)


def outputs(width):
  features = RNG.standard_normal((BATCH, width)).astype(np.float32)
  logits = RNG.standard_normal((BATCH, CLASSES)).astype(np.float32)
  return Outputs(jnp.asarray(logits), jnp.asarray(features), (), ())


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


class Reference:
  """CRD in float64 NumPy, example by example."""

  def __init__(self, contrast):
    self.heads = [
      [np.asarray(array[...], np.float64) for array in (head.kernel, head.bias)]
      for head in (contrast.student_head, contrast.teacher_head)
    ]
    self.memories = [
      list(np.asarray(memory[...], np.float64))
      for memory in (contrast.student_memory, contrast.teacher_memory)
    ]
    self.labels = [-1] * LENGTH
    self.normalizers = [None, None]

  def loss(self, student, teacher, labels):
    embedded = [
      np.asarray(outputs.features, np.float64) @ kernel + bias
      for outputs, (kernel, bias) in zip((student, teacher), self.heads, strict=True)
    ]
    loss = np.zeros(BATCH)
    for side in (0, 1):
      scores = []
      for i, label in enumerate(labels):
        others = [
          old
          for old, its_label in zip(self.memories[1 - side], self.labels, strict=True)
          if its_label != label
        ]
        cosines = unit(np.array([embedded[1 - side][i], *others]))
        scores.append(np.exp(cosines @ unit(embedded[side][i]) / TAU))
      if self.normalizers[side] is None:
        self.normalizers[side] = np.mean(np.concatenate(scores))
      for i, (positive, *negatives) in enumerate(scores):
        noise = self.normalizers[side] * len(negatives)
        loss[i] -= np.log(positive / (positive + noise))
        loss[i] -= sum(np.log(noise / (n + noise)) for n in negatives)
    for side in (0, 1):
      self.memories[side] = [*embedded[side], *self.memories[side]][:LENGTH]
    self.labels = [*labels, *self.labels][:LENGTH]
    return loss


def test_the_loss_of_each_step_equals_the_definition():
  objective = methods.objective(CRD)
  student, teacher = outputs(5), outputs(7)
  adapter = objective.adapter(student, (teacher,), nnx.Rngs(0))
  reference = Reference(adapter)

  @nnx.jit
  def loss(adapter, student, teacher, labels):
    view = View(student, (teacher,), labels, adapter=adapter)
    return objective.loss(view)[0]["contrast"]

  # Four batches replace the whole memory.
  for _ in range(4):
    student, teacher = outputs(5), outputs(7)
    labels = RNG.integers(0, CLASSES, BATCH)
    found = loss(adapter, student, teacher, jnp.asarray(labels, jnp.int32))
    expected = 0.8 * reference.loss(student, teacher, labels)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
  np.testing.assert_array_equal(adapter.labels[...], reference.labels)
  np.testing.assert_allclose(
    adapter.student_memory[...], reference.memories[0], rtol=1e-5, atol=1e-6
  )


def test_a_new_memory_has_unit_length_and_no_class():
  objective = methods.objective({**CRD, "features": 128, "negatives": 256})
  adapter = objective.adapter(outputs(5), (outputs(7),), nnx.Rngs(0))
  for memory in (adapter.student_memory, adapter.teacher_memory):
    lengths = np.linalg.norm(memory[...], axis=-1)
    np.testing.assert_allclose(lengths, 1, atol=0.25)
  assert set(np.asarray(adapter.labels[...])) == {-1}


def test_the_contrast_is_averaged_over_teachers_by_weight():
  options = {
    "name": "multi",
    "lam": 0.5,
    "tau": 4.0,
    "student_tau": 1.0,
    "label": "kd",
    "gap": 1.0,
    "grid": (1.0,),
    "weights": (3.0, 1.0),
  }
  plain = methods.objective(options)
  objective = methods.objective(
    {**options, "contrast": 0.5} | {f"contrast_{k}": v for k, v in OPTIONS.items()}
  )
  student, teachers = outputs(5), (outputs(7), outputs(2))
  adapter = objective.adapter(student, teachers, nnx.Rngs(0))
  references = [Reference(contrast) for contrast in adapter]
  labels = np.array([0, 1, 2, 0])
  view = View(student, teachers, jnp.asarray(labels, jnp.int32))

  @nnx.jit
  def loss(adapter):
    return objective.loss(view._replace(adapter=adapter))[0]

  terms = loss(adapter)
  first, second = (
    reference.loss(student, teacher, labels)
    for reference, teacher in zip(references, teachers, strict=True)
  )
  np.testing.assert_allclose(terms.pop("contrast"), 0.5 * (0.75 * first + 0.25 * second), rtol=1e-4)
  # The other terms are as without the contrast.
  for name, term in plain.loss(view)[0].items():
    np.testing.assert_allclose(terms[name], term, rtol=1e-5)


def setting(devices):
  """Returns the first state, and a function that runs numbered steps from a state."""
  spec = dataclasses.replace(data.SPECS["digits"], padding=0)
  mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), (sharding.DATA,))
  put = sharding.replicate(mesh)

  def network(seed):
    return functional(
      models.create(
        "mlp", num_classes=10, image_size=8, in_channels=1, depth=1, width=16, rngs=nnx.Rngs(seed)
      )
    )

  objective = methods.objective({**CRD, "negatives": 40})
  (student, variables), (teacher, teacher_variables) = network(0), network(1)
  images = jnp.zeros((1, 8, 8, 1))
  shapes = [
    jax.eval_shape(net.apply, arrays, images)
    for net, arrays in ((student, variables), (teacher, teacher_variables))
  ]
  adapter, adapter_variables = functional(objective.adapter(shapes[0], (shapes[1],), nnx.Rngs(2)))
  learner = Learner(student, adapter, objective, optax.sgd(0.1, momentum=0.9))
  trainer = Trainer(
    learners=(learner,),
    teachers=(Frozen(teacher, spec),),
    spec=spec,
    batch_size=16,
    total_steps=10,
    mesh=mesh,
  )
  teachers = put((teacher_variables,))
  start = learner.init(variables, adapter_variables, ())
  states = put(trainer.init((start,), teachers))
  loader = data.Resident(put(data.load(spec)[0]), 16, put(jax.random.key(3)))
  step = jax.jit(trainer.train_steps, donate_argnums=0)

  keys = Keys(jax.random.key(4), (jax.random.key(4),))

  def run(state, *numbers):
    states = (state,)
    for number in numbers:
      states, _ = step(states, teachers, keys, loader.source(number))
    return states[0]

  return states[0], run


def test_resumed_training_with_a_memory_is_bit_identical(tmp_path):
  state, run = setting(devices=2)
  template = jax.tree.map(jnp.copy, state)
  half = run(state, 0, 1)
  with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
    checkpoints.save(half)
    checkpoints.wait()
    restored = checkpoints.restore(template, 2)
  whole, resumed = run(half, 2, 3), run(restored, 2, 3)
  assert jax.tree.structure(whole) == jax.tree.structure(resumed)
  jax.tree.map(np.testing.assert_array_equal, whole, resumed)
  assert all(leaf.is_fully_replicated for leaf in jax.tree.leaves(whole))
  # By now every entry of the memory is an example, and the normalizers are set.
  assert jnp.all(whole.adapter.stats["labels"][...] >= 0)
  assert jnp.all(jnp.isfinite(whole.adapter.stats["log_normalizers"][...]))
