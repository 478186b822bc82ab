"""Every registered method trains, resumes, shares a step and checks its options."""

import contextlib
import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from views import count_teachers

from jaxkd import data, methods
from jaxkd.common.errors import ConfigError
from jaxkd.methods.options import Bound
from jaxkd.models import Network, layers
from jaxkd.runs import planning
from jaxkd.training import optim, sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.evaluation import constants
from jaxkd.training.loop import make_adapter
from jaxkd.training.step import Evaluator, Frozen, Keys, Learner, Trainer, functional

BATCH, STEPS = 16, 4
SPEC = data.SPECS["digits"]
SCHEDULE = {
  "learning_rate": 0.05,
  "warmup": 0.0,
  "milestones": (0.5,),
  "decay": 0.1,
  "momentum": 0.9,
  "weight_decay": 5e-4,
}
# Smaller options, for tiny networks and few steps.
SMALLER = {
  "crd": {"negatives": 40, "features": 8},
  "multi": {"contrast": 0.5, "contrast_negatives": 40, "contrast_features": 8},
}
# FSP takes networks of equal widths; the student's is 4.
TEACHER_WIDTHS = {"fsp": 4}
OBJECTIVES = sorted(name for name, m in methods.all_methods().items() if m.loss is not None)


class Tiny(Network):
  """Two stages of maps, with batch norm and dropout."""

  def __init__(self, width: int, rngs: nnx.Rngs):
    self.stem = layers.Conv(1, width, 3, rngs=rngs)
    self.norm = layers.BatchNorm(width)
    self.body = layers.Conv(width, 2 * width, 3, strides=2, rngs=rngs)
    self.dropout = nnx.Dropout(0.1, rngs=rngs)
    self.classifier = layers.Linear(2 * width, 10, rngs=rngs)

  def outputs(self, x):
    first = self.norm(self.stem(x))
    second = self.body(nnx.relu(first))
    stages = nnx.relu(first), nnx.relu(second)
    features = self.dropout(jnp.mean(stages[-1], axis=(1, 2)))
    return self.classify(features, stages, (first, second), stages[-1])


@pytest.fixture(scope="module")
def mesh():
  return jax.sharding.Mesh(np.array(jax.devices()[:1]), (sharding.DATA,))


@pytest.fixture(scope="module")
def split(mesh):
  train, _ = data.load(SPEC)
  some = data.Arrays(train.images[: STEPS * BATCH], train.labels[: STEPS * BATCH])
  return sharding.replicate(mesh)(some)


def student_of(method, seed, width):
  """The network that a step trains."""
  student, teacher = Tiny(4, nnx.Rngs(seed)), Tiny(width, nnx.Rngs(9))
  if method.compose is None:
    return student
  images = jax.ShapeDtypeStruct((1, SPEC.image_size, SPEC.image_size, 1), jnp.float32)
  return method.compose(student, (teacher,), images, nnx.Rngs(seed))


def groups():
  """Methods whose students can share a step: those of equal teachers, four at a time."""
  equal = {}
  for name in OBJECTIVES:
    equal.setdefault((count_teachers(name), TEACHER_WIDTHS.get(name, 6)), []).append(name)
  return [names[i : i + 4] for names in equal.values() for i in range(0, len(names), 4)]


def trainer_of(students, split, mesh):
  """A jitted step of students, each a method's name and a seed, and their first states."""
  name = students[0][0]
  width = TEACHER_WIDTHS.get(name, 6)
  teachers = [functional(Tiny(width, nnx.Rngs(9 + i))) for i in range(count_teachers(name))]
  frozen = tuple(Frozen(network, SPEC) for network, _ in teachers)
  put = functools.partial(jax.device_put, device=sharding.replicated(mesh))
  arrays = put(tuple(variables for _, variables in teachers))
  learners, starts = [], []
  for name, seed in students:
    method = methods.objective({"name": name, **SMALLER.get(name, {})})
    network, variables = functional(student_of(method, seed, width))
    evaluator = Evaluator(network, SPEC, BATCH, mesh, frozen, method)
    adapter, adapter_variables = make_adapter(
      method, seed, evaluator, (variables, *arrays), functools.partial(Tiny, 4)
    )
    prepared = constants(evaluator, put(variables), lambda _: arrays, split, None)
    rate = optim.schedule(SCHEDULE, STEPS)
    learners.append(Learner(network, adapter, method, optim.optimizer(SCHEDULE, rate)))
    starts.append(learners[-1].init(variables, adapter_variables, prepared))
  trainer = Trainer(tuple(learners), frozen, SPEC, BATCH, STEPS, mesh)
  states = put(trainer.init(tuple(starts), arrays))
  loader = data.Resident(split, BATCH, put(jax.random.key(3)))
  # On the mesh, where the step takes the trace of `init`.
  keys = put(Keys(jax.random.key(4), tuple(jax.random.key(5 + seed) for _, seed in students)))
  step = jax.jit(trainer.train_steps)

  def run(states, *numbers):
    for number in numbers:
      states, _ = step(states, arrays, keys, loader.source(number))
    return states

  return states, run


@pytest.fixture(scope="module")
def trained_alone(split, mesh):
  """Returns a function of a method: its student before and after two steps, and its steps."""

  @functools.cache
  def train(name):
    (start,), run = trainer_of([(name, 1)], split, mesh)
    return start, *run((start,), 0, 1), run

  return train


def test_a_row_has_the_number_of_teachers_of_its_method(tiny_config):
  for name in set(OBJECTIVES) & methods.list_methods().keys() - {"regt"}:
    phase = planning.student(tiny_config, name, 0)
    assert len(phase.teachers) == count_teachers(name)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_method_trains_and_resumes_bit_identically(name, trained_alone, tmp_path):
  start, half, run = trained_alone(name)
  # Other types would compile the step twice.
  assert jax.tree.map(jax.typeof, half) == jax.tree.map(jax.typeof, start)
  with contextlib.closing(Checkpoints(tmp_path, keep=2)) as checkpoints:
    checkpoints.save(half)
    checkpoints.wait()
    restored = checkpoints.restore(start, 2)
  (whole,), (resumed,) = run((half,), 2, 3), run((restored,), 2, 3)
  jax.tree.map(np.testing.assert_array_equal, whole, resumed)
  assert (whole.step, whole.bad_step) == (STEPS, -1)
  assert np.isfinite(whole.sums["loss"])
  changed = jax.tree.map(
    lambda a, b: not np.array_equal(a, b), start.variables.params, whole.variables.params
  )
  assert all(jax.tree.leaves(changed))


@pytest.mark.parametrize("names", groups(), ids="+".join)
def test_students_that_share_a_step_end_as_if_trained_alone(names, trained_alone, split, mesh):
  # A student shares the step with one of another seed if no other method has its teachers.
  students = [(name, 1) for name in names] if names[1:] else [(names[0], 1), (names[0], 0)]
  alone = [trained_alone(name) for name, _ in students]
  states, run = trainer_of(students, split, mesh)
  for name, together, (_, half, _) in zip(names, run(states, 0, 1), alone, strict=False):
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=2e-3, atol=2e-5, err_msg=name),
      (together.variables, together.adapter, together.sums),
      (half.variables, half.adapter, half.sums),
    )


@pytest.mark.parametrize("name", sorted(methods.all_methods()))
def test_every_option_has_a_source_and_refuses_values_out_of_bounds(name):
  method = methods.find(name)
  for field in dataclasses.fields(method):
    assert field.metadata["source"], field.name
    with pytest.raises(ConfigError, match=rf"^config\.{name}\.{field.name} is .* must be "):
      method(**{field.name: object()})
    within = field.metadata["within"]
    if isinstance(within, Bound) and within.low > -np.inf:
      bad = within.low if within.low_open else within.low - 1
      value = (bad,) if "tuple" in str(field.type) else bad
      with pytest.raises(ConfigError, match=f"{field.name} is"):
        method(**{field.name: value})


@pytest.mark.parametrize("name", sorted(methods.all_methods()))
def test_the_search_values_of_a_method_are_valid(name):
  for option, values in methods.find(name).search.items():
    section, _, key = option.rpartition(".")
    for value in values:
      methods.create(section or name, {key: value})


def test_the_nearest_method_or_option_is_suggested():
  with pytest.raises(ConfigError, match="did you mean 'isats'"):
    methods.objective({"name": "isat"})
  with pytest.raises(ConfigError, match=r"no option .tau_1.*did you mean .tau1"):
    methods.objective({"name": "ats", "tau_1": 2})
  with pytest.raises(ConfigError, match="'takd' has no objective of its own"):
    methods.objective("takd")


def test_missing_options_take_their_defaults():
  assert methods.objective({"name": "isats", "lam": 0.5}) == methods.objective("isats")
  assert methods.objective({"name": "kd", "tau": 2}).tau == 2.0
