"""Trains the rows of a config: `python -m jaxkd.main --config=configs/...`."""

import os
import pathlib
import re
import sys

import jax
from absl import app, flags, logging
from ml_collections import config_flags

from jaxkd import experiment, sharding
from jaxkd.checkpoint import CheckpointError
from jaxkd.config import ConfigError, nearest, validate
from jaxkd.data import DataError
from jaxkd.signals import Stopped
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
    # A file that could not be loaded fails at the first use.
    _ = _CONFIG.value.rows
  except (AttributeError, KeyError) as error:
    _exit(_unknown_option(argv, error))
  except OSError as error:
    _exit(_missing_file(argv, error))
  except Exception as error:
    _exit(error)
  return rest


def _unknown_option(argv: list[str], error: Exception) -> Exception:
  """Says which of the flags named what the config doesn't have."""
  message = str(error)
  for flag in argv:
    option = flag.partition("=")[0].removeprefix("--")
    for key in option.split(".")[1:]:
      if option.startswith("config.") and re.search(rf"\b{key}\b", message):
        hint = message.partition("Did you mean ")[2].split(" ")[0]
        return ConfigError(
          f"{option}: there is no option {key!r}"
          + (f"; did you mean {hint}?" if hint else "")
        )
  return error


def _missing_file(argv: list[str], error: Exception) -> Exception:
  for flag in argv:
    if flag.startswith("--config="):
      path = pathlib.Path(flag.partition("=")[2].partition(":")[0])
      if not path.exists():
        files = [str(file) for file in sorted(path.parent.glob("*.py"))]
        return ConfigError(
          f"--config is '{path}', must be {nearest(str(path), files)}"
        )
  return error


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
    # Rows and seeds that differ in numbers alone share a compilation, and so
    # do runs that go on.
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
      cache = pathlib.Path(_WORKDIR.value, "compilations").absolute()
      jax.config.update("jax_compilation_cache_dir", str(cache))
    config = _CONFIG.value
    # --config.rows=kd,isats arrives as one string.
    config.rows = tuple(",".join(config.rows).split(","))
    validate(config)
    folder = experiment.run(config, _WORKDIR.value)
  except (
    CheckpointError,
    ConfigError,
    DataError,
    NonFiniteError,
    Stopped,
    StoreError,
  ) as error:
    _exit(error)
  if folder:
    print((folder / "report.md").read_text())
    print(f"Written to {folder} and, phase by phase, beside it.")


if __name__ == "__main__":
  app.run(main, flags_parser=_parse)
