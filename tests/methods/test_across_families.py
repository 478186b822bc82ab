"""Transformers learn from convolutional networks by features, and the reverse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxkd import methods
from jaxkd.methods import View
from jaxkd.models import Network, layers
from jaxkd.models.vit import VisionTransformer

METHODS = ("kd", "isats", "fitnet", "at", "ofa", "deit")


class Convolutional(Network):
  """Two stages of maps, of 8 and 4 pixels."""

  def __init__(self, rngs):
    super().__init__()
    self.stem = layers.Conv(1, 4, 3, rngs=rngs)
    self.body = layers.Conv(4, 6, 3, strides=2, rngs=rngs)
    self.classifier = layers.Linear(6, 10, rngs=rngs)

  def outputs(self, x):
    first = self.stem(x)
    second = self.body(nnx.relu(first))
    stages = nnx.relu(first), nnx.relu(second)
    return self.classify(stages[1].mean((1, 2)), stages, (first, second), stages[1])


def transformer(rngs):
  """Two stages of maps of 4 pixels."""
  return VisionTransformer(
    width=4,
    heads=1,
    depths=(1, 1),
    distilled=True,
    num_classes=10,
    image_size=8,
    in_channels=1,
    patch_size=2,
    rngs=rngs,
  )


@pytest.mark.parametrize(
  ("student", "teacher"), [(transformer, Convolutional), (Convolutional, transformer)]
)
def test_a_student_of_another_family_trains_two_steps(student, teacher):
  rng = np.random.default_rng(0)
  images = jnp.asarray(rng.normal(size=(8, 8, 8, 1)), jnp.float32)
  labels = jnp.arange(8) % 10
  rngs = nnx.Rngs(0)
  student, teacher = student(rngs), teacher(rngs)
  target = nnx.jit(lambda teacher, x: teacher.outputs(x))(teacher, images)
  own = nnx.eval_shape(lambda student, x: student.outputs(x), student, images)
  objectives = [methods.objective(name) for name in METHODS]
  adapters = nnx.List([m.adapter and m.adapter(own, (target,), rngs) for m in objectives])
  graphdef, start, rest = nnx.split((student, adapters), nnx.Param, ...)

  @jax.jit
  def step(params, target):
    def losses(params):
      student, adapters = nnx.merge(graphdef, params, rest, copy=True)
      out = student.outputs(images)
      found = [
        sum(map(jnp.mean, method.loss(View(out, (target,), labels, adapter=adapter))[0].values()))
        for method, adapter in zip(objectives, adapters, strict=True)
      ]
      return sum(found), jnp.stack(found)

    gradients, found = jax.grad(losses, has_aux=True)(params)
    return jax.tree.map(lambda p, g: p - 1e-4 * g, params, gradients), gradients, found

  params, _, before = step(start, target)
  _, gradients, after = step(params, target)
  assert np.isfinite(after).all()
  assert after.sum() < before.sum()
  zero = [path for path, g in nnx.to_flat_state(gradients[0]) if not np.any(g[...])]
  assert not zero
