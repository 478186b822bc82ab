"""Times single convolutions, forward and backward, against PyTorch's.

  python -m tests.benchmarks.conv [--batch=16] [--repeats=7]

Three implementations take turns on the same threads in one process: XLA's
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

# Layers of stride 1 that the networks for 32x32 images have: channels in and
# out, size of the image, of the kernel, groups.
LAYERS = {
  "resnet20": ((16, 16, 32, 3, 1), (32, 32, 16, 3, 1), (64, 64, 8, 3, 1)),
  "vgg8": ((64, 128, 16, 3, 1), (256, 512, 4, 3, 1)),
  "resnext29_4x4d": (
    (16, 16, 32, 3, 4),
    (32, 32, 16, 3, 4),
    (64, 64, 8, 3, 4),
    (256, 16, 32, 1, 1),
    (16, 256, 32, 1, 1),
    (512, 32, 16, 1, 1),
    (64, 1024, 8, 1, 1),
  ),
  "mobilenet_v2": (
    (48, 48, 16, 3, 48),
    (96, 96, 8, 3, 96),
    (192, 192, 4, 3, 192),
    (480, 480, 2, 3, 480),
  ),
}


def xla(x, kernel, *, padding, groups):
  """XLA's convolution."""
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
  """Returns a function that runs PyTorch's forward and backward pass."""
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
  print(f"{'layer':40}{'XLA':>9}{'jaxkd':>9}{'PyTorch':>9}")
  rng = np.random.default_rng(0)
  cases = [(name, *layer) for name, own in LAYERS.items() for layer in own]
  for name, inputs, outputs, size, width, groups in cases:
    shape = (flags.batch, size, size, inputs)
    x = jnp.asarray(rng.normal(size=shape), jnp.float32)
    shape = (width, width, inputs // groups, outputs)
    kernel = jnp.asarray(rng.normal(size=shape), jnp.float32)
    arguments = x, kernel, width // 2, groups
    calls = (jax_pass(xla, *arguments), jax_pass(conv, *arguments), torch_pass(*arguments))
    layer = f"{name} {width}x{width} {inputs}->{outputs} @{size} g{groups}"
    row = "".join(f"{ms:9.2f}" for ms in median_ms(calls, flags.repeats))
    print(f"{layer:40}{row}", flush=True)


if __name__ == "__main__":
  main()
