"""CRD (Tian, Krishnan and Isola, ICLR 2020): embeddings contrasted with those of other classes."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, POSITIVE, TEMPERATURE, Method, Terms, View, option, register
from jaxkd.methods.base import features as penultimate
from jaxkd.methods.base import plus_cross_entropy
from jaxkd.models import Outputs, layers


class Memory(nnx.BatchStat):
  """An array that a loss updates: the step keeps it as running statistics."""


class Contrast(nnx.Module):
  r"""Contrastive representation distillation from one teacher, on both sides.

  .. math::
    \ell = \ell_{\text{crd}}(s, t, T) + \ell_{\text{crd}}(t, s, S)

  Linear heads, trained with the student, bring the penultimate features of both networks to
  embeddings s and t; T and S are memories of the teacher's and the student's embeddings. The
  constants Z of `losses.crd` are those of the first batch.

  The original remembers an embedding of every training example, a moving average with momentum 0.5,
  and draws 16384 of other classes for each example of a batch. Here the memory is a queue of the
  newest embeddings with their labels, and an example's negatives are all of other classes. So the
  memory doesn't grow with the data set, a step needs no indices of examples, and the negatives are
  one matrix, not one for each example: 8 MiB instead of 1 GiB a batch of 128. An example attracts
  its embedding by the other network in the same step, not a remembered one.
  """

  def __init__(
    self,
    student: Outputs,
    teacher: Outputs,
    *,
    features: int,
    negatives: int,
    tau: float,
    rngs: nnx.Rngs,
  ):
    def head(outputs):
      return layers.Linear(
        penultimate(outputs).shape[-1], features, init=layers.torch_default, rngs=rngs
      )

    def memory():
      # As in the original; their length is about 1.
      bound = math.sqrt(3 / features)
      shape = (negatives, features)
      return Memory(jax.random.uniform(rngs.params(), shape, minval=-bound, maxval=bound))

    self.student_head, self.teacher_head = head(student), head(teacher)
    self.student_memory, self.teacher_memory = memory(), memory()
    # The random entries of a new memory belong to no class.
    self.labels = Memory(jnp.full(negatives, -1, jnp.int32))
    self.log_normalizers = Memory(jnp.full(2, jnp.inf, jnp.float32))
    self.tau = tau

  def __call__(self, student: Outputs, teacher: Outputs, labels: jax.Array) -> jax.Array:
    """Returns the loss of each example, `[B]`, and adds the batch to the memories."""
    s = self.student_head(penultimate(student), jnp.float32)
    t = self.teacher_head(penultimate(teacher), jnp.float32)
    where = labels[:, None] != self.labels[...][None]
    kept = self.log_normalizers[...]

    def side(anchors, others, memory, kept):
      # Detached, like a memory: each head then learns from one side, and
      # its positive weighs as much as its negatives.
      others = jax.lax.stop_gradient(others)
      first = losses.crd_log_normalizer(
        anchors, others, memory[...], num_examples=1, tau=self.tau, where=where
      )
      log_normalizer = jax.lax.stop_gradient(jnp.where(jnp.isinf(kept), first, kept))
      loss = losses.crd(
        anchors,
        others,
        memory[...],
        # Its value cancels.
        num_examples=1,
        log_normalizer=log_normalizer,
        tau=self.tau,
        where=where,
      )
      return loss, log_normalizer

    from_student, student_normalizer = side(s, t, self.teacher_memory, kept[0])
    from_teacher, teacher_normalizer = side(t, s, self.student_memory, kept[1])
    self.log_normalizers[...] = jnp.stack([student_normalizer, teacher_normalizer])
    for memory, new in ((self.student_memory, s), (self.teacher_memory, t), (self.labels, labels)):
      queue = jnp.concatenate([new.astype(memory.dtype), memory[...]])
      memory[...] = jax.lax.stop_gradient(queue[: len(memory)])
    return from_student + from_teacher


@register("crd")
class CRD(Method):
  """Cross entropy, and the contrastive loss of `Contrast`."""

  weight: float = option(0.8, "the original", NOT_NEGATIVE)
  features: int = option(128, "the original: length of the embeddings", POSITIVE)
  negatives: int = option(
    16384, "length of the memory; the original draws as many from all examples", POSITIVE
  )
  tau: float = option(0.07, "the original", TEMPERATURE)

  def contrast(self, student: Outputs, teacher: Outputs, rngs: nnx.Rngs) -> Contrast:
    """Returns heads and memory for one teacher."""
    return Contrast(
      student, teacher, features=self.features, negatives=self.negatives, tau=self.tau, rngs=rngs
    )

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    return self.contrast(student, teacher, rngs)

  def loss(self, view: View) -> Terms:
    contrast = view.adapter(view.student, view.teacher, view.labels)
    return plus_cross_entropy(view, contrast=self.weight * contrast), {}
