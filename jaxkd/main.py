"""Trains the rows of a config: `python -m jaxkd.main --config=configs/...`."""

import sys

from absl import app, flags, logging
from ml_collections import config_flags

from jaxkd import experiment, sharding
from jaxkd.checkpoint import CheckpointError
from jaxkd.config import ConfigError, validate
from jaxkd.data import DataError
from jaxkd.store import StoreError
from jaxkd.train import NonFiniteError

_CONFIG = config_flags.DEFINE_config_file(
  "config", help_string="a file of configs/, with its argument after a colon"
)
_WORKDIR = flags.DEFINE_string(
  "workdir", "runs", "where phases and reports are kept"
)


def _parse(argv: list[str]) -> list[str]:
  """Parses flags; what is wrong with them is one line."""
  try:
    rest = flags.FLAGS(argv)
    if _CONFIG.value is None:
      raise ConfigError("--config is missing: a file of configs/")
    if rest[1:]:
      raise ConfigError(f"{rest[1]!r} is not a flag")
  except Exception as error:
    _exit(error)
  return rest


def _exit(error: Exception) -> None:
  message = " ".join(str(error).split()) or type(error).__name__
  print(f"jaxkd: {message}", file=sys.stderr)
  raise SystemExit(2)


def main(_: list[str]) -> None:
  """Runs the experiment that the flags describe."""
  # Orbax and others tell of every checkpoint at the level above.
  logging.set_verbosity(logging.WARNING)
  try:
    sharding.initialize()
    validate(_CONFIG.value)
    folder = experiment.run(_CONFIG.value, _WORKDIR.value)
  except (
    CheckpointError,
    ConfigError,
    DataError,
    NonFiniteError,
    StoreError,
  ) as error:
    _exit(error)
  if folder:
    print((folder / "report.md").read_text())
    print(f"Written to {folder} and, phase by phase, beside it.")


if __name__ == "__main__":
  app.run(main, flags_parser=_parse)
