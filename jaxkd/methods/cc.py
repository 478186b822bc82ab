"""CC (Peng et al., ICCV 2019): correlation congruence, in the form of RepDistiller."""

import jax
import jax.numpy as jnp
from flax import nnx

from jaxkd.methods import NOT_NEGATIVE, POSITIVE, Method, Terms, View, option, register
from jaxkd.methods.base import features as penultimate
from jaxkd.methods.base import plus_cross_entropy
from jaxkd.models import Outputs, layers


class Embeddings(nnx.Module):
  """Linear maps of both networks' penultimate features, trained with the student."""

  def __init__(self, student: Outputs, teacher: Outputs, features: int, rngs: nnx.Rngs):
    self.student, self.teacher = (
      layers.Linear(penultimate(x).shape[-1], features, init=layers.torch_default, rngs=rngs)
      for x in (student, teacher)
    )

  def __call__(self, student: Outputs, teacher: Outputs) -> jax.Array:
    """Returns the absolute differences of the embeddings, `[B, features]`."""
    own = self.student(penultimate(student), jnp.float32)
    return jnp.abs(own - self.teacher(penultimate(teacher), jnp.float32))


@register("cc")
class CC(Method):
  r"""Cross entropy, and the products of neighbouring examples' differences from the teacher.

  .. math::
    \ell = -\log p^s_y + \frac{w}{B - 1} \sum_{i < B}
           \left\langle |s_i - t_i|, |s_{i+1} - t_{i+1}| \right\rangle

  Peng et al., *Correlation Congruence for Knowledge Distillation*, ICCV 2019. The paper compares
  matrices of kernels of all pairs. RepDistiller's form is this, from the paper's authors by its own
  account: s and t are linear embeddings of the penultimate features, and pairs are neighbours in
  the batch.
  """

  weight: float = option(0.02, "RepDistiller", NOT_NEGATIVE)
  features: int = option(128, "RepDistiller: length of the embeddings", POSITIVE)

  mixed_labels = True
  search = {"weight": (0.01, 0.02, 0.05)}

  def adapter(self, student: Outputs, teachers: tuple[Outputs, ...], rngs: nnx.Rngs) -> nnx.Module:
    (teacher,) = teachers
    return Embeddings(student, teacher, self.features, rngs)

  def loss(self, view: View) -> Terms:
    gaps = view.adapter(view.student, view.teacher)
    products = jnp.sum(gaps[:-1] * gaps[1:], axis=-1)
    # 0 for a batch of one example.
    congruence = jnp.sum(products) / max(len(products), 1)
    return plus_cross_entropy(view, congruence=self.weight * congruence), {}
