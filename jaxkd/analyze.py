r"""Compares teachers of several capacities.

  python -m jaxkd.analyze --config=configs/analysis_digits.py
  python -m jaxkd.analyze --config=configs/analysis_cifar10.py \
    --weights=resnet20_a=small.pth --weights=resnet56_a=large.pth
  python -m jaxkd.analyze --logits=teacher_small.npz,teacher_large.npz

The second form compares networks with given weights, and trains none. The third compares logits
that any framework has saved, from the smallest teacher to the largest.
"""

import functools
import itertools

import jax
from absl import app, flags

from jaxkd import cli, data
from jaxkd.analysis import plan, saved, trained, writeup
from jaxkd.analysis.study import Settings, Study
from jaxkd.common.errors import ConfigError
from jaxkd.tuning import tuned

flags.adopt_module_key_flags(cli)
_LOGITS = flags.DEFINE_list(
  "logits",
  None,
  "instead of --config: a .npz file for each teacher, from small to large, with arrays "
  "logits [N, C], labels [N] and optionally features [N, D], class_names [C]",
)
_WEIGHTS = flags.DEFINE_multi_string(
  "weights",
  [],
  "NETWORK=FILE, once for each teacher: replaces the config's teachers by networks of the zoo with "
  "the weights of a file, which `jaxkd.convert` reads",
)
_TAU = flags.DEFINE_float("tau", None, "temperature; default: that of the config's kd, or 4")
_GRID = flags.DEFINE_list(
  "isats_grid", None, "temperatures among which τ* is searched; default: the config's isats.grid"
)
_K = flags.DEFINE_integer("k", None, "classes in the rank set overlap; default: 5, or all", 1)


def _settings(settings: Settings, num_classes: int) -> Settings:
  """Returns the settings with the values of the flags, checked."""
  tau = settings.tau if _TAU.value is None else _TAU.value
  k = min(settings.k, num_classes) if _K.value is None else _K.value
  settings = settings._replace(tau=tau, k=k)
  if _GRID.value is not None:
    settings = settings._replace(grid=_temperatures(_GRID.value))
  settings.check(num_classes)
  return settings


def _temperatures(texts: list[str]) -> tuple[float, ...]:
  try:
    grid = tuple(map(float, texts))
  except ValueError:
    grid = ()
  if not grid or any(not a < b for a, b in itertools.pairwise(grid)):
    given = ",".join(texts)
    raise ConfigError(f"--isats_grid is {given!r}, must be ascending temperatures: 1,2,4,8")
  return grid


def _studies() -> tuple[list[Study], Settings]:
  """Returns the studies of the flags, and their settings; trains the missing networks."""
  if _LOGITS.value is not None:
    if cli.CONFIG.value is not None:
      raise ConfigError("--logits and --config exclude each other")
    if _WEIGHTS.value:
      raise ConfigError("--logits and --weights exclude each other")
    study = saved.read(_LOGITS.value)
    return [study], _settings(Settings(), len(study.class_names))
  config = cli.config()
  if _WEIGHTS.value:
    plan.give_weights(config, _WEIGHTS.value, cli.given())
  plan.validate(config, cli.given())
  num_classes = data.find(config.data.name, config.data.data_dir).num_classes
  settings = Settings(tau=config.kd.tau, grid=tuple(config.isats.grid), gap=config.isats.gap)
  settings = _settings(settings, num_classes)
  choose = functools.partial(tuned.apply, path=cli.choices(), given=cli.given())
  return trained.studies(config, cli.WORKDIR.value, choose), settings


def run(_: list[str]) -> None:
  """Runs the analysis that the flags describe."""
  with cli.command():
    studies, settings = _studies()
    if jax.process_index() == 0:
      cli.print_report(writeup.write(studies, settings, cli.WORKDIR.value))


if __name__ == "__main__":
  app.run(run, flags_parser=cli.parse)
