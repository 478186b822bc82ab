"""Losses on the relations within a batch, and on features."""

import jax
import jax.numpy as jnp
import optax

from jaxkd.losses import _numerics
from jaxkd.losses import labels as teacher_labels
from jaxkd.losses import logits as logit_losses

# From the authors' code: a class that hardly varies over the batch counts as
# uncorrelated instead of adding its rounding errors to the mean.
_DIST_EPSILON = 1e-8


def _pearson_distance(a: jax.Array, b: jax.Array) -> jax.Array:
  """Returns 1 - the mean Pearson correlation of the rows of `[M, N]` arrays."""
  a = a - jnp.mean(a, axis=-1, keepdims=True)
  b = b - jnp.mean(b, axis=-1, keepdims=True)
  norms = _numerics.safe_norm(a) * _numerics.safe_norm(b)
  return 1 - jnp.mean(jnp.sum(a * b, axis=-1) / (norms + _DIST_EPSILON))


def dist(
  student_logits: jax.Array,
  teacher_logits: jax.Array,
  labels: jax.Array,
  *,
  beta: jax.typing.ArrayLike,
  gamma: jax.typing.ArrayLike,
  tau: jax.typing.ArrayLike,
) -> jax.Array:
  r"""Matches inter- and intra-class relations instead of probabilities.

  .. math::
    \ell = \frac1B \sum_b -\log p^s_{b, y_b}(1)
         + \tau^2 \left( \beta (1 - \bar\rho_{\text{rows}})
                       + \gamma (1 - \bar\rho_{\text{columns}}) \right)

  Huang et al., *Knowledge Distillation from A Stronger Teacher*, NeurIPS 2022:
  :math:`\bar\rho` are mean Pearson correlations between the student's and the
  teacher's :math:`p(\tau)`, over the rows (examples) and the columns (classes)
  of the batch, with 1e-8 added to their denominators. Original values: beta =
  gamma = 2, tau = 4 on CIFAR-100; 1, 1, 1 on ImageNet.

  Args:
    student_logits: `[B, C]`, any floating dtype.
    teacher_logits: `[B, C]`, any floating dtype.
    labels: `[B]`, integers in `[0, C)`.
    beta: weight of the inter-class relation, >= 0.
    gamma: weight of the intra-class relation, >= 0.
    tau: temperature > 0, a scalar.

  Returns:
    The loss of the batch, a scalar: the columns tie its examples together.

  Examples:
    >>> import jax.numpy as jnp
    >>> logits, labels = jnp.array([[2.0, 0.0], [0.0, 1.0]]), jnp.array([0, 1])
    >>> loss = dist(logits, 2 * logits, labels, beta=1.0, gamma=1.0, tau=1.0)
    >>> print(loss)
    0.2200...
  """
  student_logits = _numerics.accumulate(student_logits)
  student_probs = teacher_labels.softmax(student_logits, tau)
  teacher_probs = teacher_labels.softmax(teacher_logits, tau)
  inter = _pearson_distance(student_probs, teacher_probs)
  intra = _pearson_distance(student_probs.T, teacher_probs.T)
  tau, beta, gamma = (jnp.asarray(v, inter.dtype) for v in (tau, beta, gamma))
  hard = jnp.mean(logit_losses.cross_entropy(student_logits, labels))
  return hard + jnp.square(tau) * (beta * inter + gamma * intra)


def fitnet(student_features: jax.Array, teacher_features: jax.Array) -> jax.Array:
  r"""Mean squared error between features of equal shape.

  .. math::
    \ell = \frac1D \| h^s - h^t \|^2

  Romero et al., *FitNets: Hints for Thin Deep Nets*, ICLR 2015. A regressor,
  which is the method's, first brings the student's features to the teacher's
  shape.

  Args:
    student_features: `[B, ...]`, any floating dtype.
    teacher_features: `[B, ...]`, of the same shape.

  Returns:
    The loss of each example, `[B]`: the mean over all of its entries.

  Raises:
    ValueError: the shapes differ.

  Examples:
    >>> import jax.numpy as jnp
    >>> print(fitnet(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])))
    [2.]
  """
  if student_features.shape != teacher_features.shape:
    raise ValueError(
      f"fitnet: the student's features are {student_features.shape}, the "
      f"teacher's {teacher_features.shape}; regress them to one shape first"
    )
  student = _numerics.accumulate(student_features)
  teacher = _numerics.accumulate(teacher_features)
  return jnp.mean(jnp.square(student - teacher), axis=tuple(range(1, student.ndim)))


def _attention(features: jax.Array) -> jax.Array:
  """Returns the normalised attention map of `[B, H, W, D]`: `[B, H * W]`."""
  features = _numerics.accumulate(features)
  energy = jnp.mean(jnp.square(features), axis=-1)
  energy = energy.reshape(energy.shape[0], -1)
  norm = _numerics.safe_norm(energy, keepdims=True)
  return energy / jnp.where(norm > 0, norm, 1.0)


def at(student_features: jax.Array, teacher_features: jax.Array) -> jax.Array:
  r"""Attention transfer: where a stage is active, not by which channels.

  .. math::
    \ell = \frac{1}{HW} \left\| \frac{a^s}{\|a^s\|}
           - \frac{a^t}{\|a^t\|} \right\|^2, \quad
    a_{ij} = \frac1D \sum_d h_{ijd}^2

  Zagoruyko and Komodakis, *Paying More Attention to Attention*, ICLR 2017, for
  one stage; the method sums over the stages, with weight 1000 in the toolkits.

  Args:
    student_features: `[B, H, W, D]`, any floating dtype.
    teacher_features: `[B, H, W, D']`; D' may differ from D.

  Returns:
    The loss of each example, `[B]`, >= 0.

  Raises:
    ValueError: batch, height or width differ.

  Examples:
    >>> import jax.numpy as jnp
    >>> left = jnp.array([[[[1.0], [0.0]]]])
    >>> right = jnp.array([[[[0.0, 0.0], [3.0, 4.0]]]])
    >>> print(at(left, right))
    [1.]
  """
  if student_features.shape[:-1] != teacher_features.shape[:-1]:
    raise ValueError(
      f"at: the student's features are {student_features.shape}, the "
      f"teacher's {teacher_features.shape}; only the channels may differ"
    )
  difference = _attention(student_features) - _attention(teacher_features)
  return jnp.mean(jnp.square(difference), axis=-1)


def _relative_distances_and_angles(
  features: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Returns `[B, B]` distances over their mean, `[B, B, B]` cosines."""
  features = _numerics.accumulate(features)
  differences = features[None, :, :] - features[:, None, :]
  lengths = _numerics.safe_norm(differences, keepdims=True)
  apart = lengths > 0
  units = jnp.where(apart, differences / jnp.where(apart, lengths, 1.0), 0.0)
  mean = jnp.sum(lengths) / jnp.maximum(jnp.sum(apart, dtype=lengths.dtype), 1)
  relative = lengths[..., 0] / jnp.where(mean > 0, mean, 1.0)
  cosines = jnp.einsum("ijd,ikd->ijk", units, units, precision="highest")
  return relative, cosines


def rkd(
  student_features: jax.Array,
  teacher_features: jax.Array,
  *,
  distance: jax.typing.ArrayLike = 25.0,
  angle: jax.typing.ArrayLike = 50.0,
) -> jax.Array:
  r"""Relational knowledge distillation: distances and angles within a batch.

  .. math::
    \ell = w_d\, \overline{H(\psi_{ij}^s - \psi_{ij}^t)}
         + w_a\, \overline{H(\cos\angle_{ijk}^s - \cos\angle_{ijk}^t)}

  Park et al., *Relational Knowledge Distillation*, CVPR 2019: :math:`\psi` are
  pairwise distances over their mean, :math:`H` the Huber loss with threshold 1,
  bars the means over all pairs and all triplets. Memory grows as
  :math:`B^2 D + B^3`.

  Args:
    student_features: penultimate features `[B, D]`, any floating dtype.
    teacher_features: `[B, D']`; D' may differ from D.
    distance: weight of the distances, >= 0; 25 in the original.
    angle: weight of the angles, >= 0; 50 in the original.

  Returns:
    The loss of the batch, a scalar >= 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> features = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> print(f"{rkd(features, 3 * features):.4f}")
    0.0000
  """
  student_psi, student_cosines = _relative_distances_and_angles(student_features)
  teacher_psi, teacher_cosines = _relative_distances_and_angles(teacher_features)
  distance_loss = jnp.mean(optax.losses.huber_loss(student_psi, teacher_psi))
  angle_loss = jnp.mean(optax.losses.huber_loss(student_cosines, teacher_cosines))
  distance, angle = (jnp.asarray(v, distance_loss.dtype) for v in (distance, angle))
  return distance * distance_loss + angle * angle_loss
