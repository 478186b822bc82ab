"""SimKD (Chen et al., CVPR 2022): the student reuses the teacher's classifier."""

from collections.abc import Sequence

import jax
from flax import nnx
from jax.typing import DTypeLike

from jaxkd import losses
from jaxkd.methods import NOT_NEGATIVE, Bound, Method, Terms, View, option, register
from jaxkd.methods.base import feature_map
from jaxkd.models import Network, Outputs, Reused, layers


class NoClassifier(nnx.Module):
  """Stands in the place of the student's own classifier, and returns the features."""

  def __call__(self, features: jax.Array, dtype: DTypeLike) -> jax.Array:
    return features.astype(dtype)


class ReusedClassifier(Network):
  """A student without its classifier, a projector, and the classifier of a teacher.

  The projector `transfer` has 1x1, 3x3 and 1x1 convolutions, each with batch norm and ReLU, and
  brings the student's last stage to the teacher's channels. A stage larger than the teacher's map
  is averaged down before it. The classifier sees the average of the projector's map. Student and
  teacher stay as they are: this network has copies.
  """

  def __init__(
    self,
    student: Network,
    teacher: Network,
    images: jax.ShapeDtypeStruct,
    factor: int,
    rngs: nnx.Rngs,
  ):
    own, theirs = (
      jax.eval_shape(lambda network, x: network.outputs(x), network, images)
      for network in (student, teacher)
    )
    last = getattr(teacher, teacher.classifier_name, None)
    if theirs.averaged is None or not isinstance(last, layers.Linear):
      raise ValueError(
        "the method needs a teacher that is a jaxkd.models.Network and whose classifier, a linear "
        "layer, sees the average of a map"
      )
    stage, (_, self.size, _, width) = feature_map(own, -1), theirs.averaged.shape
    if factor > width:
      raise ValueError(f"factor is {factor}, must be at most {width}, the teacher's channels")
    self.backbone = nnx.clone(student)
    if self.backbone.classifier_name:
      setattr(self.backbone, self.backbone.classifier_name, NoClassifier())
    middle = width // factor
    sizes = (stage.shape[-1], middle, 1), (middle, middle, 3), (middle, width, 1)
    blocks = [
      layers.conv_bn(*size, nnx.relu, init=layers.torch_default, rngs=rngs) for size in sizes
    ]
    self.transfer = layers.Sequential(layer for block in blocks for layer in block)
    self.classifier = nnx.clone(last)
    for name in ("kernel", "bias"):
      if (trained := getattr(last, name)) is not None:
        setattr(self.classifier, name, Reused(trained.get_value()))

  def outputs(self, x: jax.Array) -> Outputs:
    """Runs the network on images `[B, H, W, channels]`."""
    own = self.backbone.outputs(x)
    stage = own.stages[-1]
    if stage.shape[1] > self.size:
      stage = layers.adaptive_average_pool(stage, self.size)
    projected = self.transfer(stage)
    pooled = layers.global_average_pool(projected)
    return self.classify(pooled, own.stages, own.preactivations, projected)

  def reference_name(self, name: str) -> str:
    """The student's layers have its reference's names, the projector's those of the authors."""
    first, _, rest = name.partition(".")
    return f"{first}.{self.backbone.reference_name(rest)}" if first == "backbone" else name


@register("simkd")
class SimKD(Method):
  r"""The student's last map imitates the teacher's; the teacher's classifier predicts from it.

  .. math::
    \ell = \frac wD \| P(F^s) - F^t \|^2, \quad z^s = W^t \, \text{avg}(P(F^s)) + b^t

  Chen et al., *Knowledge Distillation with the Reused Teacher Classifier*, CVPR 2022. F are the
  student's last stage and the map that the teacher's classifier averages, P is a projector that is
  trained with the student, and W and b are the teacher's classifier, which is not trained. No label
  is used. A map of the teacher that is larger is averaged down to the student's.

  **Projector and classifier remain part of the student**: they are evaluated, saved and exported
  with it. Of C student's and D teacher's channels, the projector has d (C + 9 d + D + 4) + 2 D
  parameters for d = D / factor: 214,016 beside the 1.2 million of ResNet-8x4 for ResNet-32x4. The
  student's layers behind its last stage are not used, and its own classifier is removed.
  """

  weight: float = option(1.0, "the authors' command for CIFAR-100", NOT_NEGATIVE)
  factor: int = option(
    2, "the authors' code; 4 and 8 for smaller projectors and lower accuracies", Bound(1)
  )

  mixed_labels = True
  search = {"factor": (2, 4, 8)}

  def compose(
    self,
    student: Network,
    teachers: Sequence[Network],
    images: jax.ShapeDtypeStruct,
    rngs: nnx.Rngs,
  ) -> Network:
    (teacher,) = teachers
    return ReusedClassifier(student, teacher, images, self.factor, rngs)

  def loss(self, view: View) -> Terms:
    own, target = view.student.averaged, view.teacher.averaged
    assert own is not None  # of `ReusedClassifier`
    assert target is not None  # `compose` refuses other teachers
    target = layers.adaptive_average_pool(target, own.shape[1])
    return {"features": self.weight * losses.fitnet(own, target)}, {}
