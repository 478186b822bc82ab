"""Distillation losses: pure functions of arrays, for any training loop.

Predictions come first, then targets or labels; options are keyword-only.
Logits are `[..., C]` with C >= 2, labels `[...]`; per-example losses come back
as `[...]` and the caller averages. Whatever the input dtype, sums are taken in
float32 at least, and in log space. Nothing is detached here: who trains the
student freezes the teacher. Everything works under `jax.jit`, `jax.vmap` and
`jax.grad`.
"""

from jaxkd.losses.contrast import crd, crd_log_normalizer
from jaxkd.losses.gates import gradient_agreement
from jaxkd.losses.labels import (
  ISATS_GRID,
  asymmetric_softmax,
  class_mean_probabilities,
  isats_temperatures,
  log_asymmetric_softmax,
  optimal_temperature,
  softmax,
  standardize,
)
from jaxkd.losses.logits import (
  ats,
  cross_entropy,
  distillation,
  dkd,
  fgcr,
  isats,
  kd,
  regt,
)
from jaxkd.losses.relations import at, dist, fitnet, rkd

__all__ = [
  "ISATS_GRID",
  "asymmetric_softmax",
  "at",
  "ats",
  "class_mean_probabilities",
  "crd",
  "crd_log_normalizer",
  "cross_entropy",
  "dist",
  "distillation",
  "dkd",
  "fgcr",
  "fitnet",
  "gradient_agreement",
  "isats",
  "isats_temperatures",
  "kd",
  "log_asymmetric_softmax",
  "optimal_temperature",
  "regt",
  "rkd",
  "softmax",
  "standardize",
]
