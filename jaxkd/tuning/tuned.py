"""The choices of `jaxkd.tune`: the file that keeps them, and the experiments that use them.

A choice belongs to a row, and to all else that determines what the row trains: data set, networks,
epochs, every other option. It is used where all of that is the same, so values that were tuned in a
short run do not steer a long one.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError, described
from jaxkd.common.files import StrPath, exists, read_json, write_json
from jaxkd.common.locks import held
from jaxkd.runs import planning
from jaxkd.runs.config import default
from jaxkd.runs.row_options import Values, of_row, shown, with_values
from jaxkd.runs.validation import validate

FILE = "tuned.json"  # name of the file, in the workdir
# An entry of the file: `row`, `options` and the experiment that they are for.
Choice = Mapping[str, Any]


def apply(config: ConfigDict, path: StrPath, given: Iterable[str] = ()) -> None:
  """Gives the rows of a valid config the options that were chosen for them, and reports them.

  The file may not exist. `given` are options that were set by hand, which stay.
  """
  choices, given = _read(located(path)), set(given)
  for row in dict.fromkeys(row.removesuffix(planning.ENSEMBLE) for row in config.rows):
    wanted = {"row": row, **_about(config, row)}
    alike = [choice for choice in choices if wanted.items() <= choice.items()]
    own = next((choice for choice in alike if _belongs(choice, config, row)), None)
    if own:
      values = {
        option: value
        for option, value in own["options"].items()
        if given.isdisjoint((option, option.partition(".")[0]))
      }
      if values:
        config.tuned = with_values(config, row, values).tuned
        tell(f"{row} has {shown(values)}, chosen in {path}")
    elif alike:
      tell(f"{row}: the choice in {path} is for other options")
  if config.tuned:
    validate(config)


def write(config: ConfigDict, path: StrPath, row: str, values: Values, **found: Any) -> None:
  """Adds a row's choice to a file, in place of the earlier choice for the same experiment.

  The file may not exist. The config has no tuned options for the row. `found` describes the search.
  """
  path = located(path)
  trains = _trains(config, row, values)
  about = {"row": row, **_about(config, row)}
  choice = {**about, "options": dict(values), "trains": trains, **found}
  with held(path.with_suffix(".lock"), wait=math.inf):
    others = [c for c in _read(path) if c["row"] != row or not _belongs(c, config, row)]
    write_json(path, {"choices": [*others, choice]})


def _about(config: ConfigDict, row: str) -> dict[str, Any]:
  """Returns the data and the networks of a row."""
  student = planning.student(config, row, 0)
  return {
    "data": student.data["name"],
    "student": student.network["name"],
    "teachers": [teacher.network["name"] for teacher in student.teachers],
  }


def _trains(config: ConfigDict, row: str, values: Values) -> str:
  """Identifies the training of the row with the values, for all seeds."""
  whole = with_values(config, row, values)
  whole.data.validation, whole.data.seed = 0.0, None
  return planning.student(whole, row, 0).identity


def _belongs(choice: Choice, config: ConfigDict, row: str) -> bool:
  """Returns whether all options but the chosen ones are as they were in the search."""
  return choice["trains"] == _trains(config, row, choice["options"])


def _read(path: AnyPath) -> list[Choice]:
  """Returns the choices of a file; empty if it does not exist, a FileError if it is damaged."""
  if not exists(path):
    return []
  remedy = "move it away, and tune again"
  found = read_json(path, remedy)
  try:
    choices = list(found["choices"])
    for choice in choices:
      row = choice["row"]
      of_row(with_values(default(), row, choice["options"]), row)
      choice["trains"]
  # A file of another version can raise anything.
  except Exception as error:
    message = f"{path} is not a file of choices of jaxkd.tune: {described(error)}"
    raise ConfigError(f"{message}; {remedy}") from error
  return choices
