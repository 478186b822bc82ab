"""Losses on the relations within a batch, and on features."""

import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxkd.losses import _checks, _numerics
from jaxkd.losses import labels as teacher_labels
from jaxkd.losses import logits as logit_losses

# From the authors' code: a class that hardly varies over the batch counts as
# uncorrelated instead of adding its rounding errors to the mean.
_DIST_EPSILON = 1e-8


def _pearson_distance(a: Array, b: Array, where: Array) -> Array:
  """Returns 1 - the mean Pearson correlation of the rows of `[M, N]`; empty rows are left out."""
  number = jnp.sum(where, axis=-1, keepdims=True, dtype=a.dtype)

  def centred(x):
    mean = jnp.sum(x, axis=-1, keepdims=True, where=where) / jnp.maximum(number, 1)
    return jnp.where(where, x - mean, 0.0)

  a, b = centred(a), centred(b)
  norms = _numerics.safe_norm(a) * _numerics.safe_norm(b)
  correlations = jnp.sum(a * b, axis=-1) / (norms + _DIST_EPSILON)
  rows = jnp.sum(number > 0, dtype=a.dtype)
  return 1 - jnp.sum(correlations) / jnp.maximum(rows, 1)


def dist(
  student_logits: Array,
  teacher_logits: Array,
  labels: Array,
  *,
  beta: ArrayLike,
  gamma: ArrayLike,
  tau: ArrayLike,
  ignore_label: int | None = None,
) -> Array:
  r"""Matches inter- and intra-class relations instead of probabilities.

  .. math::
    \ell = \frac1B \sum_b -\log p^s_{b, y_b}(1) + \tau^2 \left(
      \beta (1 - \bar\rho_{\text{rows}}) + \gamma (1 - \bar\rho_{\text{columns}}) \right)

  Huang et al., *Knowledge Distillation from A Stronger Teacher*, NeurIPS 2022: :math:`\bar\rho` are
  mean Pearson correlations between the student's and the teacher's :math:`p(\tau)`, over the rows
  (examples) and the columns (classes) of the batch, with 1e-8 added to their denominators. Original
  values: beta = gamma = 2, tau = 4 on CIFAR-100; 1, 1, 1 on ImageNet.

  Logits are `[B, C]`, labels `[B]`; the weights `beta` of the inter-class and `gamma` of the
  intra-class relation >= 0 and `tau` > 0 are scalars. Returns a scalar, because the columns relate
  the examples of a batch. Entries that either network masks are not counted, examples with the
  label `ignore_label` are left out; the loss is 0 if all are ignored.

  Examples:
    >>> logits, labels = jnp.array([[2.0, 0.0], [0.0, 1.0]]), jnp.array([0, 1])
    >>> print(dist(logits, 2 * logits, labels, beta=1.0, gamma=1.0, tau=1.0))
    0.2200...
  """
  _checks.logits(rank=2, student_logits=student_logits, teacher_logits=teacher_logits)
  _checks.temperatures((), tau=tau)
  _checks.per_example((), beta=beta, gamma=gamma)
  checked = _checks.labels(labels, student_logits, ignore_label)
  student_logits, teacher_logits = map(checked.blank, (student_logits, teacher_logits))
  where = ~jnp.isneginf(student_logits) & ~jnp.isneginf(teacher_logits)
  if checked.ignored is not None:
    where &= ~checked.ignored[:, None]
  student_probs = teacher_labels.softmax(student_logits, tau)
  teacher_probs = teacher_labels.softmax(teacher_logits, tau)
  inter = _pearson_distance(student_probs, teacher_probs, where)
  intra = _pearson_distance(student_probs.T, teacher_probs.T, where.T)
  tau, beta, gamma = (jnp.asarray(v, inter.dtype) for v in (tau, beta, gamma))
  hard = checked.mark(logit_losses.cross_entropy(student_logits, checked.own))
  number = jnp.sum(jnp.any(where, axis=-1), dtype=hard.dtype)
  loss = jnp.sum(hard) / jnp.maximum(number, 1)
  loss += jnp.square(tau) * (beta * inter + gamma * intra)
  return jnp.where(number == 0, 0.0, loss)


def fitnet(student_features: Array, teacher_features: Array) -> Array:
  r"""Mean squared error `[B]` between features `[B, ...]` of equal shape.

  .. math::
    \ell = \frac1D \| h^s - h^t \|^2

  Romero et al., *FitNets: Hints for Thin Deep Nets*, ICLR 2015. The method first brings the
  student's features to the teacher's shape, with a regressor. The features have one axis or more
  after the batch, and the mean is over all of their D entries.

  Examples:
    >>> print(fitnet(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])))
    [2.]
  """
  arrays = {"student_features": student_features, "teacher_features": teacher_features}
  _checks.features("[B, ...]", 2, None, **arrays)
  _checks.equal_shapes(**arrays)
  student = _numerics.accumulate(student_features)
  teacher = _numerics.accumulate(teacher_features)
  return jnp.mean(jnp.square(student - teacher), axis=tuple(range(1, student.ndim)))


def _attention(features: Array) -> Array:
  """Returns the normalised attention map of `[B, ..., D]`, flat: `[B, N]`."""
  energy = jnp.mean(jnp.square(_numerics.accumulate(features)), axis=-1)
  return _numerics.unit(energy.reshape(energy.shape[0], -1))


def at(student_features: Array, teacher_features: Array) -> Array:
  r"""Attention transfer: matches the positions at which a stage is active, not the channels.

  .. math::
    \ell = \frac{1}{HW} \left\| \frac{a^s}{\|a^s\|} - \frac{a^t}{\|a^t\|} \right\|^2, \quad
    a_{ij} = \frac1D \sum_d h_{ijd}^2

  Zagoruyko and Komodakis, *Paying More Attention to Attention*, ICLR 2017, for one stage; the
  method sums over the stages, with weight 1000 in the toolkits. Maps are `[B, H, W, D]`, or with
  another number of axes of positions, as `[B, N, D]`; the teacher's D may differ. Returns the loss
  of each example, `[B]`, >= 0, and always 0 for maps with a single position.

  Examples:
    >>> left = jnp.array([[[[1.0], [0.0]]]])
    >>> right = jnp.array([[[[0.0, 0.0], [3.0, 4.0]]]])
    >>> print(at(left, right))
    [1.]
  """
  arrays = {"student_features": student_features, "teacher_features": teacher_features}
  _checks.features("maps [B, ..., D]", 3, None, **arrays)
  difference = _attention(student_features) - _attention(teacher_features)
  return jnp.mean(jnp.square(difference), axis=-1)


def _relative_distances_and_angles(features: Array) -> tuple[Array, Array]:
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
  student_features: Array,
  teacher_features: Array,
  *,
  distance: ArrayLike = 25.0,
  angle: ArrayLike = 50.0,
) -> Array:
  r"""Relational knowledge distillation: distances and angles within a batch.

  .. math::
    \ell = w_d\, \overline{H(\psi_{ij}^s - \psi_{ij}^t)}
         + w_a\, \overline{H(\cos\angle_{ijk}^s - \cos\angle_{ijk}^t)}

  Park et al., *Relational Knowledge Distillation*, CVPR 2019: :math:`\psi` are pairwise distances
  over their mean, :math:`H` the Huber loss with threshold 1, bars the means over all pairs and all
  triplets. Memory grows as :math:`B^2 D + B^3`.

  Features are penultimate, `[B, D]`; the teacher's D may differ. The weights of the distances and
  of the angles are scalars >= 0, with the original's values as defaults. Returns a scalar >= 0; 0
  for a batch of one example.

  Examples:
    >>> features = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    >>> print(f"{rkd(features, 3 * features):.4f}")
    0.0000
  """
  arrays = {"student_features": student_features, "teacher_features": teacher_features}
  _checks.features("[B, D]", 2, 2, **arrays)
  _checks.per_example((), distance=distance, angle=angle)
  student_psi, student_cosines = _relative_distances_and_angles(student_features)
  teacher_psi, teacher_cosines = _relative_distances_and_angles(teacher_features)
  distance_loss = jnp.mean(optax.losses.huber_loss(student_psi, teacher_psi))
  angle_loss = jnp.mean(optax.losses.huber_loss(student_cosines, teacher_cosines))
  distance, angle = (jnp.asarray(v, distance_loss.dtype) for v in (distance, angle))
  return distance * distance_loss + angle * angle_loss
