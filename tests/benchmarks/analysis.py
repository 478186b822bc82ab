"""Seconds and memory of the measures that compare pairs, on noise.

  python -m tests.benchmarks.analysis [--examples=50000] [--classes=1000]
    [--features=64]

The rank correlations compare pairs of classes, the angles between features pairs
of examples. SciPy's rank correlations are timed on a few examples. Compilation is
not counted. Memory is the peak of the process beyond the given arrays.
"""

import argparse
import resource
import time

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxkd import metrics
from jaxkd.analysis import measure

SCIPY_EXAMPLES = 100


def seconds(function):
  """Returns the time of a call, after one that compiles."""
  jax.block_until_ready(function())
  start = time.perf_counter()
  jax.block_until_ready(function())
  return time.perf_counter() - start


def peak():
  """Returns the most memory that the process has had, in MiB."""
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scipy_correlations(a, b):
  for row in zip(a[:SCIPY_EXAMPLES], b[:SCIPY_EXAMPLES], strict=True):
    stats.kendalltau(*row)
    stats.spearmanr(*row)


def report(name, took, before):
  print(f"{name:40}{took:>9.1f} s{peak() - before:>9.0f} MiB", flush=True)


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.analysis")
  parser.add_argument("--examples", type=int, default=50_000)
  parser.add_argument("--classes", type=int, default=1000)
  parser.add_argument("--features", type=int, default=64)
  args = parser.parse_args()

  rng = np.random.default_rng(0)
  features = rng.standard_normal((args.examples, args.features), np.float32)
  labels = jnp.asarray(rng.integers(0, args.classes, args.examples))
  units = jnp.asarray(features)
  print(f"{args.examples} examples")
  before = peak()
  took = seconds(lambda: metrics.feature_angles(units, labels))
  report(f"feature angles, {args.features} features", took, before)

  a = rng.standard_normal((args.examples, args.classes), np.float32)
  b = a + rng.standard_normal(a.shape, np.float32)
  before = peak()
  took = seconds(lambda: measure.over_blocks(metrics.rank_correlations, a, b))
  report(f"rank correlations, {args.classes} classes", took, before)
  took = seconds(lambda: scipy_correlations(a, b))
  share = min(SCIPY_EXAMPLES, args.examples) / args.examples
  print(f"{'rank correlations by SciPy, extrapolated':40}{took / share:>9.1f} s")


if __name__ == "__main__":
  main()
