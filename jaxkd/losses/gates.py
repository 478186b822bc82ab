"""Which examples a distillation term is used on."""

import jax
import jax.numpy as jnp

from jaxkd.losses import _numerics
from jaxkd.losses import labels as teacher_labels


def gradient_agreement(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  tau: jax.typing.ArrayLike,
  student_tau: jax.typing.ArrayLike | None = None,
  standardize: bool = False,
) -> jax.Array:
  r"""Inner product of the gradients of distillation and of cross entropy.

  .. math::
    a = \langle \nabla_f(-\log p^s_y(1)),
        \nabla_f(-\tau_s^2 \textstyle\sum_c p^t_c(\tau) \log p^s_c(\tau_s))
        \rangle
      = \tau_s \langle p^s(1) - e_y, p^s(\tau_s) - p^t(\tau) \rangle

  Zhu and Wang, *Student Customized Knowledge Distillation*, ICCV 2021, distil
  only where the two agree, :math:`a \ge 0`. Here the gradients are those with
  respect to the student's logits :math:`f`, which every example has to itself.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    tau: the teacher's temperature > 0, a scalar or `[...]`.
    student_tau: the student's temperature > 0; `tau` if None.
    standardize: distillation compares z-scores of the logits; see
      :func:`standardize`. The gradients remain those in the logits.

  Returns:
    `[...]`, of any sign; its sum over a batch is the inner product of the
    batch's gradients.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, labels = jnp.array([[1.0, 0.0]] * 2), jnp.array([0, 1])
    >>> teacher = jnp.array([[2.0, 0.0]] * 2)
    >>> print(gradient_agreement(student, teacher, labels, tau=1.0))
    [ 0.0805... -0.2189...]
  """
  student_tau = tau if student_tau is None else student_tau
  student_logits = _numerics.accumulate(student_logits)
  probs = teacher_labels.softmax(student_logits)
  is_label = _numerics.is_label(labels, probs.shape[-1])
  task = probs - is_label.astype(probs.dtype)
  if standardize:
    # The chain rule, applied to the other side of the product.
    student_logits, task = jax.jvp(teacher_labels.standardize, (student_logits,), (task,))
    teacher_logits = teacher_labels.standardize(teacher_logits)
  soft = teacher_labels.softmax(student_logits, student_tau) - teacher_labels.softmax(
    teacher_logits, tau
  )
  return jnp.asarray(student_tau, probs.dtype) * jnp.sum(task * soft, axis=-1)
