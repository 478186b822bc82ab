"""The values that `jaxkd.tune` tries."""

import itertools
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import planning
from jaxkd.runs.row_options import Values, with_values

Grid = Mapping[str, Sequence[float]]
"""The values of each option; their product is tried."""


def default(row: str) -> Grid:
  """Returns the values that a row's methods search; empty if they name none."""
  return {
    option if "." in option else f"{name}.{option}": values
    for name in methods.members(row)
    for option, values in methods.find(name).search.items()
  }


def parse(texts: Sequence[str], config: ConfigDict, row: str) -> Grid:
  """Reads the grid of the command line, `OPTION=NUMBER,NUMBER,...` each, or else `default(row)`."""
  allowed = options(config, row)
  if not allowed:
    raise ConfigError(f"row {row!r} has no options to tune")
  if not texts and not default(row):
    raise ConfigError(
      f"--grid is missing: row {row!r} has no values of its own; its options are "
      f"{', '.join(allowed)}"
    )
  grid: dict[str, Sequence[float]] = {}
  for text in texts:
    option, _, values = text.partition("=")
    if option not in allowed:
      raise ConfigError(
        f"--grid is {text!r}: an option of row {row!r} must be " + nearest(option, allowed)
      )
    if option in grid:
      raise ConfigError(f"--grid has {option} twice")
    try:
      grid[option] = tuple(map(allowed[option], values.split(",")))
    except ValueError as error:
      raise ConfigError(f"--grid is {text!r}, must be {option}=NUMBER,NUMBER,...") from error
    if len(set(grid[option])) < len(grid[option]):
      raise ConfigError(f"--grid is {text!r}, must be without repetitions")
  return grid or default(row)


def points(grid: Grid) -> list[Values]:
  """Returns every combination of the grid's values."""
  return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def options(config: ConfigDict, row: str) -> dict[str, type[int] | type[float]]:
  """Returns the options that a row may be tuned by, with their types.

  They are the numbers in the sections of methods that change the phases of the row, and the factors
  of the methods that it combines.
  """
  # One copy for all options: a copy takes longer than to plan the row.
  own = with_values(config, row, {})
  with own.unlocked():
    del own.tuned[row]
  untouched = planning.student(own, row, 0)

  def matters(section: str, key: str, value: float) -> bool:
    before = own[section][key]
    try:
      with own[section].ignore_type():
        own[section][key] = value
      return planning.student(own, row, 0) != untouched
    except ConfigError:
      return False
    finally:
      own[section][key] = before

  found: dict[str, type[int] | type[float]] = {}
  sections = {name: config[name] for name in methods.all_methods() if config.get(name)}
  names = methods.members(row)
  if len(names) > 1:
    sections["combined"] = {name: config.combined[name] for name in names}
  for section, values in sections.items():
    for key, value in values.items():
      kind = type(value)
      # None: the experiment's value, which may be one of these two.
      others: list[float] = [2.0, 3.0] if value is None else []
      if kind in (int, float):
        # One of these may be out of bounds.
        others = [value + 1, value // 2 if kind is int else value / 2]
      if any(matters(section, key, other) for other in others):
        found[f"{section}.{key}"] = int if kind is int else float
  return dict(sorted(found.items()))
