"""Flags, start and one-line errors, which all commands share."""

import ast
import contextlib
import logging
import os
import pathlib
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import ml_collections
from absl import app, flags
from absl import logging as absl_logging
from flax import traverse_util
from ml_collections import config_flags

from jaxkd.common.errors import ConfigError, UserError
from jaxkd.common.spelling import hint, nearest
from jaxkd.runs.config import default
from jaxkd.training import sharding
from jaxkd.tuning import tuned

CONFIG = config_flags.DEFINE_config_file(
  "config", help_string="a file of configs/, with its argument after a colon"
)
WORKDIR = flags.DEFINE_string("workdir", "runs", "folder of phases and reports")


def parse(argv: list[str]) -> list[str]:
  """Parses flags, or lists them; a wrong flag ends the process with one line."""
  if not {"-h", "--help"}.isdisjoint(argv):
    # The flag --help of absl exits with status 1.
    app.usage(shorthelp=True, writeto_stdout=True, exitcode=0)
  try:
    rest = flags.FLAGS(argv)
    if rest[1:]:
      raise ConfigError(f"{rest[1]!r} is not a flag")
    if CONFIG.value is not None:
      # A file that could not be loaded fails at the first use.
      _ = CONFIG.value.rows
  except Exception as error:
    end(_explained(argv, error))
  return rest


def config() -> ml_collections.ConfigDict:
  """Returns the config that the flags describe; it is an error if there is none."""
  if CONFIG.value is None:
    raise ConfigError("--config is missing: a file of configs/")
  options = CONFIG.value
  # A tuple of names, such as --config.rows=kd,isats, arrives as one text.
  for option, value in traverse_util.flatten_dict(options.to_dict(), sep=".").items():
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], str):
      names = tuple(filter(None, value[0].split(",")))
      options.update_from_flattened_dict({option: names})
  return options


def override(config: ml_collections.ConfigDict, texts: Sequence[str]) -> None:
  """Sets options of a config, `OPTION=VALUE` each, as its flags would.

  Examples:
    >>> from jaxkd.runs import config
    >>> options = config.default()
    >>> override(options, ["kd.tau=2", "seeds=0,1", "takd.assistants=vgg8"])
    >>> options.kd.tau, options.seeds, options.takd.assistants
    (2.0, (0, 1), ('vgg8',))
  """
  names = traverse_util.flatten_dict(config.to_dict(), sep=".")
  for text in texts:
    option, equals, value = text.partition("=")
    if not equals or option not in names:
      raise ConfigError(
        f"--set is {text!r}, must be OPTION=VALUE with an option of the config"
        + hint(option, names)
      )
    try:
      parsed = ast.literal_eval(value)
    except (SyntaxError, ValueError):
      parsed = {"true": True, "false": False}.get(value.lower(), value)
    if isinstance(names[option], tuple) and not isinstance(parsed, tuple):
      parsed = tuple(value.split(",")) if parsed == value else (parsed,)
    try:
      config.update_from_flattened_dict({option: parsed})
    except TypeError as error:
      raise ConfigError(f"--set is {text!r}: {error}") from error


def given() -> Mapping[str, Any]:
  """Returns the config's options that are flags, with their values."""
  return config_flags.get_override_values(flags.FLAGS[CONFIG.name])


def choices() -> pathlib.Path:
  """Returns the file of tuned options in the workdir."""
  return pathlib.Path(WORKDIR.value, tuned.FILE)


def print_report(folder: pathlib.Path | None) -> None:
  """Prints a report, if there is one, from the first process."""
  if folder and jax.process_index() == 0:
    print((folder / "report.md").read_text())
    print(f"Written to {folder}; open report.html there.")


@contextlib.contextmanager
def command() -> Iterator[None]:
  """Starts a run; a user's mistake ends the process with one line."""
  # Orbax logs every checkpoint, and an error in each of its threads; jaxkd reports it once.
  absl_logging.set_verbosity(absl_logging.WARNING)
  logging.getLogger("absl").setLevel(logging.CRITICAL)
  # A cache that can't be written only costs time.
  warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation")
  # Seeds and resumed runs share compilations.
  if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    cache = pathlib.Path(WORKDIR.value, "compilations").absolute()
    jax.config.update("jax_compilation_cache_dir", str(cache))
  try:
    if not WORKDIR.value or "://" in WORKDIR.value or pathlib.Path(WORKDIR.value).is_file():
      raise ConfigError(f"--workdir is {WORKDIR.value!r}, must be a folder")
    sharding.initialize()
    # After a failed write, TensorStore's threads report to an event loop that Orbax has closed,
    # which is an unraisable exception.
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
      if str(unraisable.exc_value) != "Event loop is closed":
        report(unraisable)

    sys.unraisablehook = hook
    yield
    # After a failure the hook stays: the threads run until the process has ended.
    sys.unraisablehook = report
  except UserError as error:
    end(error)
  except OSError as error:
    # A full or read-only disk.
    end(ConfigError(f"{error.filename or 'a file'}: {error.strerror}"))


def end(error: Exception) -> None:
  """Ends the process with the error's message in one line, and code 2."""
  message = " ".join(str(error).split()) or type(error).__name__
  print(f"jaxkd: {message}", file=sys.stderr)
  raise SystemExit(2)


def _explained(argv: list[str], error: Exception) -> Exception:
  """Adds to an error the flag, or the line of the config, that caused it."""
  files = [flag.partition("=")[2] for flag in argv if "--config=" in flag]
  path = pathlib.Path(files[-1].partition(":")[0]) if files else None
  if isinstance(error, OSError) and path and not path.exists():
    others = map(str, sorted(path.parent.glob("*.py")))
    return ConfigError(f"--config is '{path}', must be {nearest(str(path), others)}")
  if path and not isinstance(error, UserError | flags.Error):
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
      if pathlib.Path(frame.filename).absolute() == path.absolute():
        return ConfigError(f"{path}, line {frame.lineno}: {type(error).__name__}: {error}")
  if isinstance(error, AttributeError | KeyError):
    for flag in (flag for flag in argv if flag.startswith("--config.")):
      option, _, value = flag[2:].partition("=")
      section: Any = default().to_dict()
      for key in option.split(".")[1:]:
        if key not in section and key in str(error):
          names = f": must be {nearest(key, section)}" if section else "; set it in the config file"
          return ConfigError(f"{option} is {value!r}, but there is no option {key!r}{names}")
        section = section[key] if isinstance(section.get(key), dict) else {}
  return error
