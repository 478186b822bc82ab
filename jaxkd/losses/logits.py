"""Losses on logits that distil under a label of the teacher's."""

import jax
import jax.numpy as jnp

from jaxkd.losses import _numerics
from jaxkd.losses import labels as teacher_labels


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
  r"""Cross entropy with integer labels, :math:`-\log p_y(1)`.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.

  Returns:
    `[...]`, float32 (float64 for float64 logits), >= 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(cross_entropy(jnp.array([[0.0, 0.0]]), jnp.array([1])))
    [0.6931...]
  """
  log_probs = _numerics.log_softmax(logits, 1.0)
  labels = jnp.asarray(labels, jnp.int32)[..., None]
  return -jnp.take_along_axis(log_probs, labels, axis=-1)[..., 0]


def distillation(
  student_logits: jax.Array,
  labels: jax.Array,
  teacher_probs: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  tau: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Distillation from any label that a teacher gives.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1)
           - \lambda \tau^2 \sum_c p^t_c \log p^s_c(\tau)

  Eq. 2 of the paper with the teacher's label as an argument. The soft term is
  a cross entropy, not a divergence: it differs from KL by the entropy of
  `teacher_probs`, which has no gradient in the student.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    teacher_probs: `[..., C]`, the teacher's label; differentiable, so wrap it
      in `jax.lax.stop_gradient` if its teacher is trained too.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    tau: the student's temperature > 0, a scalar or `[...]`.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([1.0, 0.0, -1.0]), jnp.array(0)
    >>> soft_label = jnp.array([0.6, 0.3, 0.1])
    >>> loss = distillation(logits, labels, soft_label, lam=0.5, tau=1.0)
    >>> print(loss)
    0.6576...
  """
  # Cast once: the gradients of both terms are then added before rounding.
  student_logits = _numerics.accumulate(student_logits)
  hard = cross_entropy(student_logits, labels)
  log_probs = _numerics.log_softmax(student_logits, tau)
  teacher_probs = jnp.asarray(teacher_probs, log_probs.dtype)
  soft = -jnp.sum(teacher_probs * log_probs, axis=-1)
  lam = jnp.asarray(lam, hard.dtype)
  tau = jnp.asarray(tau, hard.dtype)
  return (1 - lam) * hard + lam * jnp.square(tau) * soft


def kd(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  tau: jax.typing.ArrayLike,
  student_tau: jax.typing.ArrayLike | None = None,
) -> jax.Array:
  r"""Knowledge distillation of Hinton et al.: one temperature for all classes.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1)
           - \lambda \tau_s^2 \sum_c p^t_c(\tau) \log p^s_c(\tau_s)

  Eq. 2 of the paper; there :math:`\tau_s = \tau`.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    tau: the teacher's temperature > 0, a scalar or `[...]`.
    student_tau: the student's temperature > 0; `tau` if None.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> labels = jnp.array(0)
    >>> print(kd(student, teacher, labels, lam=0.5, tau=4.0))
    8.6897...
  """
  return distillation(
    student_logits,
    labels,
    teacher_labels.softmax(teacher_logits, tau),
    lam=lam,
    tau=tau if student_tau is None else student_tau,
  )


def ats(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  tau1: jax.typing.ArrayLike,
  tau2: jax.typing.ArrayLike,
  student_tau: jax.typing.ArrayLike = 1.0,
) -> jax.Array:
  r"""Distillation with asymmetric temperature scaling.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1)
           - \lambda \tau_s^2 \sum_c p^t_c(\tau_1, \tau_2) \log p^s_c(\tau_s)

  Eq. 9 in Eq. 2 of the paper; :math:`\tau_s = 1` is the authors' choice.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    tau1: the teacher's temperature > 0 on the label's class.
    tau2: the teacher's temperature > 0 on all other classes.
    student_tau: the student's temperature > 0.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> labels = jnp.array(0)
    >>> loss = ats(student, teacher, labels, lam=0.5, tau1=4.0, tau2=3.0)
    >>> print(loss)
    0.7973...
  """
  return distillation(
    student_logits,
    labels,
    teacher_labels.asymmetric_softmax(teacher_logits, labels, tau1, tau2),
    lam=lam,
    tau=student_tau,
  )


def isats(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  grid: tuple[float, ...] | jax.Array = teacher_labels.ISATS_GRID,
  gap: jax.typing.ArrayLike = 1.0,
  student_tau: jax.typing.ArrayLike = 1.0,
) -> jax.Array:
  r"""Distillation with instance-specific asymmetric temperatures.

  :func:`ats` under the temperatures of :func:`isats_temperatures` (section 5.3
  of the paper).

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    grid: temperatures > 0 to search, `[G]`.
    gap: how much larger the temperature of the label's class is.
    student_tau: the student's temperature > 0.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> labels = jnp.array(0)
    >>> print(isats(student, teacher, labels, lam=0.5))
    0.7723...
  """
  tau1, tau2 = teacher_labels.isats_temperatures(teacher_logits, labels, grid, gap)
  return ats(
    student_logits,
    teacher_logits,
    labels,
    lam=lam,
    tau1=tau1,
    tau2=tau2,
    student_tau=student_tau,
  )


def fgcr(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  class_means: jax.Array,
  *,
  lam: jax.typing.ArrayLike,
  tau: jax.typing.ArrayLike,
  alpha: jax.typing.ArrayLike,
  student_tau: jax.typing.ArrayLike | None = None,
) -> jax.Array:
  r"""Distillation with fused global class relations.

  .. math::
    \hat p(x; \tau) = (1 - \alpha) p(x; \tau)
                      + \alpha E_{x' : y' = y}[p(x'; \tau_0)]

  Eq. 7 in Eq. 2 of the paper, with :math:`\alpha \in \{0.1, 0.5\}` and
  :math:`\tau_0 = \tau - 1`.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    class_means: `[C, C]`, from :func:`class_mean_probabilities`.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    tau: the teacher's temperature > 0, a scalar or `[...]`.
    alpha: weight of the class means in [0, 1].
    student_tau: the student's temperature > 0; `tau` if None.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, teacher = jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 1.0]])
    >>> labels = jnp.array([0])
    >>> means = jnp.array([[0.7, 0.3], [0.2, 0.8]])
    >>> loss = fgcr(
    ...   student, teacher, labels, means, lam=1.0, tau=2.0, alpha=0.5
    ... )
    >>> print(loss)
    [2.4652...]
  """
  probs = teacher_labels.softmax(teacher_logits, tau)
  alpha = jnp.asarray(alpha, probs.dtype)
  means = jnp.asarray(class_means, probs.dtype)[labels]
  fused = (1 - alpha) * probs + alpha * means
  return distillation(
    student_logits,
    labels,
    fused,
    lam=lam,
    tau=tau if student_tau is None else student_tau,
  )


def regt(logits: jax.Array, labels: jax.Array, *, beta: jax.typing.ArrayLike) -> jax.Array:
  r"""Regularises a teacher, in training, towards distinct wrong classes.

  .. math::
    \ell = -\log p_y(1) + \beta \left(p_y(1) - \sigma(q(1))\right)

  Eq. 8 of the paper, cross entropy included; :math:`\sigma` is the (population)
  standard deviation of the wrong classes' probabilities,
  :math:`\beta \in \{0.01, 0.001\}`.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    beta: weight of the regularisation, >= 0.

  Returns:
    The loss of each example, `[...]`; where all wrong classes are equal, the
    gradient of the standard deviation is taken as 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([2.0, 1.0, 0.0]), jnp.array(0)
    >>> print(regt(logits, labels, beta=0.01))
    0.4134...
  """
  logits = _numerics.accumulate(logits)
  probs = teacher_labels.softmax(logits)
  confidence = jnp.sum(probs, axis=-1, where=_numerics.is_label(labels, probs.shape[-1]))
  deviation = _numerics.safe_sqrt(_numerics.wrong_class_variance(probs, labels))
  beta = jnp.asarray(beta, probs.dtype)
  return cross_entropy(logits, labels) + beta * (confidence - deviation)


def dkd(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  alpha: jax.typing.ArrayLike,
  beta: jax.typing.ArrayLike,
  tau: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Decoupled knowledge distillation, without its cross entropy.

  .. math::
    \ell = \tau^2 \left( \alpha\, KL(b^t \| b^s)
                         + \beta\, KL(\tilde q^t \| \tilde q^s) \right)

  Zhao et al., *Decoupled Knowledge Distillation*, CVPR 2022: :math:`b` is the
  pair (label's class, all others) and :math:`\tilde q` the softmax over the
  wrong classes alone, both at :math:`\tau`. The method adds the cross entropy.

  Args:
    student_logits: `[..., C]`, any floating dtype.
    teacher_logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    alpha: weight of the target-class term, >= 0; 1 in the original.
    beta: weight of the wrong-class term, >= 0; mostly 8 in the original.
    tau: temperature > 0; 4 in the original.

  Returns:
    The loss of each example, `[...]`, >= 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> labels = jnp.array(0)
    >>> loss = dkd(student, teacher, labels, alpha=1.0, beta=8.0, tau=4.0)
    >>> print(loss)
    0.9774...
  """
  right = _numerics.is_label(labels, jnp.shape(student_logits)[-1])

  def decouple(logits):
    log_probs = _numerics.log_softmax(logits, tau)
    pair = jnp.stack(
      [
        jnp.sum(log_probs, axis=-1, where=right),
        jax.nn.logsumexp(log_probs, axis=-1, where=~right),
      ],
      axis=-1,
    )
    rest = jax.nn.log_softmax(jnp.where(right, -jnp.inf, log_probs), axis=-1)
    return pair, jnp.where(right, 0.0, rest)

  def divergence(teacher, student):
    return jnp.exp(teacher) * (teacher - student)

  student_pair, student_rest = decouple(student_logits)
  teacher_pair, teacher_rest = decouple(teacher_logits)
  target = jnp.sum(divergence(teacher_pair, student_pair), axis=-1)
  rest = jnp.sum(divergence(teacher_rest, student_rest), axis=-1)
  tau, alpha, beta = (jnp.asarray(v, target.dtype) for v in (tau, alpha, beta))
  return jnp.square(tau) * (alpha * target + beta * rest)
