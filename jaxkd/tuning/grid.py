"""Which values `jaxkd.tune` tries."""

import itertools
from collections.abc import Mapping, Sequence

import ml_collections

from jaxkd import losses
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import rows
from jaxkd.tuning.tuned import Values, with_values

Grid = Mapping[str, Sequence[float]]
"""The values of each option; their product is tried."""

# The authors' code mixes half and half, the toolkits 0.1 and 0.9.
_LAM = (0.5, 0.9)
# The paper leaves the temperature of KD open; these are those of its Eq. 10.
_KD: Grid = {"kd.tau": losses.ISATS_GRID, "kd.lam": _LAM}

GRIDS: Mapping[str, Grid] = {
  "stkd": _KD,
  "kd": _KD,
  "eskd": _KD,
  "takd": _KD,
  "sckd": {"sckd.tau": losses.ISATS_GRID, "sckd.lam": _LAM},
  # The original's values for CIFAR-100 and for ImageNet.
  "dist": {"dist.beta": (1.0, 2.0), "dist.gamma": (1.0, 2.0)},
  # The ATS paper's Fig. 10.
  "ats": {
    "ats.tau1": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
    "ats.tau2": (1.0, 2.0, 3.0, 4.0, 5.0),
  },
  # Section 6 of the paper.
  "fgcr": {"fgcr.alpha": (0.1, 0.5)},
  "regt": {"regt.beta": (0.01, 0.001)},
  "isats": {"isats.lam": _LAM},
}
"""What is tried if nothing is asked for."""


def parse(texts: Sequence[str], config: ml_collections.ConfigDict, row: str) -> Grid:
  """Reads the grid of the command line.

  Args:
    texts: `OPTION=NUMBER,NUMBER,...` each; that of `GRIDS` if there are none.
    config: the experiment.
    row: the row to tune.

  Raises:
    ConfigError: an option is not one of the row's, or comes twice; a value is
      not a number, or comes twice; or there are no texts and `GRIDS` doesn't
      have the row.

  Examples:
    >>> from jaxkd import config
    >>> parse(["ats.tau1=2,3"], config.default(), "ats")
    {'ats.tau1': (2.0, 3.0)}
  """
  allowed = options(config, row)
  if not allowed:
    raise ConfigError(f"row {row!r} has no options to tune")
  if not texts and row not in GRIDS:
    raise ConfigError(
      f"--grid is missing: row {row!r} has none of its own; its options are " + ", ".join(allowed)
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
  return grid or GRIDS[row]


def points(grid: Grid) -> list[Values]:
  """Returns every combination of the grid's values.

  Examples:
    >>> points({"kd.tau": (2.0, 4.0), "kd.lam": (0.5,)})
    [{'kd.tau': 2.0, 'kd.lam': 0.5}, {'kd.tau': 4.0, 'kd.lam': 0.5}]
  """
  return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def options(config: ml_collections.ConfigDict, row: str) -> dict[str, type[int] | type[float]]:
  """Returns the options that a row may be tuned by, with their types.

  They are the numbers in the sections of methods that change what the row
  trains.

  Examples:
    >>> from jaxkd import config
    >>> list(options(config.default(), "regt"))
    ['kd.lam', 'kd.student_tau', 'kd.tau', 'kd.until', 'kd.weight', 'regt.beta']
  """
  (untouched, *_) = rows.phases(with_values(config, row, {}), row)
  found = {}
  for section in filter(config.get, rows.ROWS):
    for key, value in config[section].items():
      option = f"{section}.{key}"
      if not _is_number(value):
        continue
      changed = with_values(config, row, {option: (value or 0) + 1})
      if rows.phases(changed, row)[0] != untouched:
        found[option] = int if type(value) is int else float
  return dict(sorted(found.items()))


def _is_number(value: object) -> bool:
  # None stands for a temperature that follows another.
  return value is None or type(value) in (int, float)
