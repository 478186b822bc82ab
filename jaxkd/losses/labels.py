"""The teacher's label: softmax under uniform and asymmetric temperatures."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses import _checks, _numerics

ISATS_GRID = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Temperatures that the paper searches for each instance (section 5.3)."""


def softmax(logits: Array, tau: ArrayLike = 1.0) -> Array:
  r"""Probabilities `[..., C]` of logits `[..., C]` at a temperature.

  .. math::
    p_c(\tau) = \frac{\exp(f_c / \tau)}{\sum_j \exp(f_j / \tau)}

  Eq. 1 of the paper. `tau` > 0 is a scalar or `[...]`.

  Examples:
    >>> print(softmax(jnp.array([2.0, 0.0]), tau=2.0))
    [0.7310... 0.2689...]
  """
  _checks.temperatures(_checks.logits(logits=logits), tau=tau)
  return jnp.exp(_numerics.log_softmax(logits, tau))


def log_asymmetric_softmax(logits: Array, labels: Array, tau1: ArrayLike, tau2: ArrayLike) -> Array:
  r"""Logarithm of :func:`asymmetric_softmax`, computed in log space.

  .. math::
    \log p_c(\tau_1, \tau_2) = f_c / \tau_c - \log \sum_j \exp(f_j / \tau_j)

  The arguments are the same. The result, `[..., C]`, is -inf for masked classes.

  Examples:
    >>> logits, labels = jnp.array([4.0, 2.0, 0.0]), jnp.array(0)
    >>> print(log_asymmetric_softmax(logits, labels, tau1=4.0, tau2=2.0))
    [-0.8619... -0.8619... -1.8619...]
  """
  _checks.temperatures(_checks.logits(logits=logits), tau1=tau1, tau2=tau2)
  checked = _checks.labels(labels, logits)
  logits = _numerics.accumulate(logits)
  tau1, tau2 = (_numerics.over_classes(tau, logits) for tau in (tau1, tau2))
  scaled = _numerics.over_temperature(logits, jnp.where(checked.right, tau1, tau2))
  return checked.mark(jax.nn.log_softmax(scaled, axis=-1))


def asymmetric_softmax(logits: Array, labels: Array, tau1: ArrayLike, tau2: ArrayLike) -> Array:
  r"""Softmax with one temperature for the label's class and one for the others.

  .. math::
    p_c(\tau_1, \tau_2) = \frac{\exp(f_c / \tau_c)}{\sum_j \exp(f_j / \tau_j)}, \quad
    \tau_c = \tau_1 \text{ if } c = y \text{ else } \tau_2

  Eq. 9 of the paper; Li et al., *Asymmetric Temperature Scaling Makes Larger Networks Teach Well
  Again*, NeurIPS 2022, recommend :math:`\tau_1 - \tau_2 \in [1, 2]`. If the two temperatures
  differ, a constant added to all logits changes the result, unlike in a softmax.

  Logits are `[..., C]`, labels `[...]`; `tau1` and `tau2` > 0 are scalars or `[...]`. Returns
  probabilities `[..., C]`.

  Examples:
    >>> logits, labels = jnp.array([4.0, 2.0, 0.0]), jnp.array(0)
    >>> print(asymmetric_softmax(logits, labels, tau1=4.0, tau2=2.0))
    [0.4223... 0.4223... 0.1553...]
  """
  return jnp.exp(log_asymmetric_softmax(logits, labels, tau1, tau2))


def _log_wrong_class_variance(log_probs: Array, right: Array) -> Array:
  """Returns `log v(q)`, `[...]`; -inf if all wrong classes are equal.

  Probabilities are taken relative to the largest of a wrong class: neither small probabilities nor
  their squares underflow.
  """
  wrong = ~right & ~jnp.isneginf(log_probs)
  largest = jnp.max(log_probs, axis=-1, where=wrong, initial=-jnp.inf)
  relative = jnp.where(wrong, jnp.expm1(log_probs - largest[..., None]), 0.0)
  return 2 * largest + jnp.log(_numerics.variance(relative, wrong))


_VMAPPED = 2**20  # logits up to which all temperatures are searched at once


def optimal_temperature(
  logits: Array, labels: Array, grid: tuple[float, ...] | Array = ISATS_GRID
) -> Array:
  r"""Finds each instance's most discriminative temperature.

  .. math::
    \tau^\star(x) = \arg\max_{\tau \in \text{grid}} v(q(x; \tau))

  Eq. 10 of the paper: :math:`q` are the probabilities of the wrong classes and :math:`v` the
  variance of their entries. Masked classes are not counted. Ties go to the smaller temperature:
  with a single wrong class every variance is 0 and the smallest temperature is the answer.

  Logits are `[..., C]`, labels `[...]`; the grid has temperatures > 0, `[G]`, in any order. Returns
  an element of the grid for each example, `[...]`, with gradient 0; NaN for logits not finite.

  Examples:
    >>> confident = jnp.array([20.0, 8.0, 4.0, 0.0])
    >>> hesitant = jnp.array([2.0, 1.0, 0.5, 0.0])
    >>> logits, labels = jnp.stack([confident, hesitant]), jnp.array([0, 0])
    >>> print(optimal_temperature(logits, labels))
    [8. 1.]
  """
  _checks.logits(logits=logits)
  _checks.grid(grid)
  checked = _checks.labels(labels, logits)
  logits = _numerics.accumulate(logits)
  taus = jnp.sort(jnp.asarray(grid, logits.dtype))

  def log_variance(tau: Array) -> Array:
    return _log_wrong_class_variance(_numerics.log_softmax(logits, tau), checked.right)

  # The memory of many large logits must not grow with the grid.
  vmapped = logits.size <= _VMAPPED
  log_variances = jax.vmap(log_variance)(taus) if vmapped else jax.lax.map(log_variance, taus)
  unknown = jnp.any(jnp.isnan(log_variances), axis=0)
  return checked.mark(jnp.where(unknown, jnp.nan, taus[jnp.argmax(log_variances, axis=0)]))


def isats_temperatures(
  logits: Array, labels: Array, grid: tuple[float, ...] | Array = ISATS_GRID, gap: ArrayLike = 1.0
) -> tuple[Array, Array]:
  r"""Instance-specific asymmetric temperatures `(tau1, tau2)`, `[...]` each.

  .. math::
    \tau_1(x) = \tau^\star(x) + \text{gap}, \quad \tau_2(x) = \tau^\star(x)

  Section 5.3 of the paper. :func:`optimal_temperature` gives :math:`\tau^\star` and explains the
  other arguments. `gap` is a scalar or `[...]`; 1 in the paper.

  Examples:
    >>> logits, labels = jnp.array([2.0, 1.0, 0.5, 0.0]), jnp.array(0)
    >>> tau1, tau2 = isats_temperatures(logits, labels)
    >>> print(tau1, tau2)
    2.0 1.0
  """
  _checks.per_example(_checks.logits(logits=logits), gap=gap)
  _checks.grid(grid, gap)
  tau2 = optimal_temperature(logits, labels, grid)
  return tau2 + jnp.asarray(gap, tau2.dtype), tau2


_MARGIN = 0.01  # of scaled logits: the true class is about 1 % more probable than the next one


def guided_temperatures(
  logits: Array, labels: Array, tau1: ArrayLike, tau2: ArrayLike
) -> tuple[Array, Array]:
  r"""Asymmetric temperatures `(tau1, tau2)`, `[...]` each, that keep the true class on top.

  .. math::
    \tau_1'(x) = \frac{f_y}{m / \tau_2 + \delta}
    \text{ if } f_y > m \text{ and } \frac{f_y}{\tau_1} \le \frac{m}{\tau_2},
    \text{ else } \tau_1, \quad m = \max_{c \ne y} f_c, \quad
    \delta = \min\left(0.01, \frac{f_y - m}{\tau_2}\right)

  An extension of this package, not of a paper. :func:`asymmetric_softmax` can give a wrong class
  the largest probability although the teacher is right: with tau1 > tau2 if both logits are
  positive, with tau1 < tau2 if both are negative. Then tau1 moves towards tau2, only as far as
  needed: the true class becomes 1 % more probable than the next one, or as much as at tau1 = tau2
  if that is less. So tau1 stays between the two temperatures. tau2 stays as it is, and with it the
  ratios of the wrong classes' probabilities.

  Nothing changes where the true class is on top already, and where the teacher itself prefers a
  wrong class or two classes equally. The arguments are those of :func:`asymmetric_softmax`.

  Examples:
    >>> logits, labels = jnp.array([6.0, 4.0, 0.0]), jnp.array(0)
    >>> print(asymmetric_softmax(logits, labels, tau1=5.0, tau2=3.0))
    [0.4091... 0.4675... 0.1232...]
    >>> tau1, tau2 = guided_temperatures(logits, labels, tau1=5.0, tau2=3.0)
    >>> print(tau1, tau2)
    4.4665... 3.0
    >>> print(asymmetric_softmax(logits, labels, tau1, tau2))
    [0.4442... 0.4398... 0.1159...]
  """
  examples = _checks.logits(logits=logits)
  _checks.temperatures(examples, tau1=tau1, tau2=tau2)
  checked = _checks.labels(labels, logits)
  logits = _numerics.accumulate(logits)
  tau1, tau2 = (jnp.broadcast_to(jnp.asarray(tau, logits.dtype), examples) for tau in (tau1, tau2))
  own = jnp.sum(logits, axis=-1, where=checked.right)
  rival = jnp.max(logits, axis=-1, where=~checked.right, initial=-jnp.inf)
  lost = (own > rival) & (own / tau1 <= rival / tau2)
  wide = lost & (own - rival > _MARGIN * tau2)
  # Other examples get harmless numbers: the gradients of both branches must be finite.
  own, rival = jnp.where(wide, own, 1.0), jnp.where(wide, rival, 0.0)
  moved = jnp.where(wide, own / (rival / tau2 + _MARGIN), tau2)
  return checked.mark(jnp.where(lost, moved, tau1)), checked.mark(tau2)


def standardize(logits: Array) -> Array:
  r"""Brings each example's logits `[..., C]` to mean 0 and sample standard deviation 1.

  .. math::
    z_c = \frac{f_c - \bar f}{\sigma(f)}, \quad
    \sigma(f)^2 = \frac{1}{C - 1} \sum_c (f_c - \bar f)^2

  Sun et al., *Logit Standardization in Knowledge Distillation*, CVPR 2024, with the deviation of
  the authors' code. The soft term then compares the order and the relative distances of the
  classes, not the scale of the logits. Apply it to both networks in the soft term of any loss; the
  cross entropy keeps the logits. The original adds 9 times `kd(standardize(student),
  standardize(teacher), labels, lam=1.0, tau=2.0)` to 0.1 times the cross entropy, or 9 times `dkd`
  of the same logits to the whole cross entropy. Masked classes are not counted and stay masked.
  Equal logits become zeros, with gradient 0.

  Examples:
    >>> print(standardize(jnp.array([[3.0, 2.0, 1.0], [7.0, 7.0, 7.0]])))
    [[ 1.  0. -1.]
     [ 0.  0.  0.]]
  """
  _checks.logits(logits=logits)
  logits = _numerics.accumulate(logits)
  masked = jnp.isneginf(logits)
  number = jnp.sum(~masked, axis=-1, keepdims=True, dtype=logits.dtype)
  # The largest first: equal logits are then exactly 0, whatever their mean.
  shifted = jnp.where(masked, 0.0, logits - jnp.max(logits, axis=-1, keepdims=True))
  mean = jnp.sum(shifted, axis=-1, keepdims=True) / number
  centred = jnp.where(masked, 0.0, shifted - mean)
  squares = jnp.sum(jnp.square(centred), axis=-1, keepdims=True)
  deviation = _numerics.safe_sqrt(squares / jnp.maximum(number - 1, 1))
  flat = deviation == 0
  scores = jnp.where(flat, 0.0, centred / jnp.where(flat, 1.0, deviation))
  return jnp.where(masked, -jnp.inf, scores)


def class_mean_probabilities(
  logits: Array, labels: Array, num_classes: int, tau: ArrayLike
) -> Array:
  r"""Mean softened probabilities of the examples of each class.

  .. math::
    \bar p_c = E_{x : y = c}[p(x; \tau)]

  The second term of Eq. 7 of the paper, there over the training split at :math:`\tau_0 = \tau - 1`.
  Logits are `[..., C]`, labels `[...]`; `tau` > 0 is a scalar or `[...]`. Returns
  `[num_classes, C]`, zeros for a class without examples. An example with a label outside
  `[0, num_classes)` belongs to no class and is left out.

  Examples:
    >>> logits = jnp.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> print(class_mean_probabilities(logits, jnp.array([0, 1, 1]), 2, tau=2.0))
    [[0.7310... 0.2689...]
     [0.3844... 0.6155...]]
  """
  labels = jnp.ravel(_checks.labels(labels, logits).own)
  probs = softmax(logits, tau)
  probs = probs.reshape(-1, probs.shape[-1])
  sums = jax.ops.segment_sum(probs, labels, num_classes)
  counts = jax.ops.segment_sum(jnp.ones_like(probs[:, :1]), labels, num_classes)
  return sums / jnp.maximum(counts, 1)


def fused_probabilities(
  logits: Array, labels: Array, class_means: Array, *, tau: ArrayLike, alpha: ArrayLike
) -> Array:
  r"""Probabilities `[..., C]` fused with the mean probabilities of the label's class.

  .. math::
    \hat p(x; \tau) = (1 - \alpha) p(x; \tau) + \alpha E_{x' : y' = y}[p(x'; \tau_0)]

  Eq. 7 of the paper, with :math:`\alpha \in \{0.1, 0.5\}` and :math:`\tau_0 = \tau - 1`.
  `class_means`, `[C, C]`, are from :func:`class_mean_probabilities`; their weight `alpha` in [0, 1]
  is a scalar or `[...]`. A masked class must be masked in all examples of the class means.

  Examples:
    >>> logits, labels = jnp.array([[3.0, 1.0]]), jnp.array([0])
    >>> means = jnp.array([[0.7, 0.3], [0.2, 0.8]])
    >>> print(fused_probabilities(logits, labels, means, tau=2.0, alpha=0.5))
    [[0.7155... 0.2844...]]
  """
  examples = _checks.logits(logits=logits)
  _checks.temperatures(examples, tau=tau)
  _checks.per_example(examples, alpha=alpha)
  checked = _checks.labels(labels, logits)
  _checks.class_means(class_means, logits)
  probs = softmax(logits, tau)
  alpha = _numerics.over_classes(alpha, probs)
  means = jnp.asarray(class_means, probs.dtype)[checked.own]
  return checked.mark((1 - alpha) * probs + alpha * means)
