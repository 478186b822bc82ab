"""Times students that train together against students one after the other.

  python -m tests.benchmarks.cohorts [TEACHER:STUDENT ...] [--batch=64]

times a step of 1, 2, 4 and 8 students on images of 32x32, 100 classes, and
prints the speed-up of training them together. Figures are steadier on an idle
machine.
"""

import argparse
import os
import statistics
import time

import jax
import numpy as np
import optax
from flax import nnx

from jaxkd import data, methods, models
from jaxkd.training import sharding
from jaxkd.training.step import Frozen, Keys, Learner, Trainer, Variables, functional

PAIRS = ("resnet20:resnet8", "resnet110:vgg8")
SPEC = data.SPECS["cifar100"]


def make(name, seed):
  return functional(models.create(name, num_classes=100, image_size=32, rngs=nnx.Rngs(seed)))


def step_of(teacher, student, count, batch):
  """Returns a function that runs a step of `count` students."""
  teacher, teacher_variables = make(teacher, 0)
  empty = Variables(nnx.State({}), nnx.State({}))
  learners, states = [], []
  for seed in range(count):
    network, variables = make(student, seed)
    kd = methods.objective({"name": "kd", "tau": 1.0 + seed})
    learners.append(Learner(network, None, kd, optax.sgd(0.05, momentum=0.9)))
    states.append(learners[-1].init(variables, empty, ()))
  mesh = sharding.mesh()
  trainer = Trainer(tuple(learners), (Frozen(teacher, SPEC),), SPEC, batch, 1000, mesh)
  put = sharding.replicate(mesh)
  teachers = put((teacher_variables,))
  random = np.random.default_rng(0)
  split = data.Arrays(
    random.integers(0, 256, (batch, 32, 32, 3), np.uint8), np.arange(batch, dtype=np.int32) % 100
  )
  source = data.Resident(put(split), batch, put(jax.random.key(1))).source(0)
  keys = Keys(jax.random.key(2), (jax.random.key(3),) * count)
  train_steps = jax.jit(trainer.train_steps, donate_argnums=0)
  state = put(trainer.init(tuple(states), teachers))

  def step():
    nonlocal state
    state, pulse = train_steps(state, teachers, keys, source)
    jax.block_until_ready((state, pulse))

  return step


def median(step, repeats):
  step()
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
  return statistics.median(times)


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cohorts")
  parser.add_argument("pairs", nargs="*", help="TEACHER:STUDENT")
  parser.add_argument("--batch", type=int, default=64)
  parser.add_argument("--repeats", type=int, default=5)
  flags = parser.parse_args()
  device = jax.devices()[0].device_kind
  print(f"batch {flags.batch}, {device}, {len(os.sched_getaffinity(0))} threads")
  print(f"{'pair':20}{'students':>9}{'ms a step':>11}{'speed-up':>10}")
  for pair in flags.pairs or PAIRS:
    for count in (1, 2, 4, 8):
      seconds = median(step_of(*pair.split(":"), count, flags.batch), flags.repeats)
      if count == 1:
        alone = seconds
      print(f"{pair:20}{count:9}{seconds * 1e3:11.1f}{count * alone / seconds:10.2f}", flush=True)


if __name__ == "__main__":
  main()
