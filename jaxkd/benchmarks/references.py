"""The reference architectures in PyTorch, under their state dicts' names.

ImageNet forms follow torchvision. CIFAR forms have the names of the code that the
paper's authors and other distillation work train with. `forward` returns the fields
of `jaxkd.models.Outputs`, channels first.
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn import BatchNorm2d, Conv2d, Linear, ReLU, Sequential

from jaxkd.common.errors import ConfigError


def pool(x):
  return x.mean((2, 3))


def shuffle(x, groups):
  b, c, h, w = x.shape
  return x.view(b, groups, c // groups, h, w).transpose(1, 2).reshape(x.shape)


def projection(features_in, features_out, stride):
  if stride == 1 and features_in == features_out:
    return None
  return Sequential(
    Conv2d(features_in, features_out, 1, stride, bias=False), BatchNorm2d(features_out)
  )


class BasicBlock(nn.Module):
  expansion = 1

  def __init__(self, features_in, planes, stride):
    super().__init__()
    self.conv1 = Conv2d(features_in, planes, 3, stride, 1, bias=False)
    self.bn1 = BatchNorm2d(planes)
    self.conv2 = Conv2d(planes, planes, 3, 1, 1, bias=False)
    self.bn2 = BatchNorm2d(planes)
    self.downsample = projection(features_in, planes, stride)

  def forward(self, x):
    y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
    return y + (self.downsample(x) if self.downsample else x)


class Bottleneck(nn.Module):
  expansion = 4

  def __init__(self, features_in, planes, stride, groups=1, base_width=64):
    super().__init__()
    width = int(planes * groups * base_width / 64)
    self.conv1 = Conv2d(features_in, width, 1, bias=False)
    self.bn1 = BatchNorm2d(width)
    self.conv2 = Conv2d(width, width, 3, stride, 1, groups=groups, bias=False)
    self.bn2 = BatchNorm2d(width)
    self.conv3 = Conv2d(width, planes * 4, 1, bias=False)
    self.bn3 = BatchNorm2d(planes * 4)
    self.downsample = projection(features_in, planes * 4, stride)

  def forward(self, x):
    y = F.relu(self.bn1(self.conv1(x)))
    y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
    return y + (self.downsample(x) if self.downsample else x)


def run_stages(x, stages):
  outs, pres = [], []
  for stage in stages:
    for block in stage:
      pre = block(x)
      x = F.relu(pre)
    outs.append(x)
    pres.append(pre)
  return outs, pres


class ResNet(nn.Module):
  classifier_name = "fc"

  def __init__(self, block, planes, depths, stem, imagenet, classes, **options):
    super().__init__()
    self.imagenet = imagenet
    self.conv1 = (
      Conv2d(3, stem, 7, 2, 3, bias=False) if imagenet else Conv2d(3, stem, 3, 1, 1, bias=False)
    )
    self.bn1 = BatchNorm2d(stem)
    features = stem
    self.depths = depths
    for i, (width, depth) in enumerate(zip(planes, depths, strict=True)):
      stage = Sequential()
      for j in range(depth):
        stride = 2 if i and not j else 1
        stage.append(block(features, width, stride, **options))
        features = width * block.expansion
      setattr(self, f"layer{i + 1}", stage)
    self.fc = Linear(features, classes)

  def forward(self, x):
    x = F.relu(self.bn1(self.conv1(x)))
    if self.imagenet:
      x = F.max_pool2d(x, 3, 2, 1)
    outs, pres = run_stages(x, [getattr(self, f"layer{i + 1}") for i in range(len(self.depths))])
    features = pool(outs[-1])
    return getattr(self, self.classifier_name)(features), features, outs, pres


def cifar_resnet(depth, classes):
  n = (depth - 2) // 6
  return ResNet(BasicBlock, (16, 32, 64), (n, n, n), 16, False, classes)


class OptionABlock(nn.Module):
  """The shortcut of akamaster/pytorch_resnet_cifar10, without parameters."""

  expansion = 1

  def __init__(self, features_in, planes, stride):
    super().__init__()
    self.conv1 = Conv2d(features_in, planes, 3, stride, 1, bias=False)
    self.bn1 = BatchNorm2d(planes)
    self.conv2 = Conv2d(planes, planes, 3, 1, 1, bias=False)
    self.bn2 = BatchNorm2d(planes)
    self.changed = stride != 1 or features_in != planes

  def forward(self, x):
    y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
    if self.changed:
      zeros = y.shape[1] // 4
      x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, zeros, zeros))
    return y + x


def option_a_resnet(depths, classes):
  network = ResNet(OptionABlock, (16, 32, 64), depths, 16, False, classes)
  network.linear, network.fc = network.fc, None
  network.classifier_name = "linear"
  return network


def toolkit_resnet(depth, classes):
  """RepDistiller's `resnet8x4` and `resnet32x4`."""
  n = (depth - 2) // 6
  return ResNet(BasicBlock, (64, 128, 256), (n, n, n), 32, False, classes)


class ShortcutBottleneck(Bottleneck):
  """Of RepDistiller's `ResNet50`, which names the projection `shortcut`."""

  def __init__(self, features_in, planes, stride):
    super().__init__(features_in, planes, stride)
    self.shortcut, self.downsample = self.downsample, None

  def forward(self, x):
    y = F.relu(self.bn1(self.conv1(x)))
    y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
    return y + (self.shortcut(x) if self.shortcut else x)


def toolkit_resnet50(depths, classes):
  network = ResNet(ShortcutBottleneck, (64, 128, 256, 512), depths, 64, False, classes)
  network.linear, network.fc = network.fc, None
  network.classifier_name = "linear"
  return network


def cifar_resnext(groups, classes, depth=3):
  return ResNet(
    Bottleneck, (64, 128, 256), (depth,) * 3, 64, False, classes, groups=groups, base_width=4
  )


def imagenet_resnet(block, depths, classes, **options):
  return ResNet(block, (64, 128, 256, 512), depths, 64, True, classes, **options)


class WideBlock(nn.Module):
  def __init__(self, features_in, features_out, stride):
    super().__init__()
    self.bn1 = BatchNorm2d(features_in)
    self.conv1 = Conv2d(features_in, features_out, 3, stride, 1, bias=False)
    self.bn2 = BatchNorm2d(features_out)
    self.conv2 = Conv2d(features_out, features_out, 3, 1, 1, bias=False)
    self.convShortcut = (
      None
      if features_in == features_out
      else Conv2d(features_in, features_out, 1, stride, bias=False)
    )

  def forward(self, x):
    pre = self.bn1(x)
    y = F.relu(self.bn2(self.conv1(F.relu(pre))))
    x = x if self.convShortcut is None else self.convShortcut(F.relu(pre))
    return self.conv2(y) + x, pre


class WideResNet(nn.Module):
  def __init__(self, depth, width, classes):
    super().__init__()
    n = (depth - 4) // 6
    self.conv1 = Conv2d(3, 16, 3, 1, 1, bias=False)
    features = 16
    for i in range(1, 4):
      planes = 8 * 2**i * width
      layer = Sequential()
      for j in range(n):
        layer.append(WideBlock(features, planes, 2 if i > 1 and not j else 1))
        features = planes
      setattr(self, f"block{i}", nn.ModuleDict({"layer": layer}))
    self.bn1 = BatchNorm2d(features)
    self.fc = Linear(features, classes)

  def forward(self, x):
    x = self.conv1(x)
    outs, pres = [], []
    for stage in (self.block1, self.block2, self.block3):
      for j, block in enumerate(stage["layer"]):
        x, pre = block(x)
        if j == 0 and stage is not self.block1:
          pres.append(pre)
      outs.append(x)
    pres.append(self.bn1(x))
    features = pool(F.relu(pres[-1]))
    return self.fc(features), features, outs, pres


class VGG(nn.Module):
  def __init__(self, depths, classes, feature_dim=None):
    super().__init__()
    features = 3
    widths = (64, 128, 256, 512, 512)
    for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
      layers = []
      for _ in range(depth):
        layers += [Conv2d(features, width, 3, 1, 1), BatchNorm2d(width), ReLU()]
        features = width
      setattr(self, f"block{i}", Sequential(*layers[:-1]))
    self.neck = feature_dim and Linear(512, feature_dim, bias=False)
    self.classifier = Linear(feature_dim or 512, classes, bias=feature_dim is None)

  def forward(self, x):
    large = x.shape[2] == 64
    outs, pres = [], []
    for i in range(5):
      pres.append(getattr(self, f"block{i}")(x))
      outs.append(F.relu(pres[-1]))
      x = outs[-1]
      if i < 3 or (i == 3 and large):
        x = F.max_pool2d(x, 2, 2)
    features = pool(x)
    if self.neck:
      features = self.neck(features)
    return self.classifier(features), features, outs[1:], pres[1:]


class ShuffleV1Block(nn.Module):
  def __init__(self, features_in, features_out, stride, groups):
    super().__init__()
    middle = int(features_out / 4)
    self.stride = stride
    self.groups = 1 if features_in == 24 else groups
    self.conv1 = Conv2d(features_in, middle, 1, groups=self.groups, bias=False)
    self.bn1 = BatchNorm2d(middle)
    self.conv2 = Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
    self.bn2 = BatchNorm2d(middle)
    self.conv3 = Conv2d(middle, features_out, 1, groups=groups, bias=False)
    self.bn3 = BatchNorm2d(features_out)

  def forward(self, x):
    y = shuffle(F.relu(self.bn1(self.conv1(x))), self.groups)
    y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
    if self.stride == 2:
      return torch.cat([y, F.avg_pool2d(x, 3, 2, 1)], 1)
    return y + x


class ShuffleNetV1(nn.Module):
  def __init__(self, classes):
    super().__init__()
    self.conv1 = Conv2d(3, 24, 1, bias=False)
    self.bn1 = BatchNorm2d(24)
    features = 24
    for i, (width, depth) in enumerate(zip((240, 480, 960), SHUFFLE_DEPTHS, strict=True)):
      stage = Sequential(ShuffleV1Block(features, width - features, 2, 3))
      for _ in range(depth - 1):
        stage.append(ShuffleV1Block(width, width, 1, 3))
      setattr(self, f"layer{i + 1}", stage)
      features = width
    self.linear = Linear(features, classes)

  def forward(self, x):
    x = F.relu(self.bn1(self.conv1(x)))
    outs, pres = run_stages(x, (self.layer1, self.layer2, self.layer3))
    features = pool(outs[-1])
    return self.linear(features), features, outs, pres


class ShuffleV2Basic(nn.Module):
  def __init__(self, features):
    super().__init__()
    half = features // 2
    self.conv1 = Conv2d(half, half, 1, bias=False)
    self.bn1 = BatchNorm2d(half)
    self.conv2 = Conv2d(half, half, 3, 1, 1, groups=half, bias=False)
    self.bn2 = BatchNorm2d(half)
    self.conv3 = Conv2d(half, half, 1, bias=False)
    self.bn3 = BatchNorm2d(half)

  def forward(self, x):
    left, right = x.chunk(2, 1)
    y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(right)))))
    return shuffle(torch.cat([left, self.bn3(self.conv3(y))], 1), 2)


class ShuffleV2Down(nn.Module):
  def __init__(self, features_in, features_out):
    super().__init__()
    half = features_out // 2
    self.conv1 = Conv2d(features_in, features_in, 3, 2, 1, groups=features_in, bias=False)
    self.bn1 = BatchNorm2d(features_in)
    self.conv2 = Conv2d(features_in, half, 1, bias=False)
    self.bn2 = BatchNorm2d(half)
    self.conv3 = Conv2d(features_in, half, 1, bias=False)
    self.bn3 = BatchNorm2d(half)
    self.conv4 = Conv2d(half, half, 3, 2, 1, groups=half, bias=False)
    self.bn4 = BatchNorm2d(half)
    self.conv5 = Conv2d(half, half, 1, bias=False)
    self.bn5 = BatchNorm2d(half)

  def forward(self, x):
    left = self.bn2(self.conv2(self.bn1(self.conv1(x))))
    right = F.relu(self.bn3(self.conv3(x)))
    right = self.bn5(self.conv5(self.bn4(self.conv4(right))))
    return shuffle(torch.cat([left, right], 1), 2)


SHUFFLE_DEPTHS = (4, 8, 4)
SHUFFLE_V2 = (116, 232, 464)


class CifarShuffleNetV2(nn.Module):
  def __init__(self, classes):
    super().__init__()
    self.conv1 = Conv2d(3, 24, 1, bias=False)
    self.bn1 = BatchNorm2d(24)
    features = 24
    for i, (width, depth) in enumerate(zip(SHUFFLE_V2, SHUFFLE_DEPTHS, strict=True)):
      stage = Sequential(ShuffleV2Down(features, width))
      for _ in range(depth - 1):
        stage.append(ShuffleV2Basic(width))
      setattr(self, f"layer{i + 1}", stage)
      features = width
    self.conv2 = Conv2d(features, 1024, 1, bias=False)
    self.bn2 = BatchNorm2d(1024)
    self.linear = Linear(1024, classes)

  def forward(self, x):
    x = F.relu(self.bn1(self.conv1(x)))
    outs, pres = run_stages(x, (self.layer1, self.layer2, self.layer3))
    features = pool(F.relu(self.bn2(self.conv2(outs[-1]))))
    return self.linear(features), features, outs, pres


class ShuffleV2Unit(nn.Module):
  """Torchvision's block, with the last ReLU after the shuffle."""

  def __init__(self, features_in, features_out, stride):
    super().__init__()
    half = features_out // 2
    self.branch1 = Sequential()
    if stride == 2:
      self.branch1 = Sequential(
        Conv2d(features_in, features_in, 3, 2, 1, groups=features_in, bias=False),
        BatchNorm2d(features_in),
        Conv2d(features_in, half, 1, bias=False),
        BatchNorm2d(half),
      )
    self.branch2 = Sequential(
      Conv2d(features_in if stride == 2 else half, half, 1, bias=False),
      BatchNorm2d(half),
      ReLU(),
      Conv2d(half, half, 3, stride, 1, groups=half, bias=False),
      BatchNorm2d(half),
      Conv2d(half, half, 1, bias=False),
      BatchNorm2d(half),
    )
    self.stride = stride

  def forward(self, x):
    left, right = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
    return shuffle(torch.cat([left, self.branch2(right)], 1), 2)


class ShuffleNetV2(nn.Module):
  def __init__(self, classes):
    super().__init__()
    self.conv1 = Sequential(Conv2d(3, 24, 3, 2, 1, bias=False), BatchNorm2d(24), ReLU())
    features = 24
    for i, (width, depth) in enumerate(zip(SHUFFLE_V2, SHUFFLE_DEPTHS, strict=True)):
      stage = Sequential(ShuffleV2Unit(features, width, 2))
      for _ in range(depth - 1):
        stage.append(ShuffleV2Unit(width, width, 1))
      setattr(self, f"stage{i + 2}", stage)
      features = width
    self.conv5 = Sequential(Conv2d(features, 1024, 1, bias=False), BatchNorm2d(1024), ReLU())
    self.fc = Linear(1024, classes)

  def forward(self, x):
    x = F.max_pool2d(self.conv1(x), 3, 2, 1)
    outs, pres = run_stages(x, (self.stage2, self.stage3, self.stage4))
    features = pool(self.conv5(outs[-1]))
    return self.fc(features), features, outs, pres


MOBILE_V2 = (
  (1, 16, 1, 1),
  (6, 24, 2, 2),
  (6, 32, 3, 2),
  (6, 64, 4, 2),
  (6, 96, 3, 1),
  (6, 160, 3, 2),
  (6, 320, 1, 1),
)


class MobileBlock(nn.Module):
  def __init__(self, conv, residual):
    super().__init__()
    self.conv = conv
    self.residual = residual

  def forward(self, x):
    return self.conv(x) + x if self.residual else self.conv(x)


class CifarMobileNetV2(nn.Module):
  def __init__(self, classes):
    super().__init__()
    self.conv1 = Sequential(Conv2d(3, 16, 3, 2, 1, bias=False), BatchNorm2d(16), ReLU())
    features = 16
    self.blocks = nn.ModuleList()
    for t, c, n, s in MOBILE_V2:
      c = c // 2
      group = Sequential()
      for j in range(n):
        stride = s if j == 0 and c != 12 else 1
        middle = features * t
        conv = Sequential(
          Conv2d(features, middle, 1, bias=False),
          BatchNorm2d(middle),
          ReLU(),
          Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
          BatchNorm2d(middle),
          ReLU(),
          Conv2d(middle, c, 1, bias=False),
          BatchNorm2d(c),
        )
        group.append(MobileBlock(conv, stride == 1 and features == c))
        features = c
      self.blocks.append(group)
    self.conv2 = Sequential(Conv2d(features, 1280, 1, bias=False), BatchNorm2d(1280), ReLU())
    self.classifier = Sequential(Linear(1280, classes))

  def forward(self, x):
    x = self.conv1(x)
    outs = []
    for i, group in enumerate(self.blocks):
      x = group(x)
      if i in (1, 2, 4, 6):
        outs.append(x)
    features = pool(self.conv2(x))
    return self.classifier(features), features, outs, outs


def conv_bn_relu6(features_in, features_out, size, stride=1, groups=1):
  return Sequential(
    Conv2d(features_in, features_out, size, stride, size // 2, groups=groups, bias=False),
    BatchNorm2d(features_out),
    nn.ReLU6(),
  )


class MobileNetV2(nn.Module):
  def __init__(self, classes):
    super().__init__()
    self.features = Sequential(conv_bn_relu6(3, 32, 3, 2))
    features = 32
    for t, c, n, s in MOBILE_V2:
      for j in range(n):
        stride = s if j == 0 else 1
        middle = features * t
        conv = Sequential()
        if t > 1:
          conv.append(conv_bn_relu6(features, middle, 1))
        conv.append(conv_bn_relu6(middle, middle, 3, stride, middle))
        conv.append(Conv2d(middle, c, 1, bias=False))
        conv.append(BatchNorm2d(c))
        residual = stride == 1 and features == c
        self.features.append(MobileBlock(conv, residual))
        features = c
    self.features.append(conv_bn_relu6(features, 1280, 1))
    self.classifier = Sequential(nn.Dropout(0.2), Linear(1280, classes))

  def forward(self, x):
    depths = [n for _, _, n, _ in MOBILE_V2]
    ends = [sum(depths[: i + 1]) for i in (1, 2, 4, 6)]
    outs = []
    for i, layer in enumerate(self.features):
      x = layer(x)
      if i in ends:
        outs.append(x)
    features = pool(x)
    return self.classifier(features), features, outs, outs


class AlexNet(nn.Module):
  def __init__(self, small, classes):
    super().__init__()
    layers = [
      Conv2d(3, 64, 11, 2 if small else 4, 2),
      ReLU(),
      nn.MaxPool2d(3, 2),
      Conv2d(64, 192, 5, padding=2),
      ReLU(),
      nn.MaxPool2d(3, 2),
      Conv2d(192, 384, 3, padding=1),
      ReLU(),
      Conv2d(384, 256, 3, padding=1),
      ReLU(),
      Conv2d(256, 256, 3, padding=1),
      ReLU(),
    ]
    self.features = Sequential(*layers)
    if not small:
      self.features.append(nn.MaxPool2d(3, 2))
    self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
    self.classifier = Sequential(
      nn.Dropout(0.5),
      Linear(256 * 6 * 6, 4096),
      ReLU(),
      nn.Dropout(0.5),
      Linear(4096, 4096),
      ReLU(),
      Linear(4096, classes),
    )

  def forward(self, x):
    outs, pres = [], []
    for i, layer in enumerate(self.features):
      x = layer(x)
      if i in (0, 3, 10):
        pres.append(x)
      if i in (1, 4, 11):
        outs.append(x)
    features = self.classifier[:-1](self.avgpool(x).flatten(1))
    return self.classifier[-1](features), features, outs, pres


class MLP(nn.Module):
  def __init__(self, inputs, depth, width, classes, feature_dim=None):
    super().__init__()
    self.hidden = nn.ModuleList()
    for _ in range(depth):
      self.hidden.append(Linear(inputs, width))
      inputs = width
    self.neck = feature_dim and Linear(width, feature_dim, bias=False)
    self.classifier = Linear(feature_dim or width, classes, bias=feature_dim is None)

  def forward(self, x):
    # Ours flattens images with the channels last.
    x = x.permute(0, 2, 3, 1).flatten(1)
    outs, pres = [], []
    for layer in self.hidden:
      pres.append(layer(x))
      outs.append(F.relu(pres[-1]))
      x = outs[-1]
    features = self.neck(x) if self.neck else x
    return self.classifier(features), features, outs, pres


def build(name, classes, image_size=32):
  """Returns the reference of a registered name; it is a ConfigError if there is none."""
  cifar = image_size <= 64
  vgg = {
    "vgg8": (1, 1, 1, 1, 1),
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
  }
  imagenet = {
    "resnet18": (BasicBlock, (2, 2, 2, 2), {}),
    "resnet34": (BasicBlock, (3, 4, 6, 3), {}),
    "resnet50": (Bottleneck, (3, 4, 6, 3), {}),
    "wide_resnet26_2": (Bottleneck, (2, 2, 2, 2), {"base_width": 128}),
    "wide_resnet50_2": (Bottleneck, (3, 4, 6, 3), {"base_width": 128}),
    "resnext50_32x4d": (Bottleneck, (3, 4, 6, 3), {"groups": 32, "base_width": 4}),
    "resnext101_32x8d": (Bottleneck, (3, 4, 23, 3), {"groups": 32, "base_width": 8}),
  }
  if name == "resnet50" and image_size <= 32:
    return toolkit_resnet50((3, 4, 6, 3), classes)
  if name in vgg:
    return VGG(vgg[name], classes)
  if name in imagenet:
    block, depths, options = imagenet[name]
    return imagenet_resnet(block, depths, classes, **options)
  if name.startswith("resnext29_"):
    return cifar_resnext(int(name[10:].split("x")[0]), classes)
  if name.endswith("_a"):
    return option_a_resnet(((int(name[6:-2]) - 2) // 6,) * 3, classes)
  if name.endswith("x4"):
    return toolkit_resnet(int(name[6:-2]), classes)
  if name.startswith("resnet"):
    return cifar_resnet(int(name[6:]), classes)
  if name.startswith("wrn"):
    depth, width = name[3:].split("_")
    return WideResNet(int(depth), int(width), classes)
  match name:
    case "shufflenet_v1":
      return ShuffleNetV1(classes)
    case "shufflenet_v2":
      return CifarShuffleNetV2(classes) if cifar else ShuffleNetV2(classes)
    case "mobilenet_v2":
      return CifarMobileNetV2(classes) if cifar else MobileNetV2(classes)
    case "alexnet":
      return AlexNet(cifar, classes)
    case "mlp":
      return MLP(3 * image_size**2, 2, 256, classes)
  raise ConfigError(
    f"--networks has {name!r}, which is not compared with PyTorch; --pytorch= leaves it out"
  )
