"""BYOT's student teaches classifiers on its stages."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from references import cross_entropy, soft
from views import LABELS, maps

from jaxkd import methods
from jaxkd.methods import View

RECORDED = {"byot": (1, 4.98017)}


def byot_view():
  student = maps(3, (8, 3), (4, 4), (2, 6))._replace(features=maps(4, (1, 6)).stages[0][:, 0, 0])
  method = methods.objective({"name": "byot", "alpha": 0.2, "beta": 0.01, "tau": 2})
  adapter = method.adapter(student, (), nnx.Rngs(0))
  return method, View(student, (), LABELS, adapter=adapter)


def test_byots_student_teaches_a_classifier_on_each_stage_but_the_last():
  method, view = byot_view()
  terms, _ = method.loss(view)
  assert len(view.adapter) == 2
  own, wanted = view.student, [cross_entropy(view.student.logits), 0, 0]
  for stage, leave in zip(own.stages, view.adapter, strict=False):
    logits, pooled = (np.asarray(x, np.float64) for x in leave(stage))
    assert logits.shape == (4, 5)
    assert pooled.shape == own.features.shape
    target = np.asarray(own.features, np.float64)
    wanted[0] = wanted[0] + cross_entropy(logits)
    wanted[1] = wanted[1] + soft(logits, own.logits, 2)
    wanted[2] = wanted[2] + np.sum((pooled - target) ** 2 * ((pooled > 0) | (target > 0)), -1)
  for name, weight, value in zip(
    ("hard", "soft", "features"), (0.8, 0.2, 0.01), wanted, strict=True
  ):
    np.testing.assert_allclose(terms[name], weight * value, rtol=1e-4)


def test_byots_bottleneck_is_three_convolutions_with_batch_norm():
  _, view = byot_view()
  leave, x = view.adapter[0], np.asarray(view.student.stages[0], np.float64)
  for convolution, *_ in leave.bottleneck:
    kernel = np.asarray(convolution.kernel[...], np.float64)
    size = kernel.shape[0]
    b, h, w, c = x.shape
    windows = x.reshape(b, h // size, size, w // size, size, c)
    x = np.einsum("bhiwjc,ijcd->bhwd", windows, kernel)
    x = np.maximum((x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5), 0)
  _, pooled = leave(view.student.stages[0])
  np.testing.assert_allclose(pooled, x.mean((1, 2)), rtol=1e-3, atol=1e-5)


def test_the_targets_of_byot_are_constants():
  method, view = byot_view()

  def taught(logits, features):
    student = view.student._replace(logits=logits, features=features)
    terms, _ = method.loss(view._replace(student=student, adapter=nnx.clone(view.adapter)))
    return jnp.sum(terms["soft"] + terms["features"])

  for gradient in jax.jit(jax.grad(taught, (0, 1)))(view.student.logits, view.student.features):
    np.testing.assert_array_equal(gradient, 0)
