r"""Tunes a row's options on a validation split, never on the test split.

  python -m jaxkd.tune --config=configs/cifar100_ats.py \
    --grid=ats.tau1=2,3,4,5 --grid=ats.tau2=1,2,3,4 --config.seeds=0,1,2

Without --grid the values are those that the method's file in `jaxkd/methods/` searches.
`--config.data.validation` is the share of the training split that neither teachers nor students
see; the choice is made on it. Every point of the grid is an experiment of the store: a finished
point is not trained again, a stopped search resumes, and runs on several machines that share a
workdir share the points.

The choice goes into `tuned.json` in the workdir. `jaxkd.main` and `jaxkd.table` use it there for
the same experiment; an option on the command line takes precedence.
"""

from absl import app, flags
from ml_collections import config_flags

from jaxkd import cli
from jaxkd.common import provenance, shell
from jaxkd.common.errors import ConfigError
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.row_options import Values
from jaxkd.runs.validation import validate
from jaxkd.tuning import report, tuned
from jaxkd.tuning.grid import Grid, parse
from jaxkd.tuning.search import best, search

flags.adopt_module_key_flags(cli)
_GRID = flags.DEFINE_multi_string("grid", [], "OPTION=NUMBER,NUMBER,...; once for each option")

_VALIDATION = 0.1  # the default share of the training split


def main(_: list[str]) -> None:
  """Tunes the row that the flags describe."""
  with cli.command():
    config = cli.config()
    validate(config)
    if len(config.rows) > 1:
      raise ConfigError(f"config.rows is {config.rows}, must be one to tune: --config.rows=ROW")
    row = config.rows[0].removesuffix(ENSEMBLE)
    grid = parse(_GRID.value, config, row)
    config.data.validation = config.data.validation or _VALIDATION
    found = search(config, row, grid, cli.WORKDIR.value)
    if found is None:
      return
    cli.print_report(report.write(config, row, grid, found, cli.WORKDIR.value))
    chosen = best(found)
    print(f"To train with this choice:\n{_command(grid, chosen.values)}")
    path = cli.choices()
    tuned.write(
      config,
      path,
      row,
      chosen.values,
      validation_accuracies=chosen.accuracies,
      seeds=config.seeds,
      validation=config.data.validation,
      grid=grid,
      command=provenance.command(),
    )
    print(f"Saved in {path}, so that this command does the same:\n{_command(grid, {})}")


def _command(grid: Grid, values: Values) -> str:
  """Returns the command that trains with the values on the whole split."""
  options = {k: v for k, v in cli.given().items() if k not in (*grid, "data.validation")}
  file = config_flags.get_config_filename(flags.FLAGS[cli.CONFIG.name])
  words = [f"--config={file}"]
  for option, value in {**options, **values}.items():
    several = value if isinstance(value, tuple) else (value,)
    words.append(f"--config.{option}={','.join(map(str, several))}")
  return shell.command("main", *words, f"--workdir={cli.WORKDIR.value}")


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
