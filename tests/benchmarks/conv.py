"""Forward and backward pass of single convolutions beside PyTorch's.

  python -m tests.benchmarks.conv [--batch=16] [--repeats=7]

Three ways on the same threads in one process, taking turns: XLA's own
convolution, `jaxkd.models.conv`, which chooses among formulations, and
PyTorch's. Medians are printed. Needs the extra `torch`.
"""

import argparse
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch

from jaxkd.models.conv import conv

# Channels in and out, size of the image, of the kernel, groups: layers of
# ResNet-20, of its last stage, VGG-8, ResNeXt-29 4x4d, MobileNetV2.
LAYERS = (
  (16, 16, 32, 3, 1),
  (64, 64, 8, 3, 1),
  (256, 512, 4, 3, 1),
  (64, 64, 32, 3, 4),
  (256, 64, 32, 1, 1),
  (144, 144, 16, 3, 144),
)


def xla(x, kernel, *, padding, groups):
  """The convolution as XLA has it."""
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (1, 1),
    [(padding, padding)] * 2,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )


def jax_pass(function, x, kernel, padding, groups):
  """Returns a call that does one forward and backward pass."""

  def loss(x, kernel):
    return jnp.sum(jnp.sin(function(x, kernel, padding=padding, groups=groups)))

  gradient = jax.jit(jax.grad(loss, (0, 1)))
  return lambda: jax.block_until_ready(gradient(x, kernel))


def torch_pass(x, kernel, padding, groups):
  """The same of PyTorch."""
  x = torch.from_numpy(np.asarray(x).transpose(0, 3, 1, 2).copy())
  kernel = torch.from_numpy(np.asarray(kernel).transpose(3, 2, 0, 1).copy())
  x.requires_grad_()
  kernel.requires_grad_()

  def run():
    y = torch.nn.functional.conv2d(x, kernel, padding=padding, groups=groups)
    return torch.autograd.grad(y.sin().sum(), (x, kernel))

  return run


def median_ms(calls, repeats):
  """Returns the calls' median times, taken in turns."""
  times: list[list[float]] = [[] for _ in calls]
  for _ in range(repeats + 1):
    for call, taken in zip(calls, times, strict=True):
      start = time.perf_counter()
      call()
      taken.append(1000 * (time.perf_counter() - start))
  # The first call compiles.
  return [statistics.median(taken[1:]) for taken in times]


def main():
  parser = argparse.ArgumentParser()
  parser.add_argument("--batch", type=int, default=16)
  parser.add_argument("--repeats", type=int, default=7)
  flags = parser.parse_args()
  print(f"batch {flags.batch}, {torch.get_num_threads()} threads, ms (median)")
  print(f"{'layer':26}{'XLA':>9}{'jaxkd':>9}{'PyTorch':>9}")
  rng = np.random.default_rng(0)
  for inputs, outputs, size, width, groups in LAYERS:
    shape = (flags.batch, size, size, inputs)
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    shape = (width, width, inputs // groups, outputs)
    kernel = jnp.asarray(rng.normal(size=shape), jnp.float32)
    arguments = x, kernel, width // 2, groups
    calls = (
      jax_pass(xla, *arguments),
      jax_pass(conv, *arguments),
      torch_pass(*arguments),
    )
    layer = f"{width}x{width} {inputs}->{outputs} @{size} g{groups}"
    row = "".join(f"{ms:9.2f}" for ms in median_ms(calls, flags.repeats))
    print(f"{layer:26}{row}")


if __name__ == "__main__":
  main()
