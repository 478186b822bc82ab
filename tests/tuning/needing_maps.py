"""Tells which rows need maps; the MLPs of `tiny_config` have none."""

import copy

from jaxkd.common.errors import ConfigError
from jaxkd.runs.validation import validate


def needs_maps(config, row):
  """Returns whether the method of a row refuses a config's networks for want of maps."""
  config = copy.deepcopy(config)
  config.rows = (row,)
  try:
    validate(config)
  except ConfigError as error:
    if "the method needs" not in str(error):
      raise
    return True
  return False
