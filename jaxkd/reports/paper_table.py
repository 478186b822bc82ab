"""A table of a publication: the reports of its columns, joined."""

import csv
import io
from collections.abc import Iterable, Mapping

from ml_collections import ConfigDict

from jaxkd.common.buckets import AnyPath
from jaxkd.common.files import StrPath, read
from jaxkd.reports import document, experiment, origin, tables
from jaxkd.reports.document import Block, Report, Table, Text
from jaxkd.reports.experiment import ACCURACY, BASELINES, MINUS, SINGLE
from jaxkd.reports.tables import Lines
from jaxkd.runs import published
from jaxkd.runs.phase import duration
from jaxkd.training.jobs import GIVEN

# Suffixes of the name of a column, by column of a report.
_COLUMNS = {ACCURACY: "", SINGLE: f": {SINGLE}", "seeds": ": seeds"}
_COLUMNS |= {f"{MINUS}{base}": f": {MINUS}{base}" for base in BASELINES}
for _by in (published.PAPER, published.TOOLKITS):
  _COLUMNS |= {f"{_by} (%)": f": {_by}", f"ours - {_by}": f": ours - {_by}"}

# Begins the row of a teacher in a report.
_TEACHER = "teacher of "


def join(reports: Mapping[str, AnyPath]) -> Lines:
  """Joins reports, folders by column, into one table with a line for each row.

  A column's only teacher has the line "teacher", whatever it teaches.
  """
  lines: dict[str, dict[str, str]] = {}
  for column, folder in reports.items():
    found = list(csv.DictReader(io.StringIO(read(folder / "table.csv").decode(), newline="")))
    alone = sum(cells["row"].startswith(_TEACHER) for cells in found) == 1
    for cells in found:
      row = "teacher" if alone and cells["row"].startswith(_TEACHER) else cells["row"]
      line = lines.setdefault(row, {"row": row})
      for name, suffix in _COLUMNS.items():
        if name in cells:
          line[f"{column}{suffix}"] = cells[name]
  return tables.joined([*lines.values()])


def narrow(lines: Lines, columns: Iterable[str]) -> Lines:
  """Returns a joined table with one cell for each column: ours, the published in parentheses.

  Examples:
    >>> narrow([{"row": "kd", "a/b": "72.9", "a/b: seeds": "1", "a/b: published": "73.0"}], ["a/b"])
    [{'row': 'kd', 'a/b': '72.9 (73.0)'}]
  """

  def cell(line: Mapping[str, object], column: str) -> str:
    theirs = line.get(f"{column}: {published.TOOLKITS}")
    return f"{line.get(column, '')} ({theirs})" if theirs else str(line.get(column, ""))

  columns = list(columns)
  return [{"row": line["row"]} | {name: cell(line, name) for name in columns} for line in lines]


def write(
  title: str, caption: str, reports: Mapping[str, AnyPath], workdir: StrPath, *, wide: bool = True
) -> AnyPath:
  """Writes the joined table as `<title>.md`, `.html` and `.csv`; returns the Markdown file.

  Unless it is `wide`, people see the `narrow` table; the CSV file has everything.
  """
  lines = join(reports)
  table = Table(title, lines if wide else narrow(lines, reports), data=lines)
  own = [Text(f"Report of {column}: {folder.name}") for column, folder in reports.items()]
  blocks: list[Block] = [table, Text(caption), *own, *origin.run()]
  return document.write(Report(title, blocks), workdir, title)


def caption(columns: Mapping[str, ConfigDict]) -> str:
  """Returns how the networks of the columns, configs by their names, are trained."""
  config = next(iter(columns.values()))
  share = config.data.train_share * (1 - config.data.validation)
  noted = dict.fromkeys(map(experiment.notes, columns.values()))
  # A finished phase may have been trained for another number of epochs.
  taught = GIVEN if config.teacher.checkpoint else duration(config.teacher.epochs)
  return (
    f"Accuracy (%) on the {experiment.split(config)} split of {config.data.name}, mean ± standard "
    "deviation over seeds; that of an ensemble over ensembles. Teachers: "
    f"{taught}; students: {duration(config.student.epochs)}; on "
    f"{share:.0%} of the training split.{published.sources(columns.values())}{''.join(noted)}"
  )
