"""Measures that decide where a distillation term is used."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses import _checks
from jaxkd.losses import labels as teacher_labels


def gradient_agreement(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  tau: ArrayLike,
  student_tau: ArrayLike | None = None,
  standardize: bool = False,
  ignore_label: int | None = None,
) -> Array:
  r"""Inner product of the gradients of distillation and of cross entropy.

  .. math::
    a = \langle \nabla_f(-\log p^s_y(1)),
        \nabla_f(-\tau_s^2 \textstyle\sum_c p^t_c(\tau) \log p^s_c(\tau_s)) \rangle
      = \tau_s \langle p^s(1) - e_y, p^s(\tau_s) - p^t(\tau) \rangle

  Zhu and Wang, *Student Customized Knowledge Distillation*, ICCV 2021, distil only where the two
  agree, :math:`a \ge 0`. Their gradients are those in the parameters, the gradients here those in
  the student's logits :math:`f`. The arguments are as in :func:`kd`. With `standardize`,
  distillation compares z-scores of the logits, from :func:`standardize`; the gradients remain those
  in the logits. Returns `[...]`, of any sign, 0 for ignored examples; the sum over a batch is the
  inner product of the batch's gradients in the logits.

  Examples:
    >>> student, labels = jnp.array([[1.0, 0.0]] * 2), jnp.array([0, 1])
    >>> teacher = jnp.array([[2.0, 0.0]] * 2)
    >>> print(gradient_agreement(student, teacher, labels, tau=1.0))
    [ 0.0805... -0.2189...]
  """
  student_tau = tau if student_tau is None else student_tau
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau=tau, student_tau=student_tau)
  checked = _checks.labels(labels, student_logits, ignore_label)
  student_logits, teacher_logits = map(checked.blank, (student_logits, teacher_logits))
  probs = teacher_labels.softmax(student_logits)
  task = probs - checked.right.astype(probs.dtype)
  if standardize:
    # The chain rule, applied to the other side of the product.
    student_logits, task = jax.jvp(teacher_labels.standardize, (student_logits,), (task,))
    teacher_logits = teacher_labels.standardize(teacher_logits)
  soft = teacher_labels.softmax(student_logits, student_tau)
  soft -= teacher_labels.softmax(teacher_logits, tau)
  return checked.mark(jnp.asarray(student_tau, probs.dtype) * jnp.sum(task * soft, axis=-1))
