"""CC multiplies the embeddings' differences of neighbours in the batch."""

import itertools

import jax
import numpy as np
from flax import nnx
from references import agrees, cross_entropy, minimised
from views import STUDENT, TEACHER

from jaxkd import methods

# Version and loss on the batch of test_versions.py.
RECORDED = {"cc": (1, 3.55475)}
WIDE = TEACHER._replace(features=jax.random.normal(jax.random.key(5), (4, 7)))


def adapter(features):
  method = methods.objective({"name": "cc", "features": features})
  return method.adapter(STUDENT, (WIDE,), nnx.Rngs(0))


def test_the_loss_equals_that_of_repdistiller():
  embeddings = adapter(3)
  hard = np.mean(cross_entropy(np.asarray(STUDENT.logits, np.float64)))

  def embedded(x, linear):
    kernel, bias = (np.asarray(v[...], np.float64) for v in (linear.kernel, linear.bias))
    return np.asarray(x, np.float64) @ kernel + bias

  def expected(features):
    gaps = abs(embedded(features, embeddings.student) - embedded(WIDE.features, embeddings.teacher))
    return hard + 5 * np.mean([a @ b for a, b in itertools.pairwise(gaps)])

  options = {"name": "cc", "weight": 5, "features": 3}
  agrees(options, expected, "features", teacher=WIDE, adapter=embeddings)


def test_both_embeddings_are_trained():
  graph, params = nnx.split(adapter(3))
  gradient = jax.grad(lambda p: minimised("cc", STUDENT, WIDE, adapter=nnx.merge(graph, p)))(params)
  assert all(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(gradient))
