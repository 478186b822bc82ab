"""Distillation losses: pure functions of arrays for any training loop.

They need JAX and optax only. In the examples `jnp` is `jax.numpy`. "The paper" is Fan, Li and Zhan,
*Exploring Dark Knowledge under Various Teacher Capacities and Addressing Capacity Mismatch*. These
rules hold for all functions; a function's text names its exceptions.

Arguments: predictions come first, then targets or labels; options are keyword-only. Logits are
`[..., C]` of any floating dtype with C >= 2, labels are integers `[...]` in `[0, C)`. Temperatures
are > 0 and weights >= 0: scalars or `[...]`, one value for each example. Nothing else broadcasts.

Results: losses are `[...]`, one for each example, and the caller averages. They are float32
(float64 for float64 logits) and computed in log space. Nothing is detached: wrap the teacher's
logits in `jax.lax.stop_gradient` if the teacher's parameters are differentiated too. All functions
work under `jax.jit`, `jax.vmap` and `jax.grad`.

Labels: an example with a label outside `[0, C)` has loss NaN, with and without `jax.jit`, and so
has the gradient. `ignore_label=-100` (or any other integer) gives the examples with this label loss
0 and no gradient, as `ignore_index` does in PyTorch; divide by the number of the others to average.
With lam = 1 the labels of :func:`kd` do not matter but must be valid.

Masked classes: a logit of -inf masks a class, which then has probability 0. Losses and gradients
are those without the class. Mask the same classes in both networks: a class that only the student
masks makes the loss infinite. The label's class and at least one other must not be masked.

Errors: shapes and dtypes are checked while JAX traces, at no cost under `jit`. A
:class:`ValueError` names the argument, its shape and the shape it must have. Temperatures that are
Python or NumPy numbers must be in `TAU_RANGE`, 1e-4 to 1e4: far outside, float32 overflows or
rounds all differences away. The values of JAX arrays are not checked.
"""

from jaxkd.losses._checks import TAU_RANGE
from jaxkd.losses.contrast import crd, crd_log_normalizer
from jaxkd.losses.gates import gradient_agreement
from jaxkd.losses.labels import (
  ISATS_GRID,
  asymmetric_softmax,
  class_mean_probabilities,
  fused_probabilities,
  guided_temperatures,
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
  divergence,
  dkd,
  fgcr,
  isats,
  kd,
  regt,
)
from jaxkd.losses.relations import at, dist, fitnet, rkd

__all__ = ["ISATS_GRID", "TAU_RANGE", "asymmetric_softmax", "at", "ats", "class_mean_probabilities"]
__all__ += ["crd", "crd_log_normalizer", "cross_entropy", "dist", "distillation", "divergence"]
__all__ += ["dkd", "fgcr", "fitnet", "fused_probabilities", "gradient_agreement"]
__all__ += ["guided_temperatures", "isats", "isats_temperatures", "kd", "log_asymmetric_softmax"]
__all__ += ["optimal_temperature", "regt", "rkd", "softmax", "standardize"]
