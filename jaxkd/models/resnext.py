"""ResNeXt: 29 layers for CIFAR, cardinality x base width, and torchvision's for ImageNet.

Xie et al., Aggregated Residual Transformations for Deep Neural Networks, 2016. As the authors of
ATS have it, the width of a bottleneck is planes x cardinality x base width / 64.
"""

import functools

from jaxkd.models.resnet import Bottleneck, entry

_entry = functools.partial(entry, "ResNeXt", Bottleneck)
_cifar = functools.partial(_entry, planes=(64, 128, 256), imagenet=False, base_width=4)

# Parameters for CIFAR-100 by cardinality.
_PARAMETERS = {4: 1_300_132, 8: 1_809_828, 16: 2_829_220, 32: 4_868_004, 64: 8_945_572}

MODELS = {
  f"resnext29_{n}x4d": _cifar((3, 3, 3), count, groups=n) for n, count in _PARAMETERS.items()
} | {
  "resnext50_32x4d": _entry((3, 4, 6, 3), 25_028_904, groups=32, base_width=4),
  "resnext101_32x8d": _entry((3, 4, 23, 3), 88_791_336, groups=32, base_width=8),
}
