"""What the experiments of a data set share: the authors' recipes."""

import ml_collections

from configs import paper
from jaxkd import config as jaxkd_config


def parse_arg(
  arg: str | None, **defaults: str | bool
) -> ml_collections.ConfigDict:
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
      raise jaxkd_config.ConfigError(
        f"config argument {name!r} must be "
        + jaxkd_config.nearest(name, defaults)
      )
    switch = isinstance(defaults[name], bool)
    if switch == bool(equals):
      raise jaxkd_config.ConfigError(
        f"config argument {part!r} must be "
        + (f"{name!r}" if switch else f"'{name}=...'")
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
  config.teacher.name = options.teacher
  config.teacher.epochs = 40.0
  config.small_teacher.name = "resnet8"
  config.small_teacher.epochs = 40.0
  config.takd.assistants = ("resnet14",)
  # So short that the student alone doesn't get to its best.
  config.student.name = options.student
  config.student.epochs = 6.0
  config.seeds = (0, 1, 2)
  config.run.eval_every_epochs = 2.0
  return config


def cifar100(arg: str | None, title: str) -> ml_collections.ConfigDict:
  """The authors' recipe, from whose values most defaults are.

  Args:
    arg: `teacher=`, `student=`, and `runlocal` for a few epochs of a small
      pair.
    title: the experiment's name.
  """
  options = parse_arg(arg, teacher="resnet110", student="vgg8", runlocal=False)
  config = jaxkd_config.default()
  config.title = title
  config.data.name = "cifar100"
  config.data.batch_size = 128
  config.teacher.name = options.teacher
  config.small_teacher.name = "resnet20"
  # The paper doesn't say which assistant it uses.
  config.takd.assistants = ("resnet56",)
  config.student.name = options.student
  if options.teacher == "resnet110":
    config.paper = paper.accuracies("cifar100", options.student)
  if options.runlocal:
    config.teacher.name, config.student.name = "resnet20", "resnet8"
    config.small_teacher.name, config.takd.assistants = "resnet8", ("resnet14",)
    for network in (config.teacher, config.small_teacher, config.student):
      network.epochs = 4.0
    config.paper = {}
    config.run.checkpoint_every_steps = 100
  return config
