"""Times every family of networks, forward and backward, against PyTorch's.

  python -m tests.benchmarks.models [NAME ...] [--batch=32] [--repeats=7]

runs both on the same threads in one process, taking turns, and prints the median
times. Needs the extra `torch`. Figures are steadier on an idle machine.
"""

import argparse
import os
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

from jaxkd import models
from jaxkd.benchmarks import references

NAMES = (
  "resnet20",
  "wrn16_2",
  "resnext29_4x4d",
  "vgg8",
  "shufflenet_v1",
  "shufflenet_v2",
  "mobilenet_v2",
  "mlp",
  "alexnet@64",
  "shufflenet_v2@96",
  "mobilenet_v2@96",
  "resnet18@64",
  "wide_resnet26_2@64",
  "resnext50_32x4d@64",
)


def jax_step(name, batch, size, dtype=jnp.float32):
  """Returns a function that runs a training step's passes once."""
  model = models.create(name, num_classes=100, image_size=size, dtype=dtype, rngs=nnx.Rngs(0))
  graphdef, params, rest = nnx.split(model, nnx.Param, ...)

  @jax.jit
  def step(params, rest, x, labels):
    def loss(params):
      model = nnx.merge(graphdef, params, rest, copy=True)
      log_p = jax.nn.log_softmax(model(x))
      picked = jnp.take_along_axis(log_p, labels[:, None], axis=-1)
      return -picked.mean(), nnx.state(model, nnx.Not(nnx.Param))

    return jax.value_and_grad(loss, has_aux=True)(params)

  x = jnp.asarray(np.random.default_rng(0).normal(size=(batch, size, size, 3)))
  labels = jnp.arange(batch) % 100
  return lambda: jax.block_until_ready(step(params, rest, x.astype(jnp.float32), labels))


def torch_step(name, batch, size):
  """Returns a function that runs a training step's passes in PyTorch."""
  network = references.build(name, 100, size).train()
  random = np.random.default_rng(0).normal(size=(batch, 3, size, size))
  x = torch.from_numpy(random.astype(np.float32))
  labels = torch.arange(batch) % 100

  def step():
    network.zero_grad()
    loss = torch.nn.functional.cross_entropy(network(x)[0], labels)
    loss.backward()

  return step


def compare(steps, repeats):
  """Returns the median seconds of each function, called in turns after one warm-up."""
  times = [[] for _ in steps]
  for step in steps:
    step()
  for _ in range(repeats):
    for step, record in zip(steps, times, strict=True):
      start = time.perf_counter()
      step()
      record.append(time.perf_counter() - start)
  return [statistics.median(record) for record in times]


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.models")
  parser.add_argument("names", nargs="*", help="NAME or NAME@IMAGE_SIZE")
  parser.add_argument("--batch", type=int, default=32)
  parser.add_argument("--repeats", type=int, default=7)
  flags = parser.parse_args()
  threads = len(os.sched_getaffinity(0))
  torch.set_num_threads(threads)
  print(f"batch {flags.batch}, {threads} threads, milliseconds (median)")
  print(f"{'network':22}{'jaxkd':>9}{'PyTorch':>9}{'ratio':>7}")
  for case in flags.names or NAMES:
    name, _, size = case.partition("@")
    arguments = name, flags.batch, int(size or 32)
    ours, theirs = compare((jax_step(*arguments), torch_step(*arguments)), flags.repeats)
    print(f"{case:22}{ours * 1e3:9.1f}{theirs * 1e3:9.1f}{ours / theirs:7.2f}", flush=True)


if __name__ == "__main__":
  main()
