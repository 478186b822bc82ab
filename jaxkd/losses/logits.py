"""Losses on logits: cross entropy, and distillation from a teacher's label."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses import _checks, _numerics
from jaxkd.losses import labels as teacher_labels


def cross_entropy(logits: Array, labels: Array, *, ignore_label: int | None = None) -> Array:
  r"""Cross entropy, `[...]`, >= 0, of logits `[..., C]` with integer labels `[...]`.

  .. math::
    \ell = -\log p_y(1)

  Examples with the label `ignore_label` have loss 0.

  Examples:
    >>> print(cross_entropy(jnp.array([[0.0, 0.0]]), jnp.array([1])))
    [0.6931...]
  """
  _checks.logits(logits=logits)
  checked = _checks.labels(labels, logits, ignore_label)
  log_probs = _numerics.log_softmax(checked.blank(logits), 1.0)
  chosen = jnp.take_along_axis(log_probs, checked.own[..., None], axis=-1, mode="clip")
  return checked.mark(-chosen[..., 0])


def distillation(
  student_logits: Array,
  labels: Array,
  teacher_probs: Array,
  *,
  lam: ArrayLike,
  tau: ArrayLike,
  ignore_label: int | None = None,
) -> Array:
  r"""Distillation from any label `teacher_probs`, `[..., C]`, that a teacher gives.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1) - \lambda \tau^2 \sum_c p^t_c \log p^s_c(\tau)

  Eq. 2 of the paper with the teacher's label as an argument. The soft term is a cross entropy, not
  a divergence: it differs from KL by the entropy of `teacher_probs`, which has no gradient in the
  student. `tau` is the student's temperature; the other arguments are as in :func:`kd`.

  Examples:
    >>> logits, labels = jnp.array([1.0, 0.0, -1.0]), jnp.array(0)
    >>> soft_label = jnp.array([0.6, 0.3, 0.1])
    >>> print(distillation(logits, labels, soft_label, lam=0.5, tau=1.0))
    0.6576...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_probs=teacher_probs)
  _checks.temperatures(examples, tau=tau)
  _checks.per_example(examples, lam=lam)
  checked = _checks.labels(labels, student_logits, ignore_label)
  # Cast once: the gradients of both terms are then added before rounding.
  student_logits = checked.blank(student_logits)
  hard = cross_entropy(student_logits, checked.own)
  log_probs = _numerics.log_softmax(student_logits, tau)
  teacher_probs = checked.blank(teacher_probs).astype(log_probs.dtype)
  soft = _numerics.cross_entropy(teacher_probs, log_probs)
  lam, tau = (jnp.asarray(value, hard.dtype) for value in (lam, tau))
  return checked.mark((1 - lam) * hard + lam * jnp.square(tau) * soft)


def divergence(student_logits: Array, teacher_logits: Array, *, tau: ArrayLike = 1.0) -> Array:
  r"""Divergence of the student's probabilities from the teacher's, without labels.

  .. math::
    \ell = \tau^2 \sum_c p^t_c(\tau) \left(\log p^t_c(\tau) - \log p^s_c(\tau)\right)

  This is :func:`kd` with lam = 1, less the entropy of the teacher's probabilities: its gradient in
  the student is the same, and it is 0 where the networks agree. Logits are `[..., C]`, the
  temperature > 0 is a scalar or `[...]`. Returns the loss of each example, `[...]`, >= 0.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> print(divergence(student, teacher, tau=4.0))
    0.0868...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau=tau)
  student, teacher = (_numerics.log_softmax(x, tau) for x in (student_logits, teacher_logits))
  return jnp.square(jnp.asarray(tau, student.dtype)) * _numerics.divergence(teacher, student)


def kd(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  lam: ArrayLike,
  tau: ArrayLike,
  student_tau: ArrayLike | None = None,
  ignore_label: int | None = None,
) -> Array:
  r"""Knowledge distillation: one temperature for all classes.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1) - \lambda \tau_s^2 \sum_c p^t_c(\tau) \log p^s_c(\tau_s)

  Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*, 2015; Eq. 2 of the
  paper, there with :math:`\tau_s = \tau`.

  Args:
    student_logits: `[..., C]`.
    teacher_logits: `[..., C]`.
    labels: `[...]`, integers in `[0, C)`.
    lam: weight of the soft term in [0, 1], a scalar or `[...]`.
    tau: the teacher's temperature > 0, a scalar or `[...]`.
    student_tau: the student's temperature > 0, a scalar or `[...]`; `tau` if None.
    ignore_label: examples with this label have loss 0.

  Returns:
    The loss of each example, `[...]`.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> print(kd(student, teacher, jnp.array(0), lam=0.5, tau=4.0))
    8.6897...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau=tau, student_tau=student_tau)
  probs = teacher_labels.softmax(teacher_logits, tau)
  tau = tau if student_tau is None else student_tau
  return distillation(student_logits, labels, probs, lam=lam, tau=tau, ignore_label=ignore_label)


def ats(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  lam: ArrayLike,
  tau1: ArrayLike,
  tau2: ArrayLike,
  student_tau: ArrayLike = 1.0,
  ignore_label: int | None = None,
) -> Array:
  r"""Distillation with asymmetric temperature scaling.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1)
           - \lambda \tau_s^2 \sum_c p^t_c(\tau_1, \tau_2) \log p^s_c(\tau_s)

  Eq. 9 in Eq. 2 of the paper; :math:`\tau_s = 1` is the authors' choice. The arguments are as in
  :func:`kd`, with the teacher's temperatures `tau1` of the label's class and `tau2` of all other
  classes, scalars or `[...]`.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> print(ats(student, teacher, jnp.array(0), lam=0.5, tau1=4.0, tau2=3.0))
    0.7973...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau1=tau1, tau2=tau2, student_tau=student_tau)
  own = _checks.labels(labels, student_logits, ignore_label).own
  probs = teacher_labels.asymmetric_softmax(teacher_logits, own, tau1, tau2)
  return distillation(
    student_logits, labels, probs, lam=lam, tau=student_tau, ignore_label=ignore_label
  )


def isats(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  lam: ArrayLike,
  grid: tuple[float, ...] | Array = teacher_labels.ISATS_GRID,
  gap: ArrayLike = 1.0,
  student_tau: ArrayLike = 1.0,
  ignore_label: int | None = None,
) -> Array:
  r"""Distillation with instance-specific asymmetric temperatures.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1) - \lambda \tau_s^2
           \sum_c p^t_c(\tau^\star(x) + \text{gap}, \tau^\star(x)) \log p^s_c(\tau_s)

  Section 5.3 of the paper: :func:`ats` with :func:`isats_temperatures`, which explains `grid`,
  temperatures > 0 `[G]`, and `gap`, a scalar or `[...]`.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> print(isats(student, teacher, jnp.array(0), lam=0.5))
    0.7723...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, student_tau=student_tau)
  own = _checks.labels(labels, student_logits, ignore_label).own
  tau1, tau2 = teacher_labels.isats_temperatures(teacher_logits, own, grid, gap)
  probs = teacher_labels.asymmetric_softmax(teacher_logits, own, tau1, tau2)
  return distillation(
    student_logits, labels, probs, lam=lam, tau=student_tau, ignore_label=ignore_label
  )


def fgcr(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  class_means: Array,
  *,
  lam: ArrayLike,
  tau: ArrayLike,
  alpha: ArrayLike,
  student_tau: ArrayLike | None = None,
  ignore_label: int | None = None,
) -> Array:
  r"""Distillation with fused global class relations.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y(1)
           - \lambda \tau_s^2 \sum_c \hat p^t_c(\tau) \log p^s_c(\tau_s)

  Eq. 7 in Eq. 2 of the paper: the label is :func:`fused_probabilities`, which explains
  `class_means` `[C, C]` and `alpha`. The other arguments are as in :func:`kd`.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0]]), jnp.array([[3.0, 1.0]])
    >>> means = jnp.array([[0.7, 0.3], [0.2, 0.8]])
    >>> labels = jnp.array([0])
    >>> print(fgcr(student, teacher, labels, means, lam=1.0, tau=2.0, alpha=0.5))
    [2.4652...]
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau=tau, student_tau=student_tau)
  own = _checks.labels(labels, student_logits, ignore_label).own
  probs = teacher_labels.fused_probabilities(teacher_logits, own, class_means, tau=tau, alpha=alpha)
  tau = tau if student_tau is None else student_tau
  return distillation(student_logits, labels, probs, lam=lam, tau=tau, ignore_label=ignore_label)


def regt(
  logits: Array, labels: Array, *, beta: ArrayLike, ignore_label: int | None = None
) -> Array:
  r"""Regularises a teacher in training towards distinct wrong classes.

  .. math::
    \ell = -\log p_y(1) + \beta \left(p_y(1) - \sigma(q(1))\right)

  Eq. 8 of the paper, cross entropy included; :math:`\sigma` is the (population) standard deviation
  of the wrong classes' probabilities, without masked classes. If all wrong classes are equal, its
  gradient is 0. `beta` >= 0, a scalar or `[...]`, is 0.01 or 0.001 in the paper. The other
  arguments are as in :func:`cross_entropy`.

  Examples:
    >>> logits, labels = jnp.array([2.0, 1.0, 0.0]), jnp.array(0)
    >>> print(regt(logits, labels, beta=0.01))
    0.4134...
  """
  _checks.per_example(_checks.logits(logits=logits), beta=beta)
  checked = _checks.labels(labels, logits, ignore_label)
  logits = checked.blank(logits)
  probs = teacher_labels.softmax(logits)
  confidence = jnp.sum(probs, axis=-1, where=checked.right)
  wrong = ~checked.right & ~jnp.isneginf(logits)
  deviation = _numerics.safe_sqrt(_numerics.variance(probs, wrong))
  hard = cross_entropy(logits, checked.own)
  return checked.mark(hard + jnp.asarray(beta, probs.dtype) * (confidence - deviation))


def dkd(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  alpha: ArrayLike,
  beta: ArrayLike,
  tau: ArrayLike,
  ignore_label: int | None = None,
) -> Array:
  r"""Decoupled knowledge distillation, without its cross entropy.

  .. math::
    \ell = \tau^2 (\alpha\, KL(b^t \| b^s) + \beta\, KL(\tilde q^t \| \tilde q^s))

  Zhao et al., *Decoupled Knowledge Distillation*, CVPR 2022: :math:`b` is the pair (label's class,
  all others) and :math:`\tilde q` the softmax over the wrong classes alone, both at :math:`\tau`.
  The method adds the cross entropy. The weights `alpha` and `beta` >= 0 and the temperature `tau`
  are scalars or `[...]`; the original has 1, mostly 8, and 4. The other arguments are as in
  :func:`kd`. Returns the loss of each example, `[...]`, >= 0.

  Examples:
    >>> student, teacher = jnp.array([[1.0, 0.0, -1.0], [3.0, 2.0, 0.0]])
    >>> print(dkd(student, teacher, jnp.array(0), alpha=1.0, beta=8.0, tau=4.0))
    0.9774...
  """
  examples = _checks.logits(student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures(examples, tau=tau)
  _checks.per_example(examples, alpha=alpha, beta=beta)
  checked = _checks.labels(labels, student_logits, ignore_label)
  right = checked.right

  def decouple(logits):
    log_probs = _numerics.log_softmax(checked.blank(logits), tau)
    own = jnp.sum(log_probs, axis=-1, where=right)
    others = jax.nn.logsumexp(log_probs, axis=-1, where=~right)
    rest = jax.nn.log_softmax(jnp.where(right, -jnp.inf, log_probs), axis=-1)
    return jnp.stack([own, others], axis=-1), rest

  student, teacher = decouple(student_logits), decouple(teacher_logits)
  target, rest = map(_numerics.divergence, teacher, student)
  tau, alpha, beta = (jnp.asarray(v, target.dtype) for v in (tau, alpha, beta))
  return checked.mark(jnp.square(tau) * (alpha * target + beta * rest))
