"""Times steps with the teacher in the step against steps from its predictions.

  python -m tests.benchmarks.predictions [--pair=resnet20:resnet8] [--batch=64] [--repeats=7]

trains students of `kd` and `isats` on images of 32x32, 100 classes: one student, a cohort
of four, and both from predictions. The settings take turns, in another order in
each round, and the figures are medians.
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
from jaxkd.training.predictions import Storage
from jaxkd.training.recall import Recalled
from jaxkd.training.step import Frozen, Keys, Learner, Trainer, Variables, functional

SPEC, VIEWS = data.SPECS["cifar100"], 2


def make(name, seed):
  return functional(models.create(name, num_classes=100, image_size=32, rngs=nnx.Rngs(seed)))


def step_of(teacher, student, count, batch, method, recalled):
  """Returns a function that runs a step of `count` students."""
  frozen, variables = make(teacher, 0)
  taught = Frozen(frozen, SPEC)
  if recalled:
    logits = np.random.default_rng(1).normal(size=(VIEWS, batch, 100)).astype(np.float32)
    taught, variables = Recalled(Storage(100)), {"logits": logits}
  empty = Variables(nnx.State({}), nnx.State({}))
  learners, states = [], []
  for seed in range(count):
    network, own = make(student, seed)
    learners.append(
      Learner(network, None, methods.objective(method), optax.sgd(0.05, momentum=0.9))
    )
    states.append(learners[-1].init(own, empty, ()))
  mesh = sharding.mesh()
  trainer = Trainer(tuple(learners), (taught,), SPEC, batch, 1000, mesh, views=VIEWS)
  put = sharding.replicate(mesh)
  teachers = put((variables,))
  random = np.random.default_rng(0)
  split = data.Arrays(
    random.integers(0, 256, (batch, 32, 32, 3), np.uint8), np.arange(batch, dtype=np.int32) % 100
  )
  source = data.Resident(put(split), batch, put(jax.random.key(1)), VIEWS).source(0)
  keys = Keys(jax.random.key(2), (jax.random.key(3),) * count)
  train_steps = jax.jit(trainer.train_steps, donate_argnums=0)
  state = put(trainer.init(tuple(states), teachers))

  def step():
    nonlocal state
    state, pulse = train_steps(state, teachers, keys, source)
    jax.block_until_ready((state, pulse))

  return step


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.predictions")
  parser.add_argument("--pair", default="resnet20:resnet8", help="TEACHER:STUDENT")
  parser.add_argument("--batch", type=int, default=64)
  parser.add_argument("--repeats", type=int, default=7)
  flags = parser.parse_args()
  device = jax.devices()[0].device_kind
  print(f"{flags.pair}, batch {flags.batch}, {device}, {len(os.sched_getaffinity(0))} threads")
  settings = {
    (method, count, recalled): step_of(*flags.pair.split(":"), count, flags.batch, method, recalled)
    for method in ("cross_entropy", "kd", "isats")
    for count in (1, 4)
    for recalled in (False, True)
    if method != "cross_entropy" or (recalled and count == 1)
  }
  times = {setting: [] for setting in settings}
  for round_number in range(flags.repeats + 1):
    order = np.random.default_rng(round_number).permutation(len(settings))
    for setting in (list(settings)[place] for place in order):
      start = time.perf_counter()
      settings[setting]()
      if round_number:
        times[setting].append(time.perf_counter() - start)
  print(f"{'method':16}{'students':>9}{'teacher':>14}{'ms a step':>11}{'images/s':>20}")
  for (method, count, recalled), own in times.items():
    seconds = statistics.median(own)
    teacher = "predictions" if recalled else "in the step"
    speed = count * flags.batch / seconds
    print(f"{method:16}{count:9}{teacher:>14}{seconds * 1e3:11.1f}{speed:20.0f}")


if __name__ == "__main__":
  main()
