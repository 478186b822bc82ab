"""Trains the rows of a config and prints their table.

python -m jaxkd.main --config=configs/digits_isats.py
"""

from absl import app, flags

from jaxkd import cli, timed
from jaxkd.reports import experiment as report
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.validation import validate
from jaxkd.tuning import tuned

flags.adopt_module_key_flags(cli)
flags.adopt_module_key_flags(timed)


def main(_: list[str]) -> None:
  """Runs the experiment that the flags describe."""
  with cli.command(), timed.limited():
    config = cli.config()
    validate(config)
    tuned.apply(config, cli.choices(), cli.given())
    experiment = Experiment.of(config, cli.WORKDIR.value)
    if timed.STATUS.value:
      timed.print_status([experiment])
      return
    failed = timed.train([experiment])
    cli.print_report(report.write(experiment))
    for error in failed.values():
      raise error


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
