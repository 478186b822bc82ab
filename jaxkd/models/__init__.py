"""The networks: one file for each family; `create` makes a network by its name."""

from jaxkd.models import (
  alexnet,
  convnext,
  efficientnet,
  mlp,
  mobilenet_v2,
  mobilenet_v3,
  regnet,
  resnet,
  resnext,
  shufflenet,
  swin,
  vgg,
  vit,
  wrn,
)
from jaxkd.models.base import Network, NetworkError, Outputs, Reused
from jaxkd.models.freezing import freeze
from jaxkd.models.own import adapt
from jaxkd.models.registry import (
  ARCHITECTURES,
  Architecture,
  Form,
  Reference,
  arrays_digest,
  create,
  find,
  list_models,
  register,
  source_digest,
)
from jaxkd.models.shapes import abstract

__all__ = ["Architecture", "Form", "Network", "NetworkError", "Outputs", "Reference", "Reused"]
__all__ += [
  "abstract",
  "adapt",
  "arrays_digest",
  "create",
  "find",
  "freeze",
  "list_models",
  "register",
  "source_digest",
]

_cnns = (resnet, wrn, resnext, vgg, shufflenet, mobilenet_v2, mobilenet_v3, alexnet, efficientnet)
for _family in (*_cnns, regnet, convnext, vit, swin, mlp):
  ARCHITECTURES.update(_family.MODELS)
