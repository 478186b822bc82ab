"""The recipes of the data sets: networks, epochs and batches that their experiments share."""

import itertools
from typing import NamedTuple

import ml_collections

from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import config as config_module
from jaxkd.runs import paper


class Recipe(NamedTuple):
  """The authors' recipe on one data set; its other values are the defaults of the config.

  `jaxkd.training.optim.RECIPE` has the differences of the schedule from the authors' code.
  """

  data: str
  teacher: str
  small_teacher: str
  student: str
  batch_size: int = 128
  # Whether images are photographs of 224x224.
  photos: bool = False


RECIPES = {
  "digits": Recipe("digits", "resnet20", "resnet8", "resnet8", batch_size=64),
  # The networks of the ATS paper.
  "cifar10": Recipe("cifar10", "resnet110", "resnet20", "vgg8"),
  "cifar100": Recipe("cifar100", *paper.TEACHERS["cifar100"], "vgg8"),
  # The images stay 64x64; the paper doesn't say whether it resizes them.
  "tiny_imagenet": Recipe("tiny_imagenet", *paper.TEACHERS["tiny_imagenet"], "alexnet"),
  # The paper's accuracies need ImageNet's weights: `--config.teacher.init_from=FILE`, likewise for
  # `small_teacher`, `student`, and for the further networks of `takd` and `reskd`.
  "cub": Recipe("cub", *paper.TEACHERS["cub"], "alexnet", batch_size=64, photos=True),
  "dogs": Recipe("dogs", *paper.TEACHERS["dogs"], "alexnet", batch_size=64, photos=True),
  # The paper's Table 1, Fig. 2 on MNIST and on SVHN.
  **{d: Recipe(d, "vgg19", "vgg13", "vgg8") for d in ("digits_five", "mnist", "svhn")},
  # The paper doesn't train on it.
  "imagenet": Recipe("imagenet2012", "resnet50", "resnet34", "mobilenet_v2", 256, photos=True),
}
"""The recipe of each data set, by the first part of its configs' names."""

# The assistant of a teacher is the next network of its ladder: of middle size, of its family
# if that has one. The paper doesn't name its assistants.
_LADDERS = (
  ("resnet110", "resnet56", "resnet32", "resnet20", "resnet14", "resnet8"),
  ("resnet44", "resnet20"),
  ("wrn28_8", "wrn28_4", "wrn28_2", "wrn28_1"),
  ("wrn28_3", "wrn28_2"),
  ("wrn40_2", "wrn16_2"),
  ("resnext29_64x4d", "resnext29_16x4d", "resnext29_4x4d"),
  ("resnext29_32x4d", "resnext29_8x4d", "resnext29_4x4d"),
  ("vgg19", "vgg13", "vgg11", "vgg8"),
  ("vgg16", "vgg11"),
  ("wide_resnet50_2", "resnet50", "resnet34", "resnet18"),
  ("wide_resnet26_2", "resnet50"),
  ("resnext101_32x8d", "resnet50"),
  ("resnext50_32x4d", "resnet34"),
)
_ASSISTANTS = dict(itertools.chain.from_iterable(map(itertools.pairwise, _LADDERS)))

# For each student of the paper a residual student: the original has a "much more lightweight" one
# than the student (Li et al., arXiv 2006.04719), the paper doesn't say which it has. These have at
# most a tenth of the parameters and 40 % of the arithmetic, but for MobileNetV2: more arithmetic
# than its form for small images, half of that for large ones. Any other student is its own residual
# student, ShuffleNetV2 on large images, too: it is the smallest for these.
_RESIDUALS = {
  "vgg8": "resnet20",
  **dict.fromkeys(("shufflenet_v1", "shufflenet_v2", "mobilenet_v2", "alexnet"), "resnet8"),
}
_RESIDUALS_PHOTOS = {"mobilenet_v2": "shufflenet_v2", "alexnet": "shufflenet_v2"}


def recipe(
  dataset: str, arg: str | None = None, *, title: str, rows: tuple[str, ...] = ()
) -> ml_collections.ConfigDict:
  """Returns an experiment by the recipe of a data set, a key of `RECIPES`.

  The parts of `arg`, joined by commas, are `teacher=` and `student=`, names of networks, and
  `runlocal`: a few epochs of a small pair, as a trial.
  """
  if dataset not in RECIPES:
    raise ConfigError(f"the data set is {dataset!r}, must be {nearest(dataset, RECIPES)}")
  own = RECIPES[dataset]
  options = parse_arg(arg, teacher="", student="", runlocal=False)
  short = options.runlocal and dataset != "digits"
  if short:
    large, small = ("resnet34", "mobilenet_v2") if own.photos else ("resnet20", "resnet8")
    own = own._replace(teacher=large, small_teacher=small, student=small)
  config = config_module.default()
  config.title, config.rows = title, rows or config.rows
  config.data.name, config.data.batch_size = own.data, own.batch_size
  config.small_teacher.name = own.small_teacher
  set_teacher(config, options.teacher or own.teacher)
  config.student.name = options.student or own.student
  residuals = _RESIDUALS_PHOTOS if own.photos else _RESIDUALS
  config.reskd.network = residuals.get(config.student.name, "")
  networks = config.teacher, config.small_teacher, config.student
  if dataset == "digits":
    # 1437 images of 8x8 to train on, 360 to test.
    config.teacher.epochs = config.small_teacher.epochs = 40.0
    # So short that the student alone doesn't reach its best.
    config.student.epochs = 6.0
    config.multi.networks = ("teacher", "resnet14")
    config.reskd.network = ""
    config.seeds = (0, 1, 2)
    config.run.eval_every_epochs = 2.0
  elif dataset == "imagenet":
    # The field's usual recipe: steps at 30, 60 and 90 of 100 epochs.
    for network in networks:
      network.epochs, network.learning_rate = 100.0, 0.1
    config.optim.weight_decay, config.optim.warmup = 1e-4, 5 / 100
    config.optim.milestones = (0.3, 0.6, 0.9)
  if short:
    config.multi.networks = ("teacher", "resnet18" if own.photos else "resnet14")
    for network in networks:
      network.epochs = 4.0
    config.run.checkpoint_every_steps = 100
  return config


def set_teacher(config: ml_collections.ConfigDict, name: str) -> None:
  """Sets the large teacher, and the assistant between it and the student."""
  config.teacher.name = name
  # With any other teacher, the row takd needs assistants by name.
  config.takd.assistants = (_ASSISTANTS[name],) if name in _ASSISTANTS else ()


def students(dataset: str) -> list[str]:
  """Returns the students of the paper, or the recipe's where it has none."""
  named = [student for name, student in paper.COLUMNS if name == dataset]
  return named or [RECIPES[dataset].student]


def parse_arg(arg: str | None, **defaults: str | bool) -> ml_collections.ConfigDict:
  """Reads `runlocal,student=vgg8`, the part of `--config` after the colon.

  The known names are those of `defaults`; the bare name of a boolean sets it.
  """
  values = dict(defaults)
  for part in filter(None, (arg or "").split(",")):
    name, equals, value = part.partition("=")
    if name not in defaults:
      raise ConfigError(f"config argument {name!r} must be {nearest(name, defaults)}")
    switch = isinstance(defaults[name], bool)
    if switch == bool(equals):
      wanted = f"{name!r}" if switch else f"'{name}=...'"
      raise ConfigError(f"config argument {part!r} must be {wanted}")
    values[name] = True if switch else value
  return ml_collections.ConfigDict(values)
