"""FSP (Yim et al., CVPR 2017): how the channels of two neighbouring stages go together."""

import itertools

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import first_alone, stage_pairs
from jaxkd.models import layers


def flow(below: jax.Array, above: jax.Array) -> jax.Array:
  """Returns the mean products of all pairs of channels, `[B, C, C']`, over the pixels.

  The larger map is averaged down.
  """
  size = min(below.shape[1], above.shape[1])
  a, b = (layers.adaptive_average_pool(x, size).astype(jnp.float32) for x in (below, above))
  return jnp.einsum("bhwc,bhwd->bcd", a, b, precision="highest") / size**2


@register("fsp")
class FSP(Method):
  r"""At first the distances of the stages' flow matrices, then cross entropy.

  .. math::
    \ell = w \sum_{i < n} \frac{1}{C_i C_{i+1}} \|G_i^s - G_i^t\|^2 \text{ or } -\log p^s_y, \quad
    G_{i,cd} = \frac{1}{HW} \sum_{h,w} F_{i,hwc} F_{i+1,hwd}

  Yim et al., *A Gift from Knowledge Distillation*, CVPR 2017, as in RepDistiller, for a teacher
  whose stages F have as many channels as the student's; any other is refused. RepDistiller also has
  the matrix of the stem and the first stage; here the stem is no stage. It has two trainings, of
  which the first leaves the classifier out. Here one training with one schedule has both parts; the
  classifier's weights decay in the first.
  """

  weight: float = option(1.0, "RepDistiller, whose --beta has no part in this method", NOT_NEGATIVE)
  init: float = option(
    30 / 270,
    "share of the training with the distances alone, before cross entropy alone; RepDistiller "
    "trains for 30 epochs, then for 240",
    Bound(0, 1, high_open=True),
  )

  mixed_labels = True
  search = {"weight": (0.1, 1.0, 10.0), "init": (0.05, 30 / 270, 0.2)}

  def loss(self, view: View) -> Terms:
    pairs = stage_pairs(view.student, view.teacher)
    own, theirs = zip(*pairs, strict=True)
    channels = [[x.shape[-1] for x in stages] for stages in (own, theirs)]
    if channels[0] != channels[1] or len(pairs) < 2:
      raise ValueError(
        "the method needs two stages or more, with as many channels in both networks, but the "
        f"student's have {channels[0]}, the teacher's {channels[1]}"
      )
    flows = [[flow(*pair) for pair in itertools.pairwise(stages)] for stages in (own, theirs)]
    distances = [losses.fitnet(s, t) for s, t in zip(*flows, strict=True)]
    total = self.weight * jnp.sum(jnp.stack(distances), axis=0)
    return first_alone(view, self.init, flow=total), {}
