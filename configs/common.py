"""What the experiments of a data set share: the authors' recipes."""

import ml_collections

from jaxkd import config as jaxkd_config


def parse_arg(
  arg: str | None, **defaults: str | bool
) -> ml_collections.ConfigDict:
  """Reads `runlocal,student=vgg8`, the part of `--config` after the colon.

  Args:
    arg: that part; None if there is none.
    **defaults: what may be named, with its default. A boolean is switched on by
      its bare name.

  Raises:
    ConfigError: an unknown name.
  """
  values = dict(defaults)
  for part in filter(None, (arg or "").split(",")):
    name, given, value = part.partition("=")
    if name not in values:
      raise jaxkd_config.ConfigError(
        f"config argument {name!r}: must be "
        + jaxkd_config.nearest(name, defaults)
      )
    if isinstance(defaults[name], bool) == bool(given):
      raise jaxkd_config.ConfigError(
        f"config argument {part!r}: must be "
        + (name if isinstance(defaults[name], bool) else f"{name}=...")
      )
    values[name] = value if given else True
  return ml_collections.ConfigDict(values)


def cifar100(
  student: str, teacher: str, runlocal: bool
) -> ml_collections.ConfigDict:
  """The authors' CIFAR-100 recipe, which is the default of most options.

  Args:
    student: its network.
    teacher: its network.
    runlocal: a few epochs of small networks, to see everything work.
  """
  config = jaxkd_config.default()
  config.data.name = "cifar100"
  config.data.batch_size = 128
  config.teacher.name = teacher
  config.small_teacher.name = "resnet20"
  config.student.name = student
  config.takd.assistants = ("resnet56",)
  if runlocal:
    config.teacher.name, config.student.name = "resnet20", "resnet8"
    config.small_teacher.name = "resnet14"
    for network in (config.teacher, config.small_teacher, config.student):
      network.epochs = 4.0
    config.run.checkpoint_every_steps = 100
  return config
