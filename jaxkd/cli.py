"""Flags, start and one-line errors, which all commands share."""

import ast
import contextlib
import logging
import os
import pathlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
from absl import app, flags
from absl import logging as absl_logging
from flax import traverse_util
from ml_collections import ConfigDict, config_flags

from jaxkd.common import cluster, signals
from jaxkd.common.arguments import HELP
from jaxkd.common.buckets import AnyPath, BucketError, absolute, check, in_bucket, located
from jaxkd.common.errors import ConfigError, UserError, described, end, explained, place_of
from jaxkd.common.files import read
from jaxkd.common.shell import as_started
from jaxkd.common.spelling import closest, hint, nearest
from jaxkd.runs.config import default
from jaxkd.tuning import tuned

CONFIG = config_flags.DEFINE_config_file(
  "config",
  help_string="a file of configs/, with its argument after a colon; --config.OPTION=VALUE changes "
  "an option, and `jaxkd explain --config=FILE` lists all of them",
)
WORKDIR = flags.DEFINE_string("workdir", "runs", "folder of phases and reports")


def parse(argv: list[str], *, words: bool = False) -> list[str]:
  """Parses flags, or lists them; a wrong flag ends the process with one line.

  Other words are a mistake, unless the command takes `words`.
  """
  signals.end_with_cleanup()
  if HELP.intersection(argv[1:2]) or not {"-h", "--help"}.isdisjoint(argv):
    command = sys.modules["__main__"]
    command.__doc__ = as_started(command.__doc__ or "")
    # The flag --help of absl exits with status 1.
    app.usage(shorthelp=True, writeto_stdout=True, exitcode=0)
  # Orbax tells of every checkpoint, and of an error in each of its threads; jaxkd says it once.
  absl_logging.set_verbosity(absl_logging.WARNING)
  logging.getLogger("absl").setLevel(logging.CRITICAL)
  # gcsfs tells of every error that it raises.
  logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
  found = re.search(r"\n--?config[=\n]([^:\n]*)", "\n".join(argv))
  file = found and found[1]
  try:
    if file is not None and not os.path.isfile(file):
      folders = () if os.path.isdir(file) else {os.path.dirname(file), "configs"}
      known = (str(path) for folder in folders for path in pathlib.Path(folder).glob("[!_]*.py"))
      raise ConfigError(f"--config is {file!r}, must be a file of `ls configs`{hint(file, known)}")
    names = [word.partition("=")[0] for word in argv if word.startswith("--config")]
    if twice := [name for name in names if names.count(name) > 1]:
      raise ConfigError(f"{twice[0]} is given twice; give it once, several values with commas")
    rest = flags.FLAGS(argv)
    if rest[1:] and not words:
      path = rest[1].partition(":")[0].endswith(".py")
      meant = f"; did you mean --config={rest[1]}?" if path else ""
      raise ConfigError(f"{rest[1]!r} is not a flag{meant}")
    if file is not None and not hasattr(CONFIG.value, "rows"):
      raise TypeError(f"it returned a {type(CONFIG.value).__name__} without rows")
  except Exception as error:
    end(_explained(argv, file, error))
  return rest


def config() -> ConfigDict:
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


def override(config: ConfigDict, texts: Sequence[str]) -> None:
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
    with explained(ConfigError, f"--set is {text!r}", TypeError):
      config.update_from_flattened_dict({option: parsed})


def given() -> Mapping[str, Any]:
  """Returns the config's options that are flags, with their values."""
  return config_flags.get_override_values(flags.FLAGS[CONFIG.name])


def choices() -> AnyPath:
  """Returns the file of tuned options in the workdir."""
  return located(WORKDIR.value) / tuned.FILE


def print_report(folder: AnyPath | None) -> None:
  """Prints a report, if there is one, from the first process."""
  if folder and jax.process_index() == 0:
    print(read(folder / "report.md").decode())
    print(f"Written to {folder}; open report.html there.")


@contextlib.contextmanager
def command() -> Iterator[None]:
  """Starts a run; a user's mistake ends the process with one line."""
  # Pillow warns of images that are read all the same, or refused by name.
  warnings.filterwarnings("ignore", module=r"PIL\.")
  logging.getLogger("PIL").setLevel(logging.CRITICAL)
  # A cache that can't be written only costs time.
  warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation")
  try:
    if not WORKDIR.value or os.path.isfile(WORKDIR.value):
      raise ConfigError(f"--workdir is {WORKDIR.value!r}, must be a folder")
    with explained(ConfigError, f"--workdir is {WORKDIR.value!r}", BucketError):
      check(WORKDIR.value)
    # Seeds and resumed runs share compilations.
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
      cache = absolute(WORKDIR.value) / "compilations"
      jax.config.update("jax_compilation_cache_dir", str(cache))
    # After a failed write, TensorStore's threads report to an event loop that Orbax has closed,
    # which is an unraisable exception.
    report = sys.unraisablehook

    def hook(unraisable: Any) -> None:
      if str(unraisable.exc_value) != "Event loop is closed":
        report(unraisable)

    sys.unraisablehook = hook
    with cluster.joined():
      if not in_bucket(WORKDIR.value):
        cluster.check_shared(pathlib.Path(WORKDIR.value))
      yield
    # After a failure the hook stays: the threads run until the process has ended.
    sys.unraisablehook = report
  except UserError as error:
    end(error)
  except OSError as error:
    # A full or read-only disk.
    end(ConfigError(f"{error.filename or 'a file'}: {error.strerror}"))


def _explained(argv: Sequence[str], file: str | None, error: BaseException) -> BaseException:
  """Adds to an error the flag, or the line of the config, that caused it."""
  while "whilst parsing config file" in str(error) and error.__context__:
    # Its message is a traceback.
    error = error.__context__
  if isinstance(error, flags.UnrecognizedFlagError):
    name = error.flagname
    if name.startswith("config."):
      return ConfigError(f"--config is missing, the file that --{name} changes")
    # The error names the nearest flag, if one is near.
    if "Did you mean" not in str(error):
      option = closest(name, traverse_util.flatten_dict(default().to_dict(), sep="."))
      meant = f"; did you mean --config.{option}?" if option else ", --help lists the flags"
      return ConfigError(f"--{name} is not a flag{meant}")
  # A list of paths, which Python can't read without quotes.
  if found := re.search(r"flag --(\S+?)=(.*): Error while parsing string: .* as tuple", str(error)):
    option, value = found.groups()
    quoted = ",".join(f"'{part}'" for part in value.split(","))
    return ConfigError(f'--{option} is {value}, must have quotes: --{option}="{quoted}"')
  if isinstance(error, UserError | flags.Error):
    return error
  for flag in (flag for flag in argv if flag.startswith("--config.") and not place_of(error)):
    option, _, value = flag[2:].partition("=")
    section: Any = default().to_dict()
    for key in option.split(".")[1:]:
      if key not in section and key in str(error):
        names = f": must be {nearest(key, section)}" if section else "; set it in the config file"
        return ConfigError(f"{option} is {value!r}, but there is no option {key!r}{names}")
      section = section[key] if isinstance(section.get(key), dict) else {}
  wanted = ", must have a get_config() that returns a config like jaxkd.runs.config.default()"
  return ConfigError(f"--config is {file!r}{'' if place_of(error) else wanted}: {described(error)}")
