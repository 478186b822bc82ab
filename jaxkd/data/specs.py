"""What is known about each data set, with the source of every figure."""

import dataclasses
from collections.abc import Iterable

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class Spec:
  """One data set.

  Attributes:
    name: as in `config.data.name`.
    num_classes: number of classes.
    image_size: height and width of the network's input, in pixels.
    channels: 1 or 3.
    mean: per channel, of pixels scaled to [0, 1].
    std: per channel, of pixels scaled to [0, 1].
    padding: zero pixels around a training image before a random crop back to
      `image_size`; 0 for no crop.
    flip: whether training images are flipped horizontally, half of the time.
    resize: the shorter side of every image becomes that long; a random-resized
      crop is trained on, the middle `image_size` pixels are evaluated. 0 where
      images are squares of one size.
    sizes: number of examples to train on and to test on, as published; None if
      there is nothing published.
    builder: the TFDS builder, `name` or `name/config`; empty for what a package
      embeds, for folders and for joined sets.
    train_split: the split to train on.
    test_split: the split that the reported accuracy is from.
    label: the feature that is the label.
    domains: the data sets that this one joins; the classes of each are classes
      of their own.
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


def _photos(name: str, num_classes: int, **fields) -> Spec:
  """Photographs of any size: resize to 256, crop 224, ImageNet's mean, std."""
  return Spec(
    name=name,
    num_classes=num_classes,
    image_size=224,
    channels=3,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    flip=True,
    resize=256,
    **fields,
  )


def folder(num_classes: int) -> Spec:
  """Returns the spec of the user's own photographs, a folder for each class."""
  return _photos("folder", num_classes)


def joined(name: str, domains: Iterable[Spec]) -> Spec:
  """Returns the spec of several sets of ten digits as one task.

  As CIFAR's, but for the flip: 32 pixels, three channels, ImageNet's mean and
  std, padding 4. Those of the domains are not used.
  """
  whole = Spec(
    name=name,
    num_classes=0,
    image_size=32,
    channels=3,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    padding=4,
  )
  parts = tuple(
    dataclasses.replace(
      whole,
      name=domain.name,
      num_classes=domain.num_classes,
      sizes=domain.sizes,
      builder=domain.builder,
      train_split=domain.train_split,
      test_split=domain.test_split,
    )
    for domain in domains
  )
  return dataclasses.replace(
    whole,
    num_classes=sum(part.num_classes for part in parts),
    domains=parts,
  )


def _by_name(*specs: Spec) -> dict[str, Spec]:
  return {spec.name: spec for spec in specs}


# ImageNet's mean and std, as in the authors' code; padding 4 and flip are
# everybody's.
_CIFAR100 = Spec(
  name="cifar100",
  num_classes=100,
  image_size=32,
  channels=3,
  mean=IMAGENET_MEAN,
  std=IMAGENET_STD,
  padding=4,
  flip=True,
  sizes=(50_000, 10_000),
  builder="cifar100",
)

# Digits-Five's domains. Mean and std are those of the training splits: MNIST's
# as in PyTorch's example, USPS's of the original 16x16 pixels. Digits are not
# symmetric: no flip.
_MNIST = Spec(
  name="mnist",
  num_classes=10,
  image_size=28,
  channels=1,
  mean=(0.1307,),
  std=(0.3081,),
  padding=2,
  sizes=(60_000, 10_000),
  builder="mnist",
)
_USPS = dataclasses.replace(
  _MNIST,
  name="usps",
  mean=(0.2545,),
  std=(0.3846,),
  sizes=(7_438, 1_860),
  builder="digits_five/usps",
)
_SVHN = Spec(
  name="svhn",
  num_classes=10,
  image_size=32,
  channels=3,
  mean=(0.4377, 0.4438, 0.4728),
  std=(0.1980, 0.2010, 0.1970),
  padding=4,
  sizes=(73_257, 26_032),
  builder="svhn_cropped",
)
_MNIST_M = dataclasses.replace(
  _SVHN,
  name="mnist_m",
  mean=(0.456, 0.461, 0.409),
  std=(0.253, 0.237, 0.259),
  sizes=(55_000, 10_000),
  builder="digits_five/mnist_m",
)
_SYN = dataclasses.replace(
  _SVHN,
  name="syn",
  mean=(0.504, 0.498, 0.500),
  std=(0.275, 0.275, 0.275),
  sizes=(25_000, 9_000),
  builder="syn_digits",
)

SPECS = _by_name(
  # scikit-learn's: 1797 handwritten digits of the UCI test set. Mean and std
  # are those of the training split below. A digit fills its 8x8 pixels: a shift
  # by one is all that it bears.
  Spec(
    name="digits",
    num_classes=10,
    image_size=8,
    channels=1,
    mean=(0.305,),
    std=(0.376,),
    padding=1,
    sizes=(1_437, 360),
  ),
  dataclasses.replace(_CIFAR100, name="cifar10", num_classes=10, builder="cifar10"),
  _CIFAR100,
  dataclasses.replace(_CIFAR100, name="cifar100_coarse", num_classes=20, label="coarse_label"),
  # Mean and std of the training split; padding and flip as in Zhong et al.,
  # Random Erasing Data Augmentation.
  Spec(
    name="fashion_mnist",
    num_classes=10,
    image_size=28,
    channels=1,
    mean=(0.2860,),
    std=(0.3530,),
    padding=4,
    flip=True,
    sizes=(60_000, 10_000),
    builder="fashion_mnist",
  ),
  _MNIST,
  _MNIST_M,
  _USPS,
  _SVHN,
  _SYN,
  # As published in one archive, which has fewer images of some domains.
  joined(
    "digits_five",
    (
      dataclasses.replace(domain, builder=f"digits_five/{domain.name}")
      for domain in (
        dataclasses.replace(_MNIST, sizes=(55_000, 10_000)),
        _MNIST_M,
        _USPS,
        _SVHN,
        _SYN,
      )
    ),
  ),
  # Padding is the same share of the side as CIFAR's.
  Spec(
    name="tiny_imagenet",
    num_classes=200,
    image_size=64,
    channels=3,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    padding=8,
    flip=True,
    sizes=(100_000, 10_000),
    builder="tiny_imagenet",
  ),
  _photos("cub", 200, sizes=(5_994, 5_794), builder="cub"),
  _photos("dogs", 120, sizes=(12_000, 8_580), builder="stanford_dogs"),
  _photos(
    "imagenette",
    10,
    sizes=(9_469, 3_925),
    builder="imagenette/320px-v2",
    test_split="validation",
  ),
  _photos(
    "imagenet2012",
    1000,
    sizes=(1_281_167, 50_000),
    builder="imagenet2012",
    test_split="validation",
  ),
  # The number of classes is what the folder has.
  folder(0),
)

OF_TFDS = {
  "caltech_birds2011": "cub",
  "stanford_dogs": "dogs",
  "svhn_cropped": "svhn",
}
"""Our names of what TFDS calls otherwise."""

DIGITS = ("mnist", "mnist_m", "usps", "svhn", "syn")
"""The data sets that can be joined."""
