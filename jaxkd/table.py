r"""Trains and prints a table of the paper, its figures beside ours.

  python -m jaxkd.table --table=2 --dataset=cifar100 --workdir=runs --seeds=3 \
    --set=run.cohort=3

Every cell is an experiment of the store: what is there is not trained again, a table that was
stopped goes on, and runs on several machines that share a workdir share the cells.
"""

import pathlib
from collections.abc import Sequence

import ml_collections
from absl import app, flags

from jaxkd import cli
from jaxkd.common.digests import digest
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.reports import experiment as experiment_report
from jaxkd.reports import paper_table
from jaxkd.runs import paper, recipes
from jaxkd.runs.experiment import Experiment, run
from jaxkd.runs.recipes import recipe
from jaxkd.runs.validation import validate
from jaxkd.tuning import tuned

SEEDS = {"2": 3, "3": 4}
"""How many there are if none are given; Table 3 is of ensembles of two."""

flags.adopt_module_key_flags(cli)
_TABLE = flags.DEFINE_enum("table", "2", list(paper.TABLES), "which table")
_DATASET = flags.DEFINE_string("dataset", None, "which data set's columns")
_ROWS = flags.DEFINE_list("rows", None, "which rows; all if not given")
_STUDENTS = flags.DEFINE_list("students", None, "which students; the paper's if not given")
_SEEDS = flags.DEFINE_integer(
  "seeds", None, "seeds of each cell; 3 if not given, 4 in table 3: two pairs", 1
)
_ARG = flags.DEFINE_string("arg", "", "more of the recipe's argument, e.g. runlocal")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "where TFDS keeps its data")
_SET = flags.DEFINE_multi_string(
  "set", [], "OPTION=VALUE for all columns, an option of the config; may be repeated"
)


def configs(
  table: str, dataset: str, students: Sequence[str], arg: str = ""
) -> dict[str, ml_collections.ConfigDict]:
  """Returns the experiment of each column, one a student; see `recipe` for `arg`."""
  return {
    student: recipe(
      dataset,
      ",".join(filter(None, (f"student={student}", arg))),
      title=f"table{table}-{dataset}-{student}",
      rows=paper.TABLES[table],
    )
    for student in students
  }


def main(_: list[str]) -> None:
  """Trains what is missing of the table that the flags describe."""
  with cli.command():
    if cli.CONFIG.value is not None:
      raise ConfigError("--config is given, but a table has its own configs: change them by --set")
    dataset = _DATASET.value
    if dataset not in recipes.RECIPES:
      raise ConfigError(
        f"--dataset is {dataset}, must be {nearest(dataset or '', recipes.RECIPES)}"
      )
    students = _STUDENTS.value or recipes.students(dataset)
    columns = configs(_TABLE.value, dataset, students, _ARG.value)
    for config in columns.values():
      config.rows = tuple(_ROWS.value or config.rows)
      config.seeds = tuple(range(_SEEDS.value or SEEDS[_TABLE.value]))
      config.data.data_dir = _DATA_DIR.value
      cli.override(config, _SET.value)
      validate(config)
      tuned.apply(config, cli.choices(), [text.partition("=")[0] for text in _SET.value])
    workdir = pathlib.Path(cli.WORKDIR.value)
    experiments = [Experiment.of(config, workdir) for config in columns.values()]
    failed = run(experiments)
    written = zip(columns, map(experiment_report.write, experiments), strict=True)
    if reports := {student: folder for student, folder in written if folder}:
      folders = digest(" ".join(map(str, reports.values())))
      title = f"table{_TABLE.value}-{_DATASET.value}-{folders}"
      path = paper_table.write(title, paper_table.caption(columns), reports, workdir)
      print(path.read_text())
      print(f"Written to {path}; .csv and .html lie beside it.")
    for error in failed.values():
      raise error


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
