"""Facts about each data set, with the source of every figure."""

import dataclasses
from collections.abc import Iterable
from typing import Any

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Spec:
  """One data set."""

  name: str  # as in `config.data.name`
  num_classes: int
  image_size: int  # height and width of the network's input, in pixels
  channels: int  # 1 for grey, 3 for colour
  mean: tuple[float, ...]  # per channel, of pixels scaled to [0, 1], and so is `std`
  std: tuple[float, ...]
  # Zero pixels around a training image before a random crop back to `image_size`; 0 for no crop.
  padding: int = 0
  flip: bool = False  # whether training images are flipped horizontally, half of the time
  # The length that every image's shorter side gets. Training then takes random-resized crops,
  # evaluation the middle `image_size` pixels. 0 where images are squares of one size.
  resize: int = 0
  sizes: tuple[int, int] | None = None  # published numbers of training and of test examples
  builder: str = ""  # TFDS's `name` or `name/config`; empty if TFDS has no part in it
  train_split: str = "train"
  test_split: str = "test"
  label: str = "label"  # the feature that is the label
  domains: tuple["Spec", ...] = ()  # the data sets that this one joins, with classes of their own

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
  mean: tuple[float, ...] = IMAGENET_MEAN,
  std: tuple[float, ...] = IMAGENET_STD,
  **fields: Any,
) -> Spec:
  """Images of one size, by default with ImageNet's mean and std."""
  channels = len(mean)
  return Spec(name, num_classes, size, channels, mean, std, sizes=sizes, builder=builder, **fields)


def _photos(name: str, num_classes: int, *published: Any, **fields: Any) -> Spec:
  """Photographs of any size: resize to 256, crop 224, ImageNet's mean and std."""
  return _squares(name, num_classes, 224, *published, flip=True, resize=256, **fields)


def folder(num_classes: int) -> Spec:
  """Returns the spec of a user's photographs, a folder for each class."""
  return _photos("folder", num_classes)


def joined(name: str, domains: Iterable[Spec]) -> Spec:
  """Returns the spec of several sets of ten digits as one task: CIFAR's, without the flip."""
  parts = tuple(_squares(d.name, 10, 32, d.sizes, d.builder, padding=4) for d in domains)
  return _squares(name, 10 * len(parts), 32, padding=4, domains=parts)


def _digits(name: str, builder: str, sizes: tuple[int, int], *mean_std: tuple[float, ...]) -> Spec:
  """A domain of Digits-Five; digits are not symmetric: no flip."""
  size, padding = (28, 2) if len(mean_std[0]) == 1 else (32, 4)
  return _squares(name, 10, size, sizes, builder, *mean_std, padding=padding)


# Mean and std are those of the training splits: MNIST's as in PyTorch's example, USPS's of the
# original 16x16 pixels.
_DOMAINS = (
  _digits("mnist", "mnist", (60_000, 10_000), (0.1307,), (0.3081,)),
  _digits(
    "mnist_m", "digits_five/mnist_m", (55_000, 10_000), (0.456, 0.461, 0.409), (0.253, 0.237, 0.259)
  ),
  _digits("usps", "digits_five/usps", (7_438, 1_860), (0.2545,), (0.3846,)),
  _digits(
    "svhn", "svhn_cropped", (73_257, 26_032), (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197)
  ),
  _digits("syn", "syn_digits", (25_000, 9_000), (0.504, 0.498, 0.500), (0.275, 0.275, 0.275)),
)
# All five in one archive, which has fewer images of MNIST.
_ONE_ARCHIVE = [dataclasses.replace(d, builder=f"digits_five/{d.name}") for d in _DOMAINS]
_ONE_ARCHIVE[0] = dataclasses.replace(_ONE_ARCHIVE[0], sizes=(55_000, 10_000))

# ImageNet's mean and std as in the authors' code; padding 4 and the flip are common practice.
_CIFAR: dict[str, Any] = {"padding": 4, "flip": True}

_ALL = (
  # scikit-learn's: 1797 handwritten digits of the UCI test set. Mean and std are those of the
  # training split. A digit fills its 8x8 pixels, so it is shifted by one pixel at most.
  _squares("digits", 10, 8, (1_437, 360), mean=(0.305,), std=(0.376,), padding=1),
  _squares("cifar10", 10, 32, (50_000, 10_000), "cifar10", **_CIFAR),
  _squares("cifar100", 100, 32, (50_000, 10_000), "cifar100", **_CIFAR),
  _squares("cifar100_coarse", 20, 32, (50_000, 10_000), "cifar100", label="coarse_label", **_CIFAR),
  # Mean and std of the training split; padding and flip as in Zhong et al., Random Erasing, 2017.
  _squares(
    "fashion_mnist", 10, 28, (60_000, 10_000), "fashion_mnist", (0.286,), (0.353,), **_CIFAR
  ),
  *_DOMAINS,
  joined("digits_five", _ONE_ARCHIVE),
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

# Names of data sets in this package, by their names in TFDS.
OF_TFDS = {"caltech_birds2011": "cub", "stanford_dogs": "dogs", "svhn_cropped": "svhn"}
DIGITS = tuple(domain.name for domain in _DOMAINS)  # they can be joined
