"""ReviewKD fuses stages from the deepest up and compares them with the teacher's maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from references import (
  agrees,
  averaged,
  batch_normalized,
  convolved,
  cross_entropy,
  float64,
  minimised,
)
from views import STUDENT, maps

from jaxkd import methods

# Version and loss on the batch of test_versions.py.
RECORDED = {"reviewkd": (1, 24.3965)}
OPTIONS = {"name": "reviewkd", "weight": 3, "channels": 4, "warmup": 0.5}


def outputs(seed, width, *sizes):
  """Outputs with features of a width, and preactivations instead of stages for the teacher."""
  features = jax.random.normal(jax.random.key(seed + 10), (4, width))
  return maps(seed, *sizes)._replace(features=features)


OWN = outputs(0, 5, (6, 3), (4, 2))
# The first pixels of its larger maps are above those of the student's, the smaller below.
_TARGET = outputs(1, 6, (4, 2), (8, 3))
TARGET = _TARGET._replace(stages=(), preactivations=tuple(x - 0.5 for x in _TARGET.stages))


def adapter():
  return methods.objective(OPTIONS).adapter(OWN, (TARGET,), nnx.Rngs(0))


def nearest(x, size):
  pixels = np.floor(np.arange(size) * x.shape[1] / size).astype(int)
  return x[:, pixels][:, :, pixels]


def fused(fuse, x, deeper, size):
  x = batch_normalized(x @ float64(fuse.reduce[0].kernel)[0, 0])
  if deeper is not None:
    deeper = nearest(deeper, x.shape[1])
    scores = np.concatenate([x, deeper], -1) @ float64(fuse.attention.kernel)[0, 0]
    weights = 1 / (1 + np.exp(-scores - float64(fuse.attention.bias)))
    x = weights[..., :1] * x + weights[..., 1:] * deeper
  x = nearest(x, size)
  return x, batch_normalized(convolved(x, float64(fuse.expand[0].kernel), padding=1))


def hierarchical(a, b, sizes):
  """The mean squared errors of the maps and their averages, with halved weights."""
  errors = [np.mean((a - b) ** 2)]
  errors += [np.mean((averaged(a, size) - averaged(b, size)) ** 2) for size in sizes]
  return np.average(errors, weights=0.5 ** np.arange(len(errors)))


def review(fusions, stages, features):
  pooled, below, above = fusions
  targets = [float64(x) for x in (TARGET.features[:, None, None], *TARGET.preactivations[::-1])]
  deepest, out = fused(pooled, features[:, None, None], None, 1)
  loss = hierarchical(out, targets[0], [])
  middle, out = fused(below, stages[1], deepest, 8)
  loss += hierarchical(out, targets[1], [4, 2, 1])
  _, out = fused(above, stages[0], middle, 4)
  loss += hierarchical(out, targets[2], [2, 1])
  return np.mean(cross_entropy(float64(STUDENT.logits))) + 3 * loss


def test_the_loss_equals_that_of_the_authors():
  fusions = adapter()
  stages, features = [float64(x) for x in OWN.stages], float64(OWN.features)
  view = {"student": OWN, "teacher": TARGET, "adapter": fusions, "progress": 1.0}
  agrees(OPTIONS, lambda x: review(fusions, x, features), "stages", **view)
  agrees(OPTIONS, lambda x: review(fusions, stages, x), "features", **view)


def test_the_weight_rises_over_the_warmup():
  fusions = adapter()
  loss = jax.jit(lambda p: minimised(OPTIONS, OWN, TARGET, adapter=fusions, progress=p))
  hard, some, more, most = map(loss, (0.0, 0.2, 0.4, 0.6))
  np.testing.assert_allclose(more - hard, 2 * (some - hard), rtol=1e-5)
  np.testing.assert_allclose(most - hard, 2.5 * (some - hard), rtol=1e-5)


def test_the_fusion_has_no_more_channels_than_the_option_and_the_features():
  objective = methods.objective("reviewkd")
  few = objective.adapter(OWN, (TARGET,), nnx.Rngs(0))
  wide = OWN._replace(features=jnp.zeros((4, 1280)))
  many = nnx.eval_shape(lambda: objective.adapter(wide, (TARGET,), nnx.Rngs(0)))
  widths = [fusions[1].reduce[0].kernel.shape[-1] for fusions in (few, many)]
  assert widths == [5, 512]


def test_the_fusions_start_as_in_pytorch():
  kernel = adapter()[1].expand[0].kernel[...]
  bound = np.sqrt(3 / (9 * 4))
  assert 0.9 * bound < np.abs(kernel).max() <= bound


def test_a_teacher_without_preactivations_is_refused():
  with pytest.raises(
    ValueError, match="needs stage 0 as a map, but a network has 0 preactivations"
  ):
    methods.objective("reviewkd").adapter(OWN, (OWN,), nnx.Rngs(0))
