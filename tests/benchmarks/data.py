"""Images per second of each loader, alone and inside a training step.

  python -m tests.benchmarks.data [--name=cifar100 --data_dir=DIR]
    [--batch=128] [--repeats=15] [--workers=CORES]

Without a name the images are noise of CIFAR's size, in memory. With a name they
are a data set prepared by `jaxkd.prepare`, which all loaders but the resident
one decode. The network is a ResNet-20, for images of 224 pixels a ResNet-18.
PyTorch's DataLoader makes the same views, with transforms that equal
torchvision's on Pillow images. The column 'of torch' is a loader's speed
divided by the DataLoader's, both alone. Inside the step all loaders feed the
same jitted network. The column 'adds' compares with steps without a loader,
taken in turns. Medians are printed. Needs the extra `torch`. Figures are
steadier on an idle machine.
"""

import argparse
import itertools
import math
import os
import random
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from PIL import Image, ImageOps

from jaxkd import data, losses, models
from jaxkd.data.base import InMemory
from jaxkd.training import sharding
from jaxkd.training.step import functional

NOISE = 50_000


class TorchViews(torch.utils.data.Dataset):
  """Random views of a split, as torchvision's transforms make them."""

  def __init__(self, examples, spec):
    self.examples, self.spec = examples, spec
    shape = (spec.channels, 1, 1)
    self.mean = torch.tensor(spec.mean).reshape(shape)
    self.std = torch.tensor(spec.std).reshape(shape)

  def __len__(self):
    return len(self.examples)

  def __getitem__(self, row):
    size, padding = self.spec.image_size, self.spec.padding
    image, label, _ = self.examples[row]
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if self.spec.resize:
      area = self.spec.resize**2 * random.uniform(0.08, 1)
      ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
      width = min(round(math.sqrt(area * ratio)), self.spec.resize)
      height = min(round(math.sqrt(area / ratio)), self.spec.resize)
      top = random.randint(0, self.spec.resize - height)
      left = random.randint(0, self.spec.resize - width)
      picture = picture.resize(
        (size, size), Image.Resampling.BILINEAR, (left, top, left + width, top + height)
      )
    elif padding:
      picture = ImageOps.expand(picture, padding)
      top, left = (random.randint(0, 2 * padding) for _ in range(2))
      picture = picture.crop((left, top, left + size, top + size))
    if self.spec.flip and random.random() < 0.5:
      picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.array(picture).reshape(size, size, -1).transpose(2, 0, 1)
    views = torch.from_numpy(pixels).contiguous().float().div(255)
    return views.sub_(self.mean).div_(self.std), int(label)


def torch_batches(examples, spec, batch, workers):
  """Yields batches of one epoch after another, as JAX takes them."""
  loader = torch.utils.data.DataLoader(
    TorchViews(examples, spec),
    batch,
    shuffle=True,
    num_workers=workers,
    drop_last=True,
    persistent_workers=True,
    multiprocessing_context="forkserver",
  )
  while True:
    for images, labels in loader:
      channels_last = images.permute(0, 2, 3, 1).contiguous()
      yield channels_last.numpy(), labels.numpy().astype(np.int32)


def network_step(spec):
  """Returns a ResNet's training pass on normalised images."""
  model = models.create(
    "resnet20" if spec.image_size < 224 else "resnet18",
    num_classes=spec.num_classes,
    image_size=spec.image_size,
    in_channels=spec.channels,
    rngs=nnx.Rngs(0),
  )
  network, variables = functional(model)

  def passes(images, labels):
    def loss(params):
      outputs, _ = network.apply_train(variables._replace(params=params), images, jax.random.key(0))
      return jnp.mean(losses.cross_entropy(outputs.logits, labels))

    return jax.value_and_grad(loss)(variables.params)

  return passes


class Loops:
  """Steps of each loader, alone and with the network.

  Every method returns a function that runs a step, and one that ends the
  loader's processes.
  """

  def __init__(self, examples, spec, batch, workers):
    mesh = sharding.mesh()
    self.split = sharding.split_batch(mesh)
    put = sharding.replicate(mesh)
    self.key = put(jax.random.key(0))
    self.examples, self.spec = examples, spec
    self.batch, self.workers = batch, workers
    self.arrays = put(jax.tree.map(np.asarray, examples.load()))
    self.passes = network_step(spec)

  def views(self, source, step):
    images, labels, sizes, _ = data.batch_at(source, step, self.batch)
    key = jax.random.fold_in(self.key, step)
    images = data.augment(jnp.asarray(images), self.spec, key, sizes)
    return data.normalize(images, self.spec), labels

  def none(self, function):
    """Steps on fixed views, without a loader."""
    source = data.Resident(self.arrays, self.batch, self.key).source(0)
    fixed = jax.jit(self.views)(source, np.int32(0))
    jitted = jax.jit(function)
    return lambda: jax.block_until_ready(jitted(*fixed)), lambda: None

  def resident(self, function):
    return self._from(data.Resident(self.arrays, self.batch, self.key), function)

  def streamed(self, function):
    loader = data.Streamed(self.examples, self.batch, self.key, self.split, self.workers)
    return self._from(loader, function)

  def torch(self, function):
    jitted = jax.jit(function)
    batches = torch_batches(self.examples, self.spec, self.batch, self.workers)
    return lambda: jax.block_until_ready(jitted(*next(batches))), batches.close

  def _from(self, loader, function):
    steps = itertools.count()

    def whole(source, step):
      return function(*self.views(source, step))

    jitted = jax.jit(whole)

    def run():
      step = next(steps)
      jax.block_until_ready(jitted(loader.source(step), np.int32(step)))

    return run, loader.close


def seconds(run, count):
  """Returns the times of that many runs."""
  times = []
  for _ in range(count):
    start = time.perf_counter()
    run()
    times.append(time.perf_counter() - start)
  return times


def alone(loader, repeats):
  """Returns a loader's median time of ten batches, by batch."""
  run, close = loader(lambda *views: views)
  # More than what is decoded ahead.
  seconds(run, 20)
  blocks = [sum(seconds(run, 10)) / 10 for _ in range(repeats)]
  close()
  return statistics.median(blocks)


def inside(loader, base, passes, repeats, turns):
  """Returns median times of steps with a loader and without one.

  They take turns, of one step each if nothing works between the steps.
  """
  with_loader, without = [], []
  run, close = loader(passes)
  seconds(run, 8)
  for _ in range(repeats if turns else 1):
    with_loader += seconds(run, 1 if turns else repeats)
    if not turns:
      close()
    without += seconds(base, 1 if turns else repeats)
  close()
  return statistics.median(with_loader), statistics.median(without)


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.data")
  parser.add_argument("--name", default="")
  parser.add_argument("--data_dir", default="")
  parser.add_argument("--batch", type=int, default=128)
  parser.add_argument("--repeats", type=int, default=15)
  parser.add_argument("--workers", type=int, default=os.cpu_count())
  args = parser.parse_args()

  spec = data.find(args.name or "cifar100", args.data_dir)
  if args.name:
    examples, _ = data.examples(spec, args.data_dir)
  else:
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (NOISE, 32, 32, 3), np.uint8)
    labels = noise.integers(0, 100, NOISE, np.int32)
    examples = InMemory(images, labels, ())

  loops = Loops(examples, spec, args.batch, args.workers)
  base, _ = loops.none(loops.passes)
  seconds(base, 2)
  print(f"{args.name or 'noise'}, batch {args.batch}, {args.workers} workers")
  print(f"{'loader':10}{'alone':>12}{'of torch':>10}{'in a step':>12}{'adds':>8}")
  of_torch = 0.0
  for name in ("torch", "resident", "streamed"):
    loader = getattr(loops, name)
    batch_time = alone(loader, args.repeats)
    of_torch = of_torch or batch_time
    step, without = inside(loader, base, loops.passes, args.repeats, turns=name == "resident")
    print(
      f"{name:10}{args.batch / batch_time:>10.0f}/s"
      f"{of_torch / batch_time:>9.1f}x{args.batch / step:>10.0f}/s"
      f"{step / without - 1:>8.1%}",
      flush=True,
    )


if __name__ == "__main__":
  main()
