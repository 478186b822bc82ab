"""AB (Heo et al., AAAI 2019): the student's neurons are active where the teacher's are."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import doubling, first_alone, stage_pairs
from jaxkd.methods.fitnet import Regressor
from jaxkd.models import Outputs


class Same(nnx.Module):
  """Leaves features as they are."""

  def __call__(self, features: jax.Array, target: jax.Array) -> jax.Array:
    """Returns the features."""
    del target
    return features


def boundary_distance(student: jax.Array, teacher: jax.Array, margin: float) -> jax.Array:
  """Returns the summed squared distances `[B]` to the teacher's side of 0, beyond a margin."""
  student = student.astype(jnp.float32)
  missing = jnp.where(teacher > 0, margin - student, student + margin)
  return jnp.sum(jnp.square(jax.nn.relu(missing)), axis=(1, 2, 3))


@register("ab")
class AB(Method):
  r"""At first the distances from the teacher's activation boundaries, then cross entropy.

  .. math::
    \ell = w \sum_{i=1}^n 2^{i-n} d(r_i(S_i), T_i) \text{ or } -\log p^s_y, \quad
    d(s, t) = \sum \begin{cases} \max(0, m - s)^2 & t > 0 \\ \max(0, s + m)^2 & \text{else}
              \end{cases}

  Heo et al., *Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden
  Neurons*, AAAI 2019, as in RepDistiller. S and T are maps before the ReLU of a stage. r is the
  convolution of FitNet's regressor with batch norm, and leaves maps of equal shape as they are.
  Where one network has more stages, which RepDistiller never has, its first ones are taken.

  The original has two trainings, of which the first leaves the classifier out. Here one training
  with one schedule has both parts; the classifier's weights decay in the first.
  """

  weight: float = option(
    3e-3,
    "the authors' code and RepDistiller: of the sum over a map, of the last stage",
    NOT_NEGATIVE,
  )
  margin: float = option(1.0, "the authors' code and RepDistiller: m", NOT_NEGATIVE)
  init: float = option(
    30 / 270,
    "share of the training with the distances alone, before cross entropy alone; RepDistiller "
    "trains for 30 epochs, then for 240",
    Bound(0, 1, high_open=True),
  )

  mixed_labels = True
  search = {"weight": (1e-3, 3e-3, 1e-2), "init": (0.05, 30 / 270, 0.2)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    return nnx.List(
      Same() if own.shape == target.shape else Regressor(own, target, rngs, relu=False)
      for own, target in self._pairs(student, *teachers)
    )

  def loss(self, view: View) -> Terms:
    pairs = self._pairs(view.student, view.teacher)
    distances = [
      boundary_distance(connect(own, target), target, self.margin)
      for connect, (own, target) in zip(view.adapter, pairs, strict=True)
    ]
    return first_alone(view, self.init, boundaries=doubling(self.weight, distances)), {}

  def _pairs(self, student: Outputs, teacher: Outputs) -> list[tuple[jax.Array, jax.Array]]:
    return stage_pairs(student, teacher, "preactivations", "preactivations")
