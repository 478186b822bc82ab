"""The grid of a search: parsed, checked, and by default the method's own."""

import copy

import pytest

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.runs.row_options import with_values
from jaxkd.runs.validation import validate
from jaxkd.tuning import grid


@pytest.mark.parametrize(
  ("row", "texts", "message"),
  [
    ("ats", ["ats.tua1=1"], r"'ats.tua1=1': .*did you mean 'ats.tau1'\?"),
    ("ats", ["fgcr.alpha=1"], r"an option of row 'ats' must be one of ats.lam"),
    ("ats", ["ats.tau1=warm"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", ["ats.tau1"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", ["ats.tau1=1,"], r"must be ats.tau1=NUMBER,NUMBER"),
    ("ats", [""], r"--grid is '': .* must be one of"),
    ("ats", ["ats.tau1=1,1.0"], r"must be without repetitions"),
    ("ats", ["ats.tau1=1", "ats.tau1=2"], r"--grid has ats.tau1 twice"),
    ("fitnet", ["fitnet.stage=0.5"], r"must be fitnet.stage=NUMBER"),
    ("dkd", [], r"--grid is missing: .* its options are dkd.alpha, dkd.beta"),
    ("nokd", [], r"row 'nokd' has no options to tune"),
  ],
)
def test_a_wrong_grid_is_refused_in_one_line(row, texts, message, tiny_config):
  with pytest.raises(ConfigError, match=message) as raised:
    grid.parse(texts, tiny_config, row)
  assert "\n" not in str(raised.value)


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


@pytest.mark.parametrize(
  "row", [name for name, method in methods.list_methods().items() if method.search]
)
def test_the_default_grid_of_a_row_has_valid_options(row, tiny_config):
  found = grid.default(row)
  assert found.keys() <= grid.options(tiny_config, row).keys()
  tiny_config.rows = (row,)
  if needs_maps(tiny_config, row):
    for network in (tiny_config.teacher, tiny_config.student):
      network.name, network.options = "resnet8", {}
  points = list(grid.points(found))
  # Every value of an option is validated in `test_every_method`.
  for values in (points[0], points[-1]):
    validate(with_values(tiny_config, row, values))
