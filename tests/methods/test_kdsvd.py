"""KD-SVD compares the relations of singular vectors of neighbouring stages."""

import itertools
import os
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import agrees, cross_entropy, minimised
from views import STUDENT, maps

# Version and loss on the batch of test_versions.py.
RECORDED = {"kdsvd": (1, 2.14267)}


def decompose(features, number):
  """The right singular vectors `[W, number]` of one example, with sums >= 0, and its values."""
  rows = np.moveaxis(np.asarray(features, np.float64), -1, 0).reshape(-1, features.shape[1])
  _, values, vectors = np.linalg.svd(rows, full_matrices=False)
  vectors = vectors[:number].T
  return vectors * np.where(vectors.sum(0) < 0, -1, 1), values[:number]


def example(student, teacher, k):
  """The loss of one example, from its stages."""
  stages = []
  for own, target in zip(student, teacher, strict=True):
    t, values = decompose(target, k)
    s, _ = decompose(own, k + 3)
    cosines = s.T @ t
    nearest = np.argmax(abs(cosines), axis=0)
    s = s[:, nearest] * np.sign(cosines[nearest, range(k)])
    weights = values / np.linalg.norm(values)
    stages.append([weights * v for v in (s, t)])
  total = 0
  for below, above in itertools.pairwise(stages):
    r = [np.exp(-((a[:, None] - b[None]) ** 2) / 8) for a, b in zip(above, below, strict=True)]
    total += np.sum((r[0] - r[1]) ** 2)
  return total


@pytest.mark.parametrize("k", [1, 2])
def test_the_loss_equals_that_of_mdistiller(k):
  student, teacher = maps(0, (5, 3), (4, 2), (2, 6)), maps(1, (5, 4), (4, 7), (2, 2))
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def expected(stages):
    rows = zip(zip(*stages, strict=True), zip(*teacher.stages, strict=True), strict=True)
    return hard + 30 * np.mean([example(s, t, k) for s, t in rows])

  agrees({"name": "kdsvd", "weight": 30, "vectors": k}, expected, "stages", student, teacher)


def test_one_stage_is_refused():
  with pytest.raises(ValueError, match="neighbouring stages, but a network has 1 stage"):
    minimised("kdsvd", maps(0, (4, 3)), maps(1, (4, 3), (2, 3)))


def test_maps_with_equal_singular_values_have_a_finite_gradient():
  # Zero but in one line, and zero all over.
  flat = jnp.zeros((4, 5, 5, 3)).at[:2, 2].set(1.0)
  student, teacher = (outputs._replace(stages=(flat, flat)) for outputs in (STUDENT, maps(1)))
  gradient = jax.grad(lambda x: minimised("kdsvd", student._replace(stages=x), teacher))
  assert all(np.all(np.isfinite(leaf)) for leaf in jax.jit(gradient)(student.stages))


def test_decompositions_of_one_program_on_two_cores_end():
  program = """
    import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    import jax, jax.numpy as jnp
    from jaxkd.methods.kdsvd import decompose
    maps = [jax.random.normal(jax.random.key(i), (64, 32, 32, 1)) for i in range(8)]
    run = jax.jit(lambda maps: [decompose(x, 1) for x in maps])
    for _ in range(10):
      jax.block_until_ready(run(maps))
  """
  environment = {**os.environ, "XLA_FLAGS": ""}
  command = [sys.executable, "-c", textwrap.dedent(program)]
  subprocess.run(command, env=environment, timeout=60, check=True)
