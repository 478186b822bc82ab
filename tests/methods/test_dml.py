"""DML's networks learn from one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from references import cross_entropy, softmax
from views import LABELS, STUDENT, Peer, outputs

from jaxkd import methods
from jaxkd.methods import View

RECORDED = {"dml": (1, 13.3521)}


@pytest.mark.parametrize("count", [1, 2])
def test_dmls_networks_learn_from_labels_and_from_one_another(count):
  peers = [outputs(7 + number).logits for number in range(count)]
  method = methods.objective({"name": "dml", "count": count, "weight": 0.5})
  everyone = [STUDENT.logits, *peers]

  def total(student, peers):
    view = View(STUDENT._replace(logits=student), (), LABELS, adapter=list(map(Peer, peers)))
    terms, _ = method.loss(view._replace(images=jnp.zeros((4, 8, 8, 1))))
    return sum(map(jnp.sum, terms.values())), terms

  gradients, terms = jax.jit(jax.grad(total, (0, 1), has_aux=True))(STUDENT.logits, peers)
  np.testing.assert_allclose(terms["cross_entropy"], sum(map(cross_entropy, everyone)), rtol=1e-5)
  mutual = 0
  expected = []
  for own in everyone:
    p = softmax(np.asarray(own, np.float64))
    gradient = p - np.eye(5)[np.asarray(LABELS)]
    for other in everyone:
      if other is not own:
        q = softmax(np.asarray(other, np.float64))
        mutual += np.sum(q * (np.log(q) - np.log(p)), -1) * 0.5 / count
        gradient += (p - q) * 0.5 / count
    expected.append(gradient)
  np.testing.assert_allclose(terms["mutual"], mutual, rtol=1e-5)
  # In the gradient of each network the others are constant.
  for found, wanted in zip([gradients[0], *gradients[1]], expected, strict=True):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
