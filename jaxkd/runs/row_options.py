"""Options of methods that hold for one row alone."""

from collections.abc import Mapping

from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from jaxkd.common.errors import ConfigError

Values = Mapping[str, float]
"""Numbers by option, named as on the command line: `ats.tau1`."""


def of_row(config: ConfigDict, row: str) -> ConfigDict:
  """Returns the config of a row, with the options that were tuned for it."""
  if row not in config.tuned:
    return config
  own = config.copy_and_resolve_references()
  own.update(config.tuned[row])
  return own


def with_values(config: ConfigDict, row: str, values: Values) -> ConfigDict:
  """Returns a config in which one row has these values, instead of its earlier ones.

  Examples:
    >>> from jaxkd.runs import config
    >>> tuned = with_values(config.default(), "ats", {"ats.tau1": 6.0})
    >>> tuned.ats.tau1, of_row(tuned, "ats").ats.tau1
    (4.0, 6.0)
  """
  for option in values:
    section, _, key = option.partition(".")
    if key not in config.get(section, {}):
      raise ConfigError(f"there is no option {option!r} to tune {row} with")
  changed = config.copy_and_resolve_references()
  with changed.unlocked():
    changed.tuned[row] = unflatten_dict(dict(values), sep=".")
  return changed


def of(config: ConfigDict) -> dict[str, Values]:
  """Returns the values of single rows, by row; the inverse of `with_values`.

  Examples:
    >>> from jaxkd.runs import config
    >>> of(with_values(config.default(), "ats", {"ats.tau1": 6.0}))
    {'ats': {'ats.tau1': 6.0}}
  """
  return {row: flatten_dict(values, sep=".") for row, values in config.tuned.to_dict().items()}


def shown(values: Values) -> str:
  """Returns values as text.

  Examples:
    >>> shown({"ats.tau1": 3.0, "ats.lam": 0.5})
    'ats.tau1 = 3, ats.lam = 0.5'
  """
  return ", ".join(f"{option} = {value:g}" for option, value in values.items())


def told(config: ConfigDict) -> str:
  """Returns a sentence for each row that has values of its own, for reports.

  Examples:
    >>> from jaxkd.runs import config
    >>> told(with_values(config.default(), "ats", {"ats.tau1": 6.0}))
    ' Tuned on a validation split: ats has ats.tau1 = 6.'
  """
  return "".join(
    f" Tuned on a validation split: {row} has {shown(values)}."
    for row, values in of(config).items()
  )
