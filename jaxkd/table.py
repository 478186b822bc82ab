r"""Trains and prints a table of the paper or of the toolkits, published accuracies beside ours.

  python -m jaxkd.table --table=2 --dataset=cifar100 --workdir=runs --seeds=3 \
    --set=run.cohort=3
  python -m jaxkd.table --table=toolkit --dataset=cifar100 --pairs=vgg13/vgg8,resnet56/resnet20

Every cell is an experiment of the store: finished phases are not trained again, a table that was
stopped resumes, and runs on several machines that share a workdir share the cells. With --minutes=9
it stops by itself after nine minutes, and ends with status 75 while there is more to do.
"""

from collections.abc import Sequence

import ml_collections
from absl import app, flags

from jaxkd import cli, timed
from jaxkd.common.buckets import located
from jaxkd.common.digests import digest
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import read
from jaxkd.common.spelling import nearest
from jaxkd.reports import experiment as experiment_report
from jaxkd.reports import paper_table
from jaxkd.runs import paper, recipes, toolkit
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.recipes import recipe
from jaxkd.runs.validation import validate
from jaxkd.tuning import tuned

TOOLKIT = "toolkit"
SEEDS = {"2": 3, "3": 4, TOOLKIT: 3}
"""The default number of seeds by table; Table 3 has ensembles of two."""

flags.adopt_module_key_flags(cli)
flags.adopt_module_key_flags(timed)
_TABLE = flags.DEFINE_enum("table", "2", list(SEEDS), "name of the table")
_DATASET = flags.DEFINE_string("dataset", None, "data set of the columns")
_ROWS = flags.DEFINE_list("rows", None, "rows; default: all")
_STUDENTS = flags.DEFINE_list("students", None, "students; default: the paper's")
_PAIRS = flags.DEFINE_list("pairs", None, "TEACHER/STUDENT of table toolkit; default: all")
_SEEDS = flags.DEFINE_integer("seeds", None, "seeds of a cell; default: 3, and 4 in table 3", 1)
_ARG = flags.DEFINE_string("arg", "", "further parts of the recipe's argument, e.g. runlocal")
_DATA_DIR = flags.DEFINE_string("data_dir", "", "folder of TFDS's data")
_SET = flags.DEFINE_multi_string("set", [], "OPTION=VALUE of all columns' config; repeatable")


def configs(
  table: str, dataset: str, columns: Sequence[str], arg: str = ""
) -> dict[str, ml_collections.ConfigDict]:
  """Returns the experiment of each column, a student or a pair; see `recipe` for `arg`."""
  title = f"table{table}-{dataset}"
  if table == TOOLKIT:
    return {
      pair: toolkit.recipe(pair, arg, title=f"{title}-{pair.replace('/', '-')}") for pair in columns
    }
  rows = paper.TABLES[table]
  return {
    s: recipe(dataset, f"student={s},{arg}", title=f"{title}-{s}", rows=rows) for s in columns
  }


def _columns(table: str, dataset: str) -> Sequence[str]:
  """Returns the columns that the flags choose: students or pairs."""
  if table != TOOLKIT:
    if _PAIRS.value:
      raise ConfigError(f"--pairs is {','.join(_PAIRS.value)}, must be left out of table {table}")
    return _STUDENTS.value or recipes.students(dataset)
  if _STUDENTS.value:
    given = ",".join(_STUDENTS.value)
    raise ConfigError(f"--students is {given}, must be left out of table {table}: see --pairs")
  if dataset != toolkit.DATASET:
    raise ConfigError(f"--dataset is {dataset}, must be {toolkit.DATASET} for table {table}")
  return _PAIRS.value or toolkit.PAIRS


def main(_: list[str]) -> None:
  """Trains the missing phases of the table that the flags describe."""
  with cli.command(), timed.limited():
    if cli.CONFIG.value is not None:
      raise ConfigError("--config is given, but a table has its own configs: change them by --set")
    dataset = _DATASET.value
    if dataset not in recipes.RECIPES:
      raise ConfigError(
        f"--dataset is {dataset}, must be {nearest(dataset or '', recipes.RECIPES)}"
      )
    table = _TABLE.value
    columns = configs(table, dataset, _columns(table, dataset), _ARG.value)
    for config in columns.values():
      config.rows = tuple(_ROWS.value or config.rows)
      config.seeds = tuple(range(_SEEDS.value or SEEDS[table]))
      config.data.data_dir = _DATA_DIR.value
      cli.override(config, _SET.value)
      validate(config)
      tuned.apply(config, cli.choices(), [text.partition("=")[0] for text in _SET.value])
    workdir = located(cli.WORKDIR.value)
    experiments = [Experiment.of(config, workdir) for config in columns.values()]
    if timed.STATUS.value:
      timed.print_status(experiments)
      return
    failed = timed.train(experiments)
    written = zip(columns, map(experiment_report.write, experiments), strict=True)
    if reports := {column: folder for column, folder in written if folder}:
      folders = digest(" ".join(map(str, reports.values())))
      title = f"table{table}-{dataset}-{folders}"
      caption = paper_table.caption(columns)
      path = paper_table.write(title, caption, reports, workdir, wide=table != TOOLKIT)
      print(read(path).decode())
      print(f"Written to {path}; .csv and .html lie beside it.")
    for error in failed.values():
      raise error


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
