"""Trains the rows of a config: `python -m jaxkd.main --config=configs/...`."""

from absl import app, flags

from jaxkd import cli
from jaxkd.runs import experiment
from jaxkd.runs.config import validate
from jaxkd.tuning import tuned

flags.adopt_module_key_flags(cli)


def main(_: list[str]) -> None:
  """Runs the experiment that the flags describe."""
  with cli.command():
    config = cli.config()
    validate(config)
    tuned.apply(config, cli.choices(), cli.given())
    folder = experiment.run(config, cli.WORKDIR.value)
  if folder:
    print((folder / "report.md").read_text())
    print(f"Written to {folder} and, phase by phase, beside it.")


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
