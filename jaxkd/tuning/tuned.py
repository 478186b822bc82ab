"""The choices of `jaxkd.tune`: the file that keeps them, and who gets them.

A choice is of a row, and of all else that determines what the row trains: data
set, networks, epochs, every other option. It is used where all of that is the
same, so what was tuned in a short run does not steer a long one.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import ml_collections

from jaxkd.common.errors import ConfigError
from jaxkd.common.files import write_atomically
from jaxkd.runs import rows
from jaxkd.runs.config import default, validate
from jaxkd.runs.store import Phase

FILE = "tuned.json"
"""Name of the file, which lies beside the configs."""

Values = Mapping[str, float]
"""Numbers by option, named as on the command line: `ats.tau1`."""

Choice = Mapping[str, Any]
"""What the file has of a search: `row`, `options` and what they are for."""


def with_values(
  config: ml_collections.ConfigDict, row: str, values: Values
) -> ml_collections.ConfigDict:
  """Returns a config in which one row alone has other values.

  Args:
    config: the experiment.
    row: a key of `rows.ROWS`; what was tuned for it before is forgotten.
    values: the row's own.

  Raises:
    ConfigError: there is no such option.

  Examples:
    >>> from jaxkd import config
    >>> tuned = with_values(config.default(), "ats", {"ats.tau1": 6.0})
    >>> tuned.ats.tau1, rows.of_row(tuned, "ats").ats.tau1
    (4.0, 6.0)
  """
  sections: dict[str, dict[str, float]] = {}
  for option, value in values.items():
    section, _, key = option.partition(".")
    if key not in config.get(section, {}):
      raise ConfigError(f"there is no option {option!r} to tune {row} with")
    sections.setdefault(section, {})[key] = value
  changed = config.copy_and_resolve_references()
  with changed.unlocked():
    changed.tuned[row] = sections
  return changed


def of(config: ml_collections.ConfigDict) -> dict[str, Values]:
  """Returns by row the values that it alone has; the inverse of `with_values`.

  Examples:
    >>> from jaxkd import config
    >>> of(with_values(config.default(), "ats", {"ats.tau1": 6.0}))
    {'ats': {'ats.tau1': 6.0}}
  """
  return {
    row: {
      f"{section}.{key}": value
      for section, options in sections.items()
      for key, value in options.items()
    }
    for row, sections in config.tuned.items()
  }


def shown(values: Values) -> str:
  """Returns values for people.

  Examples:
    >>> shown({"ats.tau1": 3.0, "ats.lam": 0.5})
    'ats.tau1 = 3, ats.lam = 0.5'
  """
  return ", ".join(f"{option} = {value:g}" for option, value in values.items())


def apply(
  config: ml_collections.ConfigDict,
  path: str | os.PathLike[str],
  given: Iterable[str] = (),
) -> None:
  """Gives the config's rows what was chosen for them, and says so.

  Args:
    config: the experiment, validated; changed.
    path: the file of choices; there may be none.
    given: options that were set by hand, which stay.

  Raises:
    ConfigError: the file has something else.
  """
  choices, given = _read(pathlib.Path(path)), set(given)
  for row in dict.fromkeys(row.removesuffix(rows.ENSEMBLE) for row in config.rows):
    alike = _alike(choices, config, row)
    for choice in alike:
      if _belongs(choice, config, row):
        values = {
          option: value
          for option, value in choice["options"].items()
          if given.isdisjoint((option, option.partition(".")[0]))
        }
        if values:
          config.tuned = with_values(config, row, values).tuned
          _tell(f"{row} has {shown(values)}, chosen in {path}")
        break
    else:
      if alike:
        _tell(f"{row}: what was chosen in {path} is for other options")
  if config.tuned:
    validate(config)


def write(
  config: ml_collections.ConfigDict,
  path: str | os.PathLike[str],
  row: str,
  values: Values,
  **found: Any,
) -> None:
  """Adds a choice to a file; the earlier one of the same experiment goes.

  Args:
    config: the experiment, with nothing tuned for the row.
    path: the file, which may not exist.
    row: what was tuned.
    values: what was chosen.
    **found: how, as JSON holds it.

  Raises:
    ConfigError: the file has something else.
    OSError, StoreError: it can't be written.
  """
  path = pathlib.Path(path)
  choice = {
    "row": row,
    **_about(rows.phases(config, row)[0]),
    "options": dict(values),
    "trains": _trains(config, row, values),
    **found,
  }
  with _lock(path):
    others = [
      other for other in _read(path) if other["row"] != row or not _belongs(other, config, row)
    ]
    write_atomically(path, json.dumps([*others, choice], indent=2) + "\n")


def _about(student: Phase) -> dict[str, Any]:
  """Returns what people say that a student's training is."""
  return {
    "data": student.data["name"],
    "student": student.network["name"],
    "teachers": [teacher.network["name"] for teacher in student.teachers],
  }


def _alike(choices: Iterable[Choice], config: ml_collections.ConfigDict, row: str) -> list[Choice]:
  """Returns the choices of the row for the same data and networks."""
  wanted = {"row": row, **_about(rows.phases(config, row)[0])}
  return [c for c in choices if wanted.items() <= c.items()]


def _trains(config: ml_collections.ConfigDict, row: str, values: Values) -> str:
  """Identifies what the row trains with the values, whatever the seeds."""
  whole = with_values(config, row, values)
  whole.data.validation, whole.data.seed = 0.0, None
  whole.seeds = (0,)
  return rows.phases(whole, row)[0].identity


def _belongs(choice: Choice, config: ml_collections.ConfigDict, row: str) -> bool:
  """Returns whether all but the chosen options is as it was then."""
  return choice["trains"] == _trains(config, row, choice["options"])


def _read(path: pathlib.Path) -> list[Choice]:
  """Returns the choices of a file, none if there is none."""
  try:
    choices = json.loads(path.read_text())
    for choice in choices:
      row = choice["row"]
      rows.of_row(with_values(default(), row, choice["options"]), row)
      choice["trains"]
  except FileNotFoundError:
    return []
  except (
    AttributeError,
    ConfigError,
    KeyError,
    TypeError,
    ValueError,
  ) as error:
    raise ConfigError(f"{path} is not a file of choices of jaxkd.tune: {error}") from error
  return choices


@contextlib.contextmanager
def _lock(path: pathlib.Path) -> Iterator[None]:
  """Keeps searches that end together from losing each other's choices."""
  with open(path.with_suffix(".lock"), "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def _tell(text: str) -> None:
  if jax.process_index() == 0:
    print(text, file=sys.stderr)
