"""Facts about each data set, with the source of every figure."""

import dataclasses
from collections.abc import Iterable
from typing import Any

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Spec:
  """One data set.

  Attributes:
    name: as in `config.data.name`.
    num_classes: number of classes.
    image_size: height and width of the network's input, in pixels.
    channels: 1 for grey, 3 for colour.
    mean: per channel, of pixels scaled to [0, 1].
    std: per channel, of pixels scaled to [0, 1].
    padding: zero pixels around a training image before a random crop back to `image_size`; 0 for
      no crop.
    flip: whether training images are flipped horizontally, half of the time.
    resize: the length that every image's shorter side gets. Training then takes random-resized
      crops, evaluation the middle `image_size` pixels. 0 where images are squares of one size.
    sizes: published number of training and of test examples; None if nothing is published.
    builder: the TFDS builder, `name` or `name/config`; empty if TFDS has no part in it.
    train_split: the split to train on.
    test_split: the split that the reported accuracy is from.
    label: the feature that is the label.
    domains: the data sets that this one joins; each has classes of its own.
  """

  name: str
  num_classes: int
  image_size: int
  channels: int
  mean: tuple[float, ...]
  std: tuple[float, ...]
  padding: int = 0
  flip: bool = False
  resize: int = 0
  sizes: tuple[int, int] | None = None
  builder: str = ""
  train_split: str = "train"
  test_split: str = "test"
  label: str = "label"
  domains: tuple["Spec", ...] = ()

  @property
  def stored_size(self) -> int:
    """Height and width of the images that are augmented."""
    return self.resize or self.image_size


def _squares(
  name: str,
  num_classes: int,
  size: int,
  sizes: tuple[int, int] | None = None,
  builder: str = "",
  **fields: Any,
) -> Spec:
  """Colour images of one size; ImageNet's mean and std where nothing else is said."""
  usual: dict[str, Any] = {"channels": 3, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
  return Spec(name, num_classes, size, sizes=sizes, builder=builder, **usual | fields)


def _photos(name: str, num_classes: int, *published: Any, **fields: Any) -> Spec:
  """Photographs of any size: resize to 256, crop 224, ImageNet's mean and std."""
  return _squares(name, num_classes, 224, *published, flip=True, resize=256, **fields)


def folder(num_classes: int) -> Spec:
  """Returns the spec of the user's own photographs, a folder for each class."""
  return _photos("folder", num_classes)


def joined(name: str, domains: Iterable[Spec]) -> Spec:
  """Returns the spec of several sets of ten digits as one task.

  As CIFAR's but for the flip: 32 pixels, three channels, ImageNet's mean and std, padding 4. These
  replace the values of the domains.
  """
  whole = _squares(name, 0, 32, padding=4)
  kept = ("name", "num_classes", "sizes", "builder", "train_split", "test_split")
  parts = tuple(
    dataclasses.replace(whole, **{key: getattr(domain, key) for key in kept}) for domain in domains
  )
  num_classes = sum(part.num_classes for part in parts)
  return dataclasses.replace(whole, num_classes=num_classes, domains=parts)


# ImageNet's mean and std as in the authors' code; padding 4 and the flip are common practice.
_CIFAR: dict[str, Any] = {"sizes": (50_000, 10_000), "padding": 4, "flip": True}

# The domains of Digits-Five. Mean and std are those of the training splits: MNIST's as in
# PyTorch's example, USPS's of the original 16x16 pixels. Digits are not symmetric: no flip.
_GREY: dict[str, Any] = {"channels": 1, "padding": 2}
_MNIST = _squares(
  "mnist", 10, 28, (60_000, 10_000), "mnist", **_GREY, mean=(0.1307,), std=(0.3081,)
)
_USPS = _squares(
  "usps", 10, 28, (7_438, 1_860), "digits_five/usps", **_GREY, mean=(0.2545,), std=(0.3846,)
)
_SVHN = _squares(
  "svhn",
  10,
  32,
  (73_257, 26_032),
  "svhn_cropped",
  mean=(0.4377, 0.4438, 0.4728),
  std=(0.1980, 0.2010, 0.1970),
  padding=4,
)
_MNIST_M = dataclasses.replace(
  _SVHN,
  name="mnist_m",
  sizes=(55_000, 10_000),
  builder="digits_five/mnist_m",
  mean=(0.456, 0.461, 0.409),
  std=(0.253, 0.237, 0.259),
)
_SYN = dataclasses.replace(
  _SVHN,
  name="syn",
  sizes=(25_000, 9_000),
  builder="syn_digits",
  mean=(0.504, 0.498, 0.500),
  std=(0.275, 0.275, 0.275),
)


def _digits_five() -> Spec:
  """The five domains as published in one archive, which has fewer images of some."""
  domains = (dataclasses.replace(_MNIST, sizes=(55_000, 10_000)), _MNIST_M, _USPS, _SVHN, _SYN)
  return joined(
    "digits_five",
    (dataclasses.replace(domain, builder=f"digits_five/{domain.name}") for domain in domains),
  )


_ALL = (
  # scikit-learn's: 1797 handwritten digits of the UCI test set. Mean and std are those of the
  # training split. A digit fills its 8x8 pixels and bears a shift by one at most.
  _squares("digits", 10, 8, (1_437, 360), channels=1, mean=(0.305,), std=(0.376,), padding=1),
  _squares("cifar10", 10, 32, builder="cifar10", **_CIFAR),
  _squares("cifar100", 100, 32, builder="cifar100", **_CIFAR),
  _squares("cifar100_coarse", 20, 32, builder="cifar100", label="coarse_label", **_CIFAR),
  # Mean and std of the training split; padding and flip as in Zhong et al., Random Erasing Data
  # Augmentation.
  dataclasses.replace(
    _MNIST,
    name="fashion_mnist",
    builder="fashion_mnist",
    mean=(0.2860,),
    std=(0.3530,),
    padding=4,
    flip=True,
  ),
  *(_MNIST, _MNIST_M, _USPS, _SVHN, _SYN, _digits_five()),
  # Padding is the same share of the side as CIFAR's.
  _squares("tiny_imagenet", 200, 64, (100_000, 10_000), "tiny_imagenet", padding=8, flip=True),
  _photos("cub", 200, (5_994, 5_794), "cub"),
  _photos("dogs", 120, (12_000, 8_580), "stanford_dogs"),
  _photos("imagenette", 10, (9_469, 3_925), "imagenette/320px-v2", test_split="validation"),
  _photos("imagenet2012", 1000, (1_281_167, 50_000), "imagenet2012", test_split="validation"),
  # The number of classes is the number of folders.
  folder(0),
)

SPECS = {spec.name: spec for spec in _ALL}

OF_TFDS = {"caltech_birds2011": "cub", "stanford_dogs": "dogs", "svhn_cropped": "svhn"}
"""Our names of data sets that TFDS calls otherwise."""

DIGITS = ("mnist", "mnist_m", "usps", "svhn", "syn")
"""The data sets that can be joined."""
