"""Trains and prints a table of the paper, its figures beside ours.

  python -m jaxkd.table --table=2 --dataset=cifar100 --workdir=runs --seeds=3 \
    --set=run.cohort=3

Every cell is an experiment of the store: what is there is not trained again, a
table that was stopped goes on, and runs on several machines that share a
workdir share the cells.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence

import ml_collections
from absl import app, flags

from jaxkd import cli
from jaxkd.common.digests import digest
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.reports import paper_table
from jaxkd.runs import experiment, recipes
from jaxkd.runs.config import validate
from jaxkd.tuning import tuned

ROWS = {
  "2": (
    "nokd",
    "stkd",
    "kd",
    "eskd",
    "takd",
    "sckd",
    "dist",
    "ats",
    "fgcr",
    "regt",
    "isats",
  ),
  "3": ("nokd+ens", "reskd", "ats+ens", "fgcr+ens", "regt+ens", "isats+ens"),
}
"""The rows of the paper's Tables 2 and 3."""

SEEDS = {"2": 3, "3": 4}
"""How many there are if none are given; Table 3 is of ensembles of two."""

flags.adopt_module_key_flags(cli)
_TABLE = flags.DEFINE_enum("table", "2", list(ROWS), "which table")
_DATASET = flags.DEFINE_string("dataset", None, "which data set's columns")
_ROWS = flags.DEFINE_list("rows", None, "which rows; all if not given")
_STUDENTS = flags.DEFINE_list("students", None, "which students; the paper's if not given")
_SEEDS = flags.DEFINE_integer(
  "seeds",
  None,
  "seeds of each cell; 3 if not given, 4 in table 3: two pairs",
  1,
)
_ARG = flags.DEFINE_string("arg", "", "more of the recipe's argument, e.g. runlocal")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "where TFDS keeps its data")
_SET = flags.DEFINE_multi_string(
  "set",
  [],
  "OPTION=VALUE for all columns, an option of the config; may be repeated",
)

Recipe = Callable[[str, str], ml_collections.ConfigDict]


def configs(
  recipes: Mapping[str, Recipe],
  table: str,
  dataset: str,
  students: Sequence[str],
  arg: str = "",
) -> dict[str, ml_collections.ConfigDict]:
  """Returns the experiment of each column.

  Args:
    recipes: a function of argument and title for each data set.
    table: a key of `ROWS`.
    dataset: a key of `recipes`.
    students: their networks, one a column.
    arg: more of the recipe's argument.

  Raises:
    ConfigError: the data set or the argument is unknown.
  """
  if dataset not in recipes:
    raise ConfigError(f"--dataset is {dataset!r}, must be {nearest(dataset, recipes)}")
  columns = {}
  for student in students:
    config = recipes[dataset](
      ",".join(filter(None, (f"student={student}", arg))),
      f"table{table}-{dataset}-{student}",
    )
    config.rows = ROWS[table]
    columns[student] = config
  return columns


def main(_: list[str]) -> None:
  """Trains what is missing of the table that the flags describe."""
  with cli.command():
    if not _DATASET.value:
      raise ConfigError("--dataset is missing")
    students = _STUDENTS.value or recipes.students(_DATASET.value)
    columns = configs(recipes.RECIPES, _TABLE.value, _DATASET.value, students, _ARG.value)
    choices = pathlib.Path("configs", tuned.FILE)
    for config in columns.values():
      config.rows = tuple(_ROWS.value or config.rows)
      config.seeds = tuple(range(_SEEDS.value or SEEDS[_TABLE.value]))
      config.data.data_dir = _DATA_DIR.value
      cli.override(config, _SET.value)
      validate(config)
      given = [text.partition("=")[0] for text in _SET.value]
      tuned.apply(config, choices, given)
    workdir = pathlib.Path(cli.WORKDIR.value)
    folders, failed = experiment.run_all([*columns.values()], workdir)
    reports = {student: folder for student, folder in zip(columns, folders, strict=True) if folder}
    if reports:
      title = f"table{_TABLE.value}-{_DATASET.value}"
      names = " ".join(str(folder) for folder in reports.values())
      caption = paper_table.caption(columns)
      path = paper_table.write(f"{title}-{digest(names)}", caption, reports, workdir)
      print(path.read_text())
      print(f"Written to {path}; .csv and .html lie beside it.")
    for error in failed.values():
      raise error


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
