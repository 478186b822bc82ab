"""Outputs of networks for the tests of methods."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxkd import losses, methods, models
from jaxkd.methods import View
from jaxkd.models import Outputs

LABELS = jnp.array([0, 3, 1, 2])


def outputs(seed):
  logits = 3 * jax.random.normal(jax.random.key(seed), (4, 5))
  return Outputs(logits, logits, (), ())


STUDENT, TEACHER = outputs(0), outputs(1)
S, T = STUDENT.logits, TEACHER.logits
STANDARDIZED = losses.standardize(S), losses.standardize(T)
# By Eq. 2.
KD = {"name": "kd", "lam": 0.3, "tau": 4.0, "student_tau": 4.0}


def drawn(seed, sizes):
  """Yields normal maps of these sizes and channels; JAX would compile each draw, in each worker."""
  random = np.random.default_rng(seed)
  for size, channels in sizes:
    yield random.normal(size=(4, size, size, channels)).astype(np.float32)


def maps(seed, *sizes):
  """Outputs with stages of these sizes and channels."""
  return STUDENT._replace(stages=tuple(jnp.asarray(np.maximum(x, 0)) for x in drawn(seed, sizes)))


def preactivations(outputs, seed, *sizes):
  """Outputs with preactivations of these sizes and channels."""
  return outputs._replace(preactivations=tuple(map(jnp.asarray, drawn(seed, sizes))))


@functools.cache
def stage_sizes(name):
  """Sizes and channels of a network's stages on 32x32 images."""
  model = models.abstract(lambda rngs: models.create(name, num_classes=5, rngs=rngs))
  images = jax.ShapeDtypeStruct((4, 32, 32, 3), jnp.float32)
  out = jax.eval_shape(lambda model, x: model.outputs(x), model, images)
  return [(stage.shape[1], stage.shape[3]) for stage in out.stages]


def whole(options, teachers=(TEACHER,), constants=()):
  """The loss that a phase minimises, as the step adds it up."""
  terms, _ = methods.objective(options).loss(View(STUDENT, teachers, LABELS, constants))
  return sum(float(jnp.mean(term)) for term in terms.values())


class Peer(nnx.Module):
  """A network that gives the same logits for all images."""

  def __init__(self, logits):
    self.logits = nnx.Param(logits)

  def outputs(self, images):
    return Outputs(self.logits[...] + 0 * jnp.mean(images))


def count_teachers(name):
  """How many teachers the objective of a method has."""
  none = dict.fromkeys(("cross_entropy", "regt", "byot", "dml"), 0)
  return {"reskd": 2, "multi": 2, "dgkd": 2, **none}.get(name, 1)
