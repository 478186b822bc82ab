"""The teacher's label: softmax under uniform and asymmetric temperatures."""

import jax
import jax.numpy as jnp

from jaxkd.losses import _numerics

ISATS_GRID = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Temperatures that the paper searches for each instance (section 5.3)."""


def softmax(logits: jax.Array, tau: jax.typing.ArrayLike = 1.0) -> jax.Array:
  r"""Softmax at a temperature.

  .. math::
    p_c(\tau) = \frac{\exp(f_c / \tau)}{\sum_j \exp(f_j / \tau)}

  Eq. 1 of Fan, Li and Zhan, *Exploring Dark Knowledge under Various Teacher
  Capacities and Addressing Capacity Mismatch* ("the paper" below).

  Args:
    logits: `[..., C]`, any floating dtype.
    tau: temperature > 0, a scalar or per example `[...]`.

  Returns:
    Probabilities `[..., C]`, float32 (float64 for float64 logits).

  Examples:
    >>> import jax.numpy as jnp
    >>> print(softmax(jnp.array([2.0, 0.0]), tau=2.0))
    [0.7310... 0.2689...]
  """
  return jnp.exp(_numerics.log_softmax(logits, tau))


def log_asymmetric_softmax(
  logits: jax.Array,
  labels: jax.Array,
  tau1: jax.typing.ArrayLike,
  tau2: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Logarithm of :func:`asymmetric_softmax`, computed without leaving it.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    tau1: temperature > 0 of the label's class, a scalar or `[...]`.
    tau2: temperature > 0 of all other classes, a scalar or `[...]`.

  Returns:
    Log-probabilities `[..., C]`, float32 (float64 for float64 logits).

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([4.0, 2.0, 0.0]), jnp.array(0)
    >>> log_probs = log_asymmetric_softmax(logits, labels, tau1=4.0, tau2=2.0)
    >>> print(log_probs)
    [-0.8619... -0.8619... -1.8619...]
  """
  logits = _numerics.accumulate(logits)
  scaled = jnp.where(
    _numerics.is_label(labels, logits.shape[-1]),
    logits / _numerics.over_classes(tau1, logits),
    logits / _numerics.over_classes(tau2, logits),
  )
  return jax.nn.log_softmax(scaled, axis=-1)


def asymmetric_softmax(
  logits: jax.Array,
  labels: jax.Array,
  tau1: jax.typing.ArrayLike,
  tau2: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Softmax with one temperature for the label's class, one for the others.

  .. math::
    p_c(\tau_1, \tau_2) =
      \frac{\exp(f_c / \tau_c)}{\sum_j \exp(f_j / \tau_j)}, \quad
    \tau_c = \tau_1 \text{ if } c = y \text{ else } \tau_2

  Eq. 9 of the paper; Li et al., *Asymmetric Temperature Scaling Makes Larger
  Networks Teach Well Again*, NeurIPS 2022, recommend
  :math:`\tau_1 - \tau_2 \in [1, 2]`. Where the two differ, adding a constant to
  all logits does change the result, unlike in a softmax.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    tau1: temperature > 0 of the label's class, a scalar or `[...]`.
    tau2: temperature > 0 of all other classes, a scalar or `[...]`.

  Returns:
    Probabilities `[..., C]`, float32 (float64 for float64 logits).

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([4.0, 2.0, 0.0]), jnp.array(0)
    >>> probs = asymmetric_softmax(logits, labels, tau1=4.0, tau2=2.0)
    >>> print(probs)
    [0.4223... 0.4223... 0.1553...]
  """
  return jnp.exp(log_asymmetric_softmax(logits, labels, tau1, tau2))


def _log_wrong_class_variance(log_probs: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns `log v(q)`, `[...]`; -inf where all wrong classes are equal.

  Relative to the largest wrong-class probability, so that neither tiny
  probabilities nor their squares underflow.
  """
  wrong = ~_numerics.is_label(labels, log_probs.shape[-1])
  largest = jnp.max(log_probs, axis=-1, where=wrong, initial=-jnp.inf)
  relative = jnp.where(wrong, jnp.expm1(log_probs - largest[..., None]), 0.0)
  return 2 * largest + jnp.log(_numerics.wrong_class_variance(relative, labels))


def optimal_temperature(
  logits: jax.Array,
  labels: jax.Array,
  grid: tuple[float, ...] | jax.Array = ISATS_GRID,
) -> jax.Array:
  r"""Finds each instance's most discriminative temperature.

  .. math::
    \tau^\star(x) = \arg\max_{\tau \in \text{grid}} v(q(x; \tau))

  Eq. 10 of the paper: :math:`q` are the probabilities of the wrong classes and
  :math:`v` the variance of their entries. One pass, vectorised over the grid.
  Ties go to the smaller temperature. With C = 2 there is one wrong class, every
  variance is 0 and the answer is the smallest temperature.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    grid: temperatures > 0, `[G]`, in any order.

  Returns:
    `[...]`, an element of the grid for each example; piecewise constant in the
    logits, so its gradient is 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> confident = jnp.array([20.0, 8.0, 4.0, 0.0])
    >>> hesitant = jnp.array([2.0, 1.0, 0.5, 0.0])
    >>> logits, labels = jnp.stack([confident, hesitant]), jnp.array([0, 0])
    >>> print(optimal_temperature(logits, labels))
    [8. 1.]
  """
  logits = _numerics.accumulate(logits)
  taus = jnp.sort(jnp.asarray(grid, logits.dtype))
  log_variances = jax.vmap(
    lambda tau: _log_wrong_class_variance(_numerics.log_softmax(logits, tau), labels)
  )(taus)
  return taus[jnp.argmax(log_variances, axis=0)]


def isats_temperatures(
  logits: jax.Array,
  labels: jax.Array,
  grid: tuple[float, ...] | jax.Array = ISATS_GRID,
  gap: jax.typing.ArrayLike = 1.0,
) -> tuple[jax.Array, jax.Array]:
  r"""Instance-specific asymmetric temperatures.

  .. math::
    \tau_1(x) = \tau^\star(x) + \text{gap}, \quad \tau_2(x) = \tau^\star(x)

  Section 5.3 of the paper, with :func:`optimal_temperature` for
  :math:`\tau^\star`.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers in `[0, C)`.
    grid: temperatures > 0, `[G]`.
    gap: how much larger the temperature of the label's class is; 1 in the
      paper.

  Returns:
    `(tau1, tau2)`, each `[...]`.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([2.0, 1.0, 0.5, 0.0]), jnp.array(0)
    >>> tau1, tau2 = isats_temperatures(logits, labels)
    >>> print(tau1, tau2)
    2.0 1.0
  """
  tau2 = optimal_temperature(logits, labels, grid)
  return tau2 + jnp.asarray(gap, tau2.dtype), tau2


def standardize(logits: jax.Array) -> jax.Array:
  r"""Brings each example's logits to mean 0 and standard deviation 1.

  .. math::
    z_c = \frac{f_c - \bar f}{\sigma(f)}

  Sun et al., *Logit Standardization in Knowledge Distillation*, CVPR 2024: the
  soft term then compares the order and relative distances of the classes, not
  the scale of the logits. For both networks, in any loss on their logits; the
  cross entropy keeps the logits as they are. The original adds 9 times
  `kd(standardize(student), standardize(teacher), labels, lam=1.0, tau=2.0)` to
  0.1 times the cross entropy, or 9 times `dkd` of the same to the whole of it;
  its code takes the deviation over C - 1.

  Args:
    logits: `[..., C]`, any floating dtype.

  Returns:
    `[..., C]`, float32 (float64 for float64 logits); zeros, with gradient 0,
    where all logits are equal.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(standardize(jnp.array([[3.0, 1.0], [7.0, 7.0]])))
    [[ 1. -1.]
     [ 0.  0.]]
  """
  logits = _numerics.accumulate(logits)
  # The largest first: equal logits are then exactly 0, whatever their mean.
  shifted = logits - jnp.max(logits, axis=-1, keepdims=True)
  centred = shifted - jnp.mean(shifted, axis=-1, keepdims=True)
  deviation = _numerics.safe_sqrt(jnp.mean(jnp.square(centred), axis=-1, keepdims=True))
  varied = deviation > 0
  return jnp.where(varied, centred / jnp.where(varied, deviation, 1.0), 0.0)


def class_mean_probabilities(
  logits: jax.Array,
  labels: jax.Array,
  num_classes: int,
  tau: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Mean softened probabilities of the examples of each class.

  .. math::
    \bar p_c = E_{x : y = c}[p(x; \tau)]

  The second term of Eq. 7 of the paper, there over the training split at
  :math:`\tau_0 = \tau - 1`.

  Args:
    logits: `[..., C]`, any floating dtype.
    labels: `[...]`, integers; examples with one outside of `[0, num_classes)`
      are left out.
    num_classes: number of rows of the result.
    tau: temperature > 0, a scalar or `[...]`.

  Returns:
    `[num_classes, C]`; a class without examples gets a row of zeros.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits = jnp.array([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> labels = jnp.array([0, 1, 1])
    >>> print(class_mean_probabilities(logits, labels, 2, tau=2.0))
    [[0.7310... 0.2689...]
     [0.3844... 0.6155...]]
  """
  probs = softmax(logits, tau)
  probs = probs.reshape(-1, probs.shape[-1])
  labels = jnp.ravel(labels)
  sums = jax.ops.segment_sum(probs, labels, num_classes)
  counts = jax.ops.segment_sum(jnp.ones_like(probs[:, :1]), labels, num_classes)
  return sums / jnp.maximum(counts, 1)
