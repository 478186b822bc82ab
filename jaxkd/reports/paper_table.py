"""A table of the paper: the reports of its columns, joined."""

import csv
import pathlib
from collections.abc import Mapping

from ml_collections import ConfigDict

from jaxkd.common.files import StrPath
from jaxkd.reports import document, experiment, tables
from jaxkd.reports.document import Report, Table, Text
from jaxkd.reports.experiment import ACCURACY, DIFFERENCE, PAPER, SINGLE
from jaxkd.reports.tables import Lines
from jaxkd.runs.phase import duration

# Suffixes of the student's name, by column of a report.
_COLUMNS = {ACCURACY: "", SINGLE: f": {SINGLE}", "seeds": ": seeds"}
_COLUMNS |= {PAPER: ": paper", DIFFERENCE: f": {DIFFERENCE}"}


def join(reports: Mapping[str, pathlib.Path]) -> Lines:
  """Joins reports, folders by student, into one table with a line for each row."""
  lines: dict[str, dict[str, str]] = {}
  for student, folder in reports.items():
    with open(folder / "table.csv", newline="") as file:
      for cells in csv.DictReader(file):
        line = lines.setdefault(cells["row"], {"row": cells["row"]})
        for name, suffix in _COLUMNS.items():
          if name in cells:
            line[f"{student}{suffix}"] = cells[name]
  return tables.joined([*lines.values()])


def write(
  title: str, caption: str, reports: Mapping[str, pathlib.Path], workdir: StrPath
) -> pathlib.Path:
  """Writes the joined table as `<title>.md`, `.html` and `.csv`; returns the Markdown file."""
  report = Report(title, [Table(title, join(reports)), Text(caption)])
  return document.write(report, workdir, title)


def caption(columns: Mapping[str, ConfigDict]) -> str:
  """Returns how the networks of the columns, configs by student, are trained."""
  config = next(iter(columns.values()))
  share = config.data.train_share * (1 - config.data.validation)
  noted = dict.fromkeys(map(experiment.notes, columns.values()))
  return (
    f"Accuracy (%) on the {experiment.split(config)} split of {config.data.name}, mean ± standard "
    "deviation over seeds; that of an ensemble over ensembles. Teachers: "
    f"{duration(config.teacher.epochs)}; students: {duration(config.student.epochs)}; on "
    f"{share:.0%} of the training split.{''.join(noted)}"
  )
