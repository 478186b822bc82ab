"""What is known about each data set, with the source of every figure."""

import dataclasses

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
    builder: the TFDS builder; empty for what a package embeds.
    train_split: the split to train on.
    test_split: the split that the reported accuracy is from.
  """

  name: str
  num_classes: int
  image_size: int
  channels: int
  mean: tuple[float, ...]
  std: tuple[float, ...]
  padding: int
  flip: bool
  builder: str = ""
  train_split: str = "train"
  test_split: str = "test"


def _by_name(*specs: Spec) -> dict[str, Spec]:
  return {spec.name: spec for spec in specs}


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
    flip=False,
  ),
  # ImageNet's mean and std, as in the authors' code; padding 4 and flip are
  # everybody's.
  Spec(
    name="cifar10",
    num_classes=10,
    image_size=32,
    channels=3,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    padding=4,
    flip=True,
    builder="cifar10",
  ),
  Spec(
    name="cifar100",
    num_classes=100,
    image_size=32,
    channels=3,
    mean=IMAGENET_MEAN,
    std=IMAGENET_STD,
    padding=4,
    flip=True,
    builder="cifar100",
  ),
  # Mean and std of the training split, as in PyTorch's MNIST example.
  Spec(
    name="mnist",
    num_classes=10,
    image_size=28,
    channels=1,
    mean=(0.1307,),
    std=(0.3081,),
    padding=2,
    flip=False,
    builder="mnist",
  ),
  # Mean and std of the training split. No flip: digits are not symmetric.
  Spec(
    name="svhn",
    num_classes=10,
    image_size=32,
    channels=3,
    mean=(0.4377, 0.4438, 0.4728),
    std=(0.1980, 0.2010, 0.1970),
    padding=4,
    flip=False,
    builder="svhn_cropped",
  ),
)
