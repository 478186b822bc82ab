"""Grids from a method or the command line, their points, and the best point."""

from jaxkd.tuning import grid
from jaxkd.tuning.search import Point, best


def test_flags_replace_the_default_grid_of_a_method(tiny_config):
  assert grid.default("fgcr") == {"fgcr.alpha": (0.1, 0.5)}
  assert grid.parse([], tiny_config, "fgcr") == {"fgcr.alpha": (0.1, 0.5)}
  assert grid.parse(["ats.tau1=2,3"], tiny_config, "ats") == {"ats.tau1": (2.0, 3.0)}


def test_points_are_all_combinations():
  assert grid.points({"kd.tau": (2.0, 4.0), "kd.lam": (0.5,)}) == [
    {"kd.tau": 2.0, "kd.lam": 0.5},
    {"kd.tau": 4.0, "kd.lam": 0.5},
  ]


def test_the_tunable_options_of_a_row_are_numbers_that_change_its_phases(tiny_config):
  kd = ["kd.lam", "kd.student_tau", "kd.tau", "kd.until", "kd.weight"]
  # An option that follows the experiment's value can be tuned, whatever that value is.
  for tau in (1.0, 2.0, 3.0):
    tiny_config.student_tau = tau
    assert list(grid.options(tiny_config, "regt")) == [*kd, "regt.beta"]


def test_the_first_of_equally_good_points_is_chosen():
  found = [
    Point({"kd.tau": tau}, (), accuracies)
    for tau, accuracies in ((1, None), (2, (0.8, 0.9)), (4, (0.9, 0.8)))
  ]
  assert best(found).values == {"kd.tau": 2}
