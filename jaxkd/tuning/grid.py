"""The values that `jaxkd.tune` tries."""

import itertools
from collections.abc import Mapping, Sequence

import ml_collections

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import planning
from jaxkd.runs.phase import Phase
from jaxkd.runs.row_options import Values, with_values

Grid = Mapping[str, Sequence[float]]
"""The values of each option; their product is tried."""


def default(row: str) -> Grid:
  """Returns the values that a row's method searches; empty if it names none.

  Examples:
    >>> default("fgcr")
    {'fgcr.alpha': (0.1, 0.5)}
  """
  search = methods.find(row).search
  return {option if "." in option else f"{row}.{option}": v for option, v in search.items()}


def parse(texts: Sequence[str], config: ml_collections.ConfigDict, row: str) -> Grid:
  """Reads the grid of the command line.

  Args:
    texts: `OPTION=NUMBER,NUMBER,...` each; `default(row)` if there are none.
    config: the experiment.
    row: the row to tune.

  Raises:
    ConfigError: an option is not one of the row's, or comes twice; a value is no number, or comes
      twice; or there are no texts and no default.

  Examples:
    >>> from jaxkd.runs import config
    >>> parse(["ats.tau1=2,3"], config.default(), "ats")
    {'ats.tau1': (2.0, 3.0)}
  """
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
  """Returns every combination of the grid's values.

  Examples:
    >>> points({"kd.tau": (2.0, 4.0), "kd.lam": (0.5,)})
    [{'kd.tau': 2.0, 'kd.lam': 0.5}, {'kd.tau': 4.0, 'kd.lam': 0.5}]
  """
  return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def options(config: ml_collections.ConfigDict, row: str) -> dict[str, type[int] | type[float]]:
  """Returns the options that a row may be tuned by, with their types.

  They are the numbers in the sections of methods that change the phases of the row.

  Examples:
    >>> from jaxkd.runs import config
    >>> list(options(config.default(), "regt"))
    ['kd.lam', 'kd.student_tau', 'kd.tau', 'kd.until', 'kd.weight', 'regt.beta']
  """
  untouched = planning.student(with_values(config, row, {}), row, 0)
  found: dict[str, type[int] | type[float]] = {}
  for section in filter(config.get, methods.all_methods()):
    for key, value in config[section].items():
      # None stands for a temperature that follows another.
      if value is None or type(value) in (int, float):
        option = f"{section}.{key}"
        others = [_student(config, row, option, other) for other in _others(value)]
        if any(other not in (None, untouched) for other in others):
          found[option] = int if type(value) is int else float
  return dict(sorted(found.items()))


def _others(value: float | None) -> tuple[float, ...]:
  """Returns other values, one of which is in the bounds of an option."""
  if value is None:
    return (2.0,)
  return (value + 1, value // 2 if type(value) is int else value / 2)


def _student(
  config: ml_collections.ConfigDict, row: str, option: str, value: float
) -> Phase | None:
  """Returns the row's phase with another value; None if the value is out of bounds."""
  try:
    return planning.student(with_values(config, row, {option: value}), row, 0)
  except ConfigError:
    return None
