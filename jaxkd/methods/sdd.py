"""SDD (Wei, Luo and Luo, CVPR 2024): logits of image regions at several scales."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxkd import losses
from jaxkd.methods import (
  FRACTION,
  NOT_NEGATIVE,
  POSITIVE,
  TEMPERATURE,
  Method,
  Terms,
  View,
  option,
  register,
)
from jaxkd.methods.base import class_map, hard_and_soft, plus_cross_entropy, warmup
from jaxkd.models import Outputs, layers

SCALES = "the authors' commands across families; there 1 and 2 within a family"


def region_logits(outputs: Outputs, scales: Sequence[int]) -> jax.Array:
  """Returns the logits of every region, `[B, sum of scale^2, C]`."""
  maps = class_map(outputs)
  grids = [layers.adaptive_average_pool(maps, scale) for scale in scales]
  return jnp.concatenate([x.reshape(len(x), -1, x.shape[-1]) for x in grids], axis=1)


def over_regions(
  view: View,
  scales: Sequence[int],
  complementary: float,
  loss: Callable[[jax.Array, jax.Array, jax.Array], jax.Array],
) -> jax.Array:
  """Returns the mean of a loss `(student, teacher, labels)` over the regions, `[B]`.

  Regions in which the teacher is right but wrong on the image, or the opposite, have the weight
  `complementary`, all others 1.
  """
  student, teacher = (region_logits(x, scales) for x in (view.student, view.teacher))
  labels = jnp.broadcast_to(view.labels[:, None], teacher.shape[:2])
  right = jnp.argmax(view.teacher.logits, axis=-1) == view.labels
  same = (jnp.argmax(teacher, axis=-1) == labels) == right[:, None]
  return jnp.mean(jnp.where(same, 1.0, complementary) * loss(student, teacher, labels), axis=1)


@register("sdd")
class SDD(Method):
  r"""Cross entropy, and KD from each region of the image: SD-KD.

  .. math::
    \ell = -(1 - \lambda) \log p^s_y + \lambda \frac{\tau^2}{R} \sum_r w_r
           KL(p^t_r(\tau) \| p^s_r(\tau))

  Wei, Luo and Luo, *Scale Decoupled Distillation*, CVPR 2024. Each scale m cuts the map before the
  global average into m x m regions. The logits of a region are the classifier's on the average of
  the region; R is the number of regions. The weight w is 2 where the teacher's prediction for the
  region is right and that for the image is wrong, or the opposite, else 1. The authors' code
  averages from a grid of 4 x 4 regions, the same for maps of 2, 4 or 8 pixels.
  """

  lam: float = option(0.9, "the authors' code", FRACTION)
  tau: float = option(4.0, "the authors' code", TEMPERATURE)
  scales: tuple[int, ...] = option((1, 2, 4), SCALES, POSITIVE)
  complementary: float = option(2.0, "the authors' code", NOT_NEGATIVE)

  search = {"lam": (0.5, 0.9), "tau": (2.0, 4.0), "complementary": (1.0, 2.0)}

  def loss(self, view: View) -> Terms:
    def kd(student, teacher, labels):
      del labels
      return losses.divergence(student, teacher, tau=self.tau)

    soft = over_regions(view, self.scales, self.complementary, kd)
    return hard_and_soft(view, self.lam, soft), {}


@register("sdd_dkd")
class SDDKD(Method):
  """Cross entropy, and DKD from each region of the image: SD-DKD.

  The regions and their weights are those of SDD, the loss is DKD's.
  """

  alpha: float = option(1.0, "the authors' code", NOT_NEGATIVE)
  beta: float = option(
    8.0,
    "the authors' code; 2 from ResNet-56 and 110 there, 6 from VGG13 and most WRNs",
    NOT_NEGATIVE,
  )
  tau: float = option(4.0, "the authors' code", TEMPERATURE)
  scales: tuple[int, ...] = option((1, 2, 4), SCALES, POSITIVE)
  complementary: float = option(2.0, "the authors' code", NOT_NEGATIVE)
  warmup: float = option(
    20 / 240,
    "the authors' code: 20 of 240 epochs, linear, there by epochs, here by steps",
    FRACTION,
  )

  search = {"beta": (2.0, 6.0, 8.0), "complementary": (1.0, 2.0)}

  def loss(self, view: View) -> Terms:
    def dkd(student, teacher, labels):
      return losses.dkd(student, teacher, labels, alpha=self.alpha, beta=self.beta, tau=self.tau)

    regions = over_regions(view, self.scales, self.complementary, dkd)
    weight = warmup(view.progress, self.warmup)
    return plus_cross_entropy(view, regions=weight * regions), {}
