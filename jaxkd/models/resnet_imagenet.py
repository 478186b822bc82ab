"""ResNet, wide ResNet and ResNeXt with the ImageNet stem, as in torchvision."""

from collections.abc import Sequence

from jaxkd.models.registry import Architecture, Form, Reference
from jaxkd.models.resnet import BasicBlock, Bottleneck, ResNet


def _entry(
  family: str,
  block: type[BasicBlock] | type[Bottleneck],
  depths: Sequence[int],
  parameters: int,
  **block_options: int,
) -> Architecture:
  form = Form(
    network=ResNet,
    settings={
      "block": block,
      "block_options": block_options,
      "planes": (64, 128, 256, 512),
      "depths": depths,
      "stem_features": 64,
      "imagenet_stem": True,
    },
    min_image_size=32,
    reference=Reference(1000, 224, parameters),
  )
  return Architecture(family, (form,))


MODELS = {
  "resnet18": _entry("ResNet", BasicBlock, (2, 2, 2, 2), 11_689_512),
  "resnet34": _entry("ResNet", BasicBlock, (3, 4, 6, 3), 21_797_672),
  "resnet50": _entry("ResNet", Bottleneck, (3, 4, 6, 3), 25_557_032),
  "wide_resnet26_2": _entry("WideResNet", Bottleneck, (2, 2, 2, 2), 39_673_640, base_width=128),
  "wide_resnet50_2": _entry("WideResNet", Bottleneck, (3, 4, 6, 3), 68_883_240, base_width=128),
  "resnext50_32x4d": _entry(
    "ResNeXt", Bottleneck, (3, 4, 6, 3), 25_028_904, groups=32, base_width=4
  ),
  "resnext101_32x8d": _entry(
    "ResNeXt", Bottleneck, (3, 4, 23, 3), 88_791_336, groups=32, base_width=8
  ),
}
