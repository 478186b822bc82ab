"""The layers that mdistiller's methods compare, family by family.

They are the list `feats` in the `forward` of megvii-research/mdistiller at commit a08d46f: on 32x32
images of mdistiller/models/cifar/{resnet,wrn,vgg,mobilenetv2,ShuffleNetv1,ShuffleNetv2}.py, on
224x224 images of mdistiller/models/imagenet/resnet.py. The stem's map is the first. AT takes
`feats[1:]`, FitNet `feats[2]`. HobbitLong/RepDistiller has the same maps.
"""

RELU, SUM, LINEAR = "after ReLU", "a sum before batch norm and ReLU", "after batch norm, no ReLU"

# By family: where the maps after the stem are taken; height and channels of each map.
_FAMILIES = {
  "resnet": (RELU, ((32, 16), (32, 16), (16, 32), (8, 64))),
  "wrn": (SUM, ((32, 16), (32, 32), (16, 64), (8, 128))),
  "vgg": (RELU, ((32, 64), (16, 128), (8, 256), (4, 512), (4, 512))),
  "mobilenet_v2": (LINEAR, ((16, 16), (16, 12), (8, 16), (4, 48), (2, 160))),
  "shufflenet_v1": (RELU, ((32, 24), (16, 240), (8, 480), (4, 960))),
  "shufflenet_v2": (RELU, ((32, 24), (16, 116), (8, 232), (4, 464))),
}
_MEMBERS = {
  "resnet": ("resnet8", "resnet14", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
  "wrn": ("wrn16_2", "wrn40_2"),
  "vgg": ("vgg8", "vgg11", "vgg13", "vgg16", "vgg19"),
}
CIFAR = {
  name: feats for family, feats in _FAMILIES.items() for name in _MEMBERS.get(family, (family,))
}
IMAGENET = {
  "resnet18": (RELU, ((112, 64), (56, 64), (28, 128), (14, 256), (7, 512))),
  "resnet34": (RELU, ((112, 64), (56, 64), (28, 128), (14, 256), (7, 512))),
  "resnet50": (RELU, ((112, 64), (56, 256), (28, 512), (14, 1024), (7, 2048))),
}
