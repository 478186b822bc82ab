"""What the experiments of a data set share: the authors' recipes."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from jaxkd.analysis import plan
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import config as jaxkd_config
from jaxkd.runs import paper

Networks = Mapping[str, tuple[str, Mapping[str, Any]]]
"""By a title, the network's name and options, from small to large."""


def parse_arg(arg: str | None, **defaults: str | bool) -> ml_collections.ConfigDict:
  """Reads `runlocal,student=vgg8`, the part of `--config` after the colon.

  Args:
    arg: that part; None if there is none.
    **defaults: what may be named, with its default; a boolean is switched on by
      its bare name.

  Raises:
    ConfigError: an unknown name, a value too many or too few.
  """
  values = dict(defaults)
  for part in filter(None, (arg or "").split(",")):
    name, equals, value = part.partition("=")
    if name not in defaults:
      raise ConfigError(f"config argument {name!r} must be " + nearest(name, defaults))
    switch = isinstance(defaults[name], bool)
    if switch == bool(equals):
      raise ConfigError(
        f"config argument {part!r} must be " + (f"{name!r}" if switch else f"'{name}=...'")
      )
    values[name] = True if switch else value
  return ml_collections.ConfigDict(values)


def digits(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """scikit-learn's digits: 1437 images of 8x8 to train on, 360 to test.

  Args:
    arg: `teacher=`, `student=`.
    title: the experiment's name.
  """
  options = parse_arg(arg, teacher="resnet20", student="resnet8")
  config = jaxkd_config.default()
  config.title = title
  config.data.name = "digits"
  config.data.batch_size = 64
  _set_teacher(config, options.teacher)
  config.teacher.epochs = 40.0
  config.small_teacher.name = "resnet8"
  config.small_teacher.epochs = 40.0
  config.multi.networks = ("teacher", "resnet14")
  # So short that the student alone doesn't get to its best.
  config.student.name = options.student
  config.student.epochs = 6.0
  config.seeds = (0, 1, 2)
  config.run.eval_every_epochs = 2.0
  return config


# Networks to see everything work with: large, small.
_SMALL = ("resnet20", "resnet8")
_SMALL_PHOTOS = ("resnet34", "mobilenet_v2")

# Of middle size for each teacher, of its family where that has one; the paper
# doesn't say which assistant it uses.
_ASSISTANTS = {
  "resnet110": "resnet56",
  "resnet56": "resnet32",
  "resnet44": "resnet20",
  "resnet32": "resnet20",
  "resnet20": "resnet14",
  "resnet14": "resnet8",
  "wrn28_8": "wrn28_4",
  "wrn28_4": "wrn28_2",
  "wrn28_3": "wrn28_2",
  "wrn28_2": "wrn28_1",
  "wrn40_2": "wrn16_2",
  "resnext29_64x4d": "resnext29_16x4d",
  "resnext29_32x4d": "resnext29_8x4d",
  "resnext29_16x4d": "resnext29_4x4d",
  "resnext29_8x4d": "resnext29_4x4d",
  "vgg19": "vgg13",
  "vgg16": "vgg11",
  "vgg13": "vgg11",
  "vgg11": "vgg8",
  "resnet50": "resnet34",
  "resnet34": "resnet18",
  "wide_resnet50_2": "resnet50",
  "wide_resnet26_2": "resnet50",
  "resnext101_32x8d": "resnet50",
  "resnext50_32x4d": "resnet34",
}


# For each student of the paper a residual student: the original has a "much more
# lightweight" one than the student (Li et al., arXiv 2006.04719), the paper
# doesn't say which it has. These have at most a tenth of the parameters and
# 40 % of the arithmetic, but for MobileNetV2: more arithmetic than its form for
# small images, half of that for large ones. ShuffleNetV2 is the smallest for
# large images: it has itself, as any other student has.
_RESIDUALS = {
  "vgg8": "resnet20",
  "shufflenet_v1": "resnet8",
  "shufflenet_v2": "resnet8",
  "mobilenet_v2": "resnet8",
  "alexnet": "resnet8",
}
_RESIDUALS_PHOTOS = {
  "mobilenet_v2": "shufflenet_v2",
  "alexnet": "shufflenet_v2",
}


def _set_student(config: ml_collections.ConfigDict, name: str, photos: bool) -> None:
  """Sets the student, and the residual student that is added to it."""
  residuals = _RESIDUALS_PHOTOS if photos else _RESIDUALS
  config.student.name = name
  config.reskd.network = residuals.get(name, "")


def _set_teacher(config: ml_collections.ConfigDict, name: str) -> None:
  """Sets the large teacher, and the assistant between it and the student."""
  config.teacher.name = name
  # For another teacher, the row takd asks for one.
  config.takd.assistants = (_ASSISTANTS[name],) if name in _ASSISTANTS else ()


def _paper_recipe(
  dataset: str,
  arg: str | None,
  title: str,
  *,
  teacher: str,
  small_teacher: str,
  student: str,
  batch_size: int = 128,
  photos: bool = False,
) -> ml_collections.ConfigDict:
  """Returns the authors' recipe, from whose values most defaults are.

  `runlocal` of the argument gives a few epochs of a small pair; `photos` says
  that images are of 224x224.
  """
  options = parse_arg(arg, teacher="", student="", runlocal=False)
  config = jaxkd_config.default()
  config.title = title
  config.data.name = dataset
  config.data.batch_size = batch_size
  _set_teacher(config, options.teacher or teacher)
  config.small_teacher.name = small_teacher
  _set_student(config, options.student or student, photos)
  config.paper.accuracies = paper.accuracies(dataset, config.student.name)
  config.paper.data, config.paper.teacher = dataset, teacher
  config.paper.student = config.student.name
  if options.runlocal:
    # Other networks, unless some are asked for, and no time to compare with.
    large, small = _SMALL_PHOTOS if photos else _SMALL
    config.paper.accuracies = {}
    _set_teacher(config, options.teacher or large)
    _set_student(config, options.student or small, photos)
    config.small_teacher.name = small
    config.multi.networks = ("teacher", "resnet18" if photos else "resnet14")
    for network in (config.teacher, config.small_teacher, config.student):
      network.epochs = 4.0
    config.run.checkpoint_every_steps = 100
  return config


def cifar10(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """CIFAR-10, with the networks of the ATS paper."""
  return _paper_recipe(
    "cifar10",
    arg,
    title,
    teacher="resnet110",
    small_teacher="resnet20",
    student="vgg8",
  )


def cifar100(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """CIFAR-100: teachers ResNet-110 (74.09 % in the paper) and ResNet-20."""
  return _paper_recipe(
    "cifar100",
    arg,
    title,
    teacher="resnet110",
    small_teacher="resnet20",
    student="vgg8",
  )


def tiny_imagenet(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """TinyImageNet: teachers WRN-50-2 (66.28 %) and WRN-26-2.

  On images as they are, 64x64; the paper doesn't say whether it resizes them.
  """
  return _paper_recipe(
    "tiny_imagenet",
    arg,
    title,
    teacher="wide_resnet50_2",
    small_teacher="wide_resnet26_2",
    student="alexnet",
  )


def _from_imagenet(dataset: str, arg: str | None, title: str) -> ml_collections.ConfigDict:
  """Returns the recipe of CUB and Dogs, on 224x224 in batches of 64.

  The paper's accuracies mean that its networks start from ImageNet's weights,
  though it doesn't say so. They are not ours to ship:
  `--config.teacher.init_from=FILE`, likewise for `small_teacher`, `student`, and
  for the assistant and the residual student in `takd` and `reskd`.
  """
  return _paper_recipe(
    dataset,
    arg,
    title,
    teacher="resnext101_32x8d",
    small_teacher="resnext50_32x4d",
    student="alexnet",
    batch_size=64,
    photos=True,
  )


def cub(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """CUB-200-2011: teachers ResNeXt-101-32x8d (79.50 %), ResNeXt-50-32x4d."""
  return _from_imagenet("cub", arg, title)


def dogs(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """Stanford Dogs: teachers ResNeXt-101-32x8d (73.98 %), ResNeXt-50-32x4d."""
  return _from_imagenet("dogs", arg, title)


def digits_five(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """Digits-Five, 50 classes, with the VGGs of the paper's Table 1."""
  return _paper_recipe(
    "digits_five",
    arg,
    title,
    teacher="vgg19",
    small_teacher="vgg13",
    student="vgg8",
  )


def imagenet(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """ImageNet, which the paper doesn't train on: 100 epochs, batches of 256."""
  config = _paper_recipe(
    "imagenet2012",
    arg,
    title,
    teacher="resnet50",
    small_teacher="resnet34",
    student="mobilenet_v2",
    batch_size=256,
    photos=True,
  )
  # The field's usual recipe: steps at 30, 60 and 90 of 100 epochs.
  for network in (config.teacher, config.small_teacher, config.student):
    network.epochs = min(network.epochs, 100.0)
    network.learning_rate = 0.1
  config.optim.weight_decay = 1e-4
  config.optim.warmup = 5 / 100
  config.optim.milestones = (0.3, 0.6, 0.9)
  return config


RECIPES = {
  "digits": digits,
  "cifar10": cifar10,
  "cifar100": cifar100,
  "tiny_imagenet": tiny_imagenet,
  "cub": cub,
  "dogs": dogs,
  "digits_five": digits_five,
  "imagenet": imagenet,
}
"""The recipe of each data set, by the first part of its configs' names."""


def students(dataset: str) -> list[str]:
  """Returns the students of the paper, or the recipe's where it has none."""
  named = [student for name, student in paper.COLUMNS if name == dataset]
  return named or [RECIPES[dataset](None, "").student.name]


CIFAR_SERIES = {
  "resnet": [f"resnet{depth}" for depth in (8, 14, 20, 32, 44, 56, 110)],
  "wrn": [f"wrn28_{width}" for width in (1, 2, 3, 4, 8)],
  "resnext": [f"resnext29_{groups}x4d" for groups in (4, 8, 16, 32, 64)],
  "vgg": [f"vgg{depth}" for depth in (8, 11, 13, 16, 19)],
}
"""Networks of one family, from small to large."""


def analysis(
  arg: str | None,
  dataset: str,
  series: Mapping[str, Sequence[str] | Networks],
  **network_options: Any,
) -> ml_collections.ConfigDict:
  """Returns the analysis of teachers that the data set's recipe trains.

  Args:
    arg: `series=`, one of `series`; `teachers=`, names joined by +, instead;
      `epochs=` of each teacher; `student=`; `runlocal`: a few epochs of no more
      than three teachers.
    dataset: a key of `RECIPES`, mnist or svhn.
    series: names of networks, from small to large, or networks by title, by
      what to call them; the first one is the default.
    **network_options: of all teachers' networks.
  """
  options = parse_arg(
    arg,
    series=next(iter(series)),
    teachers="",
    epochs="",
    student="",
    runlocal=False,
  )
  networks = _networks(named_series(options.series, series))
  if options.runlocal:
    networks = dict(itertools.islice(networks.items(), 3))
  if options.teachers:
    networks = _networks(options.teachers.split("+"))
  passed = [f"student={options.student}"] if options.student else []
  passed += ["runlocal"] if options.runlocal else []
  recipe = RECIPES.get(dataset) or functools.partial(_features, dataset)
  config = recipe(",".join(passed), f"analysis_{dataset}")
  config.rows = ("nokd", "kd", "ats", "isats")
  _set_teacher(config, list(networks.values())[-1][0])
  if options.epochs:
    try:
      config.teacher.epochs = float(options.epochs)
    except ValueError:
      raise ConfigError(
        f"config argument 'epochs' is {options.epochs!r}, must be a number"
      ) from None
  plan.add_teachers(
    config,
    {title: (name, {**own, **network_options}) for title, (name, own) in networks.items()},
  )
  return config


def _features(dataset: str, arg: str | None, title: str) -> ml_collections.ConfigDict:
  """MNIST and SVHN, on which the paper has no students: the CIFARs' recipe."""
  return _paper_recipe(
    dataset,
    arg,
    title,
    teacher="vgg19",
    small_teacher="vgg13",
    student="vgg8",
  )


def _networks(named: Sequence[str] | Networks) -> Networks:
  if isinstance(named, Mapping):
    return named
  return {name: (name, {}) for name in named}


def named_series(name: str, series: Mapping[str, Any]) -> Any:
  """Returns the series that the argument `series=` names."""
  if name not in series:
    raise ConfigError(f"config argument 'series' is {name!r}, must be " + nearest(name, series))
  return series[name]
