"""Analyses of teachers that the recipes of the data sets train."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from jaxkd.analysis import plan
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs.recipes import parse_arg, recipe, set_teacher

# Names and options of networks by title, from small to large.
Networks = Mapping[str, tuple[str, Mapping[str, Any]]]

Names = Sequence[str]  # of networks of one family, from small to large

CIFAR_SERIES = {
  "resnet": [f"resnet{depth}" for depth in (8, 14, 20, 32, 44, 56, 110)],
  "wrn": [f"wrn28_{width}" for width in (1, 2, 3, 4, 8)],
  "resnext": [f"resnext29_{groups}x4d" for groups in (4, 8, 16, 32, 64)],
  "vgg": [f"vgg{depth}" for depth in (8, 11, 13, 16, 19)],
}


def analysis(
  dataset: str, arg: str | None, series: Mapping[str, Names | Networks], **network_options: Any
) -> ConfigDict:
  """Returns the analysis of teachers that the data set's recipe trains.

  The argument `arg` of a config file has `series=`, a key of `series`, by default the first, or
  `teachers=`, names joined by +; `epochs=` of each teacher; `student=`; `runlocal`, a few epochs of
  at most three teachers. `network_options` are options of all teachers' networks.
  """
  options = parse_arg(
    arg, series=next(iter(series)), teachers="", epochs="", student="", runlocal=False
  )
  if options.series not in series:
    known = nearest(options.series, series)
    raise ConfigError(f"config argument 'series' is {options.series!r}, must be {known}")
  networks = _networks(series[options.series])
  if options.runlocal:
    networks = dict(itertools.islice(networks.items(), 3))
  if options.teachers:
    networks = _networks(options.teachers.split("+"))
  passed = f"student={options.student}" + ",runlocal" * options.runlocal
  config = recipe(dataset, passed, title=f"analysis_{dataset}")
  set_teacher(config, list(networks.values())[-1][0])
  if options.epochs:
    try:
      config.teacher.epochs = float(options.epochs)
    except ValueError:
      raise ConfigError(
        f"config argument 'epochs' is {options.epochs!r}, must be a number"
      ) from None
  teachers = {title: (name, {**own, **network_options}) for title, (name, own) in networks.items()}
  plan.add_teachers(config, teachers)
  return config


def _networks(named: Names | Networks) -> Networks:
  return named if isinstance(named, Mapping) else {name: (name, {}) for name in named}
