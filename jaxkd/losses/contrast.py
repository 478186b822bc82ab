"""Contrastive losses (CRD)."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses import _checks, _numerics


def _similarities(
  student: Array, teacher: Array, negatives: Array, tau: ArrayLike, where: Array | None
) -> tuple[Array, Array]:
  """Returns cosines / tau with the teacher and the negatives, `[..., 1 + K]`, and their mask."""
  _checks.embeddings(student, teacher, negatives, where)
  _checks.temperatures((), tau=tau)
  student = _numerics.unit(student)
  positive = jnp.sum(student * _numerics.unit(teacher), axis=-1, keepdims=True)
  negatives = _numerics.unit(negatives)
  negative = jnp.einsum("...e,...ke->...k", student, negatives, precision="highest")
  counted = jnp.broadcast_to(True if where is None else where, negative.shape)
  counted = jnp.concatenate([jnp.ones_like(positive, bool), counted], axis=-1)
  pairs = jnp.concatenate([positive, negative], axis=-1)
  return pairs / jnp.asarray(tau, pairs.dtype), counted


def crd(
  student_embeddings: Array,
  teacher_embeddings: Array,
  negatives: Array,
  *,
  num_examples: int,
  log_normalizer: ArrayLike,
  tau: ArrayLike = 0.07,
  where: Array | None = None,
) -> Array:
  r"""Contrastive representation distillation, from one side.

  .. math::
    \ell = -\log h(s, t) - \sum_{k=1}^{K} \log (1 - h(s, t_k)), \quad
    h(s, t) = \frac{e^{s^T t / \tau} / Z}{e^{s^T t / \tau} / Z + K / M}

  Tian, Krishnan and Isola, *Contrastive Representation Distillation*, ICLR 2020. Embeddings,
  brought to length 1, of the same example attract each other; those of K examples of other classes,
  from a memory of all M, are repelled. The method adds the same loss with student and teacher
  exchanged, and the cross entropy; the caller keeps the memory. With the constant of
  :func:`crd_log_normalizer`, which is proportional to M, the loss does not depend on M.

  Args:
    student_embeddings: `[..., E]`, projected features.
    teacher_embeddings: `[..., E]`, of the same examples.
    negatives: `[..., K, E]`, teacher embeddings of other examples; the leading axes broadcast.
    num_examples: M, the size of the training split.
    log_normalizer: :math:`\log Z`, from :func:`crd_log_normalizer`, a scalar or `[...]`.
    tau: temperature > 0, a scalar; 0.07 in the original.
    where: booleans `[..., K]`, true on the negatives that count; their number is the example's K.
      None: all count.

  Returns:
    The loss of each example, `[...]`, >= 0; 0 without any negative.

  Examples:
    >>> student = teacher = jnp.array([1.0, 0.0])
    >>> others = jnp.array([[0.0, 1.0]])
    >>> print(crd(student, teacher, others, num_examples=1, log_normalizer=0.0, tau=1.0))
    1.0064...
  """
  pairs, counted = _similarities(student_embeddings, teacher_embeddings, negatives, tau, where)
  _checks.per_example(pairs.shape[:-1], log_normalizer=log_normalizer)
  noise = jnp.sum(counted[..., 1:], axis=-1, dtype=pairs.dtype) / num_examples
  offset = jnp.asarray(log_normalizer, pairs.dtype) + jnp.log(noise)
  attracted = jax.nn.log_sigmoid(pairs[..., 0] - offset)
  repelled = jax.nn.log_sigmoid(offset[..., None] - pairs[..., 1:])
  return -attracted - jnp.sum(repelled, axis=-1, where=counted[..., 1:])


def crd_log_normalizer(
  student_embeddings: Array,
  teacher_embeddings: Array,
  negatives: Array,
  *,
  num_examples: int,
  tau: ArrayLike = 0.07,
  where: Array | None = None,
) -> Array:
  r"""Estimates the constant of :func:`crd`, a scalar, from one batch; its arguments are the same.

  .. math::
    \log Z = \log M + \log \overline{e^{s^T t / \tau}}

  The authors' code takes the mean over the positive and negative pairs of the first batch.

  Examples:
    >>> student = teacher = jnp.array([1.0, 0.0])
    >>> others = jnp.array([[0.0, 1.0]])
    >>> print(crd_log_normalizer(student, teacher, others, num_examples=10, tau=1.0))
    2.922...
  """
  pairs, counted = _similarities(student_embeddings, teacher_embeddings, negatives, tau, where)
  scale = num_examples / jnp.sum(counted, dtype=pairs.dtype)
  return jax.nn.logsumexp(pairs, where=counted) + jnp.log(scale)
