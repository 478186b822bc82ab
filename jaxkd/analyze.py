"""Analyses teachers: `python -m jaxkd.analyze --config=configs/analysis_...`.

Or those whose logits any framework has saved, from small to large:
`python -m jaxkd.analyze --logits=teacher_small.npz,teacher_large.npz`.
"""

import jax
from absl import app, flags, logging

from jaxkd import data, main, sharding
from jaxkd.analysis import page, saved, trained
from jaxkd.analysis.study import Settings, Study
from jaxkd.checkpoint import CheckpointError
from jaxkd.config import ConfigError
from jaxkd.signals import Stopped
from jaxkd.store import StoreError
from jaxkd.train import NonFiniteError

flags.adopt_module_key_flags(main)
_LOGITS = flags.DEFINE_list(
  "logits",
  None,
  "instead of --config: a .npz file for each teacher, from small to large, "
  "with arrays logits [N, C], labels [N] and, if there are, features [N, D], "
  "class_names [C]",
)
_TAU = flags.DEFINE_float(
  "tau", None, "temperature; if not given that of the config's kd, or 4"
)
_K = flags.DEFINE_integer("k", None, "classes in the rank set overlap", 1)


def _parse(argv: list[str]) -> list[str]:
  """Parses flags; what is wrong with them is one line."""
  if not any(arg.lstrip("-").startswith("logits") for arg in argv):
    return main._parse(argv)
  try:
    rest = flags.FLAGS(argv)
    if main._CONFIG.value is not None:
      raise ConfigError("--logits and --config exclude each other")
    if rest[1:]:
      raise ConfigError(f"{rest[1]!r} is not a flag")
  except Exception as error:
    main._exit(error)
  return rest


def _settings(settings: Settings, num_classes: int) -> Settings:
  """Returns the settings that the flags change, checked."""
  if _TAU.value is not None:
    settings = settings._replace(tau=_TAU.value)
  if _K.value is not None:
    settings = settings._replace(k=_K.value)
  try:
    settings.check(num_classes)
  except ValueError as error:
    raise ConfigError(str(error)) from error
  return settings


def _study() -> tuple[Study, Settings]:
  """Returns what the flags describe; trains what is missing of it."""
  if _LOGITS.value is not None:
    study = saved.read(_LOGITS.value)
    return study, _settings(Settings(), len(study.class_names))
  config = main._CONFIG.value
  # --config.rows=kd,isats arrives as one string.
  config.rows = tuple(",".join(config.rows).split(","))
  trained.validate(config)
  num_classes = data.find(config.data.name, config.data.data_dir).num_classes
  settings = _settings(trained.settings(config), num_classes)
  return trained.study(config, main._WORKDIR.value), settings


def run(_: list[str]) -> None:
  """Analyses what the flags describe."""
  # Orbax and others tell of every checkpoint at the level above.
  logging.set_verbosity(logging.WARNING)
  try:
    sharding.initialize()
    study, settings = _study()
    if jax.process_index() != 0:
      return
    folder = page.write(study, settings, main._WORKDIR.value)
  except (
    CheckpointError,
    ConfigError,
    data.DataError,
    NonFiniteError,
    Stopped,
    StoreError,
    saved.SavedError,
  ) as error:
    main._exit(error)
  print((folder / "report.md").read_text())
  print(f"Written to {folder}; open report.html there.")


if __name__ == "__main__":
  app.run(run, flags_parser=_parse)
