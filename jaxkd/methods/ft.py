"""FT (Kim et al., NeurIPS 2018): factors of the last map, paraphrased and translated."""

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd import losses
from jaxkd.losses._numerics import unit
from jaxkd.methods import FRACTION, NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map, plus_cross_entropy
from jaxkd.methods.fitnet import transposed_default
from jaxkd.models import Outputs, layers
from jaxkd.models.layers import Sequential

leaky_relu = functools.partial(jax.nn.leaky_relu, negative_slope=0.1)


def _convolutions(channels: Sequence[int], init: layers.Init, rngs: nnx.Rngs) -> Sequential:
  """3x3 convolutions with bias, each before a leaky ReLU."""
  net = Sequential()
  for own, target in itertools.pairwise(channels):
    conv = layers.Conv(own, target, 3, use_bias=True, init=init, rngs=rngs)
    net.extend([conv, leaky_relu])
  return net


class Factors(nnx.Module):
  """The teacher's paraphraser, an autoencoder, and the student's translator.

  The maps have `own` and `target` channels, the factors of both `number`. The translator has batch
  norm, the paraphraser none. The decoder's transposed convolutions are convolutions, since their
  stride is 1.
  """

  def __init__(self, own: int, target: int, number: int, rngs: nnx.Rngs):
    encoder = (target, target, number, number)
    self.encoder = _convolutions(encoder, layers.torch_default, rngs)
    self.decoder = _convolutions(encoder[::-1], transposed_default, rngs)
    self.translator = Sequential()
    for pair in itertools.pairwise((own, own, number, number)):
      self.translator.extend(
        layers.conv_bn(*pair, 3, leaky_relu, init=layers.torch_default, rngs=rngs)
      )


def factor_distance(student: jax.Array, teacher: jax.Array) -> jax.Array:
  """Returns the mean absolute difference of the normalised energies of factors, `[B]`.

  The energy of a pixel is the mean square over its channels. The larger map is averaged down.
  """
  size = min(student.shape[1], teacher.shape[1])

  def energy(x: jax.Array) -> jax.Array:
    x = layers.adaptive_average_pool(x, size).astype(jnp.float32)
    return unit(jnp.mean(jnp.square(x), axis=-1).reshape(x.shape[0], -1))

  return jnp.mean(jnp.abs(energy(student) - energy(teacher)), axis=-1)


@register("ft")
class FT(Method):
  r"""Cross entropy, and the distance of the factors of both networks' last stages.

  .. math::
    \ell = -\log p^s_y + w \frac{1}{HW} \left\| \frac{a^s}{\|a^s\|_2} - \frac{a^t}{\|a^t\|_2}
           \right\|_1 + v \, \overline{(D(E(T)) - T)^2}, \quad a_{ij} = \frac1D \sum_d f_{ijd}^2

  Kim, Park and Kwak, *Paraphrasing Complex Network: Network Compression via Factor Transfer*,
  NeurIPS 2018, as in RepDistiller: the authors' code compares all entries of a factor, not the
  energies of its pixels. The teacher's factor f is the code E(T) of an autoencoder, the
  paraphraser, and the student's is learned with the student.

  The original trains the paraphraser before the student, and then keeps it. Here it is trained
  along, by the last term alone, and the factors are compared once it has had the original's share
  of the training.
  """

  weight: float = option(200.0, "RepDistiller", NOT_NEGATIVE)
  rate: float = option(
    0.5,
    "the authors' code and RepDistiller: channels of the factors, as a share of the teacher's",
    Bound(0, 1, low_open=True),
  )
  reconstruction: float = option(
    0.2,
    "weight of the paraphraser's loss, v; RepDistiller's learning rate for it is 0.01, a fifth of "
    "the student's, where that is a ResNet or WRN",
    NOT_NEGATIVE,
  )
  init: float = option(
    30 / 270,
    "share of the training before the factors are compared; RepDistiller trains the paraphraser "
    "alone for 30 epochs, then the student for 240",
    FRACTION,
  )

  mixed_labels = True
  search = {"weight": (50.0, 200.0, 500.0)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    own, target = (feature_map(outputs, -1).shape[-1] for outputs in (student, *teachers))
    return Factors(own, target, max(int(self.rate * target), 1), rngs)

  def loss(self, view: View) -> Terms:
    factors = view.adapter
    own, target = (feature_map(outputs, -1) for outputs in (view.student, view.teacher))
    code = factors.encoder(target)
    distance = factor_distance(factors.translator(own), jax.lax.stop_gradient(code))
    begun = jnp.greater_equal(view.progress, self.init)
    terms = plus_cross_entropy(
      view,
      factors=jnp.where(begun, self.weight * distance, 0.0),
      reconstruction=self.reconstruction * losses.fitnet(factors.decoder(code), target),
    )
    return terms, {}
