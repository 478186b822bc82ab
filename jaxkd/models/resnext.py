"""ResNeXt for CIFAR: 29 layers, cardinality x base width.

Xie et al., Aggregated Residual Transformations for Deep Neural Networks, 2016.
As the authors of ATS have it, the width of a bottleneck is planes x cardinality
x base width / 64.
"""

from jaxkd.models.registry import Architecture, Form, Reference
from jaxkd.models.resnet import Bottleneck, ResNet

# Parameters for CIFAR-100 by cardinality.
_PARAMETERS = {
  4: 1_300_132,
  8: 1_809_828,
  16: 2_829_220,
  32: 4_868_004,
  64: 8_945_572,
}

MODELS = {
  f"resnext29_{groups}x4d": Architecture(
    family="ResNeXt",
    forms=(
      Form(
        network=ResNet,
        settings={
          "block": Bottleneck,
          "block_options": {"groups": groups, "base_width": 4},
          "planes": (64, 128, 256),
          "depths": (3, 3, 3),
          "stem_features": 64,
          "imagenet_stem": False,
        },
        min_image_size=4,
        reference=Reference(100, 32, parameters),
      ),
    ),
  )
  for groups, parameters in _PARAMETERS.items()
}
