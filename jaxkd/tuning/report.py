"""The table and picture of a search."""

import html
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np
from matplotlib.figure import Figure

from jaxkd.analysis import figures
from jaxkd.common.digests import digest
from jaxkd.common.files import write_atomically
from jaxkd.reports import tables, webpage
from jaxkd.reports.tables import Lines
from jaxkd.runs import row_options as tuned
from jaxkd.runs.phase import Phase
from jaxkd.tuning.grid import Grid
from jaxkd.tuning.search import Point, best

ACCURACY = "validation accuracy (%)"
"""The column of the mean over the seeds."""

_PICTURE = "grid"


def write(
  config: ml_collections.ConfigDict,
  row: str,
  grid: Grid,
  found: Sequence[Point],
  workdir: str | os.PathLike[str],
) -> pathlib.Path:
  """Writes what a search found.

  Args:
    config: the experiment.
    row: what was tuned.
    grid: what was tried.
    found: its points.
    workdir: the store.

  Returns:
    The folder `tune-<title>-<hash>` with `report.md`, `report.html`,
    `table.csv` and the picture.
  """
  students = " ".join(phase.identity for point in found for phase in point.students)
  name = f"tune-{config.title}-{digest(f'{row} {students}')}"
  folder = pathlib.Path(workdir) / name
  folder.mkdir(parents=True, exist_ok=True)
  title = f"{config.title}: {row}, tuned"
  chosen, about = summary(found), " ".join(_about(config, row, found))
  lines = table(found)
  svg = figures.save(_picture(grid, found, about), folder / _PICTURE)[1]
  write_atomically(folder / "table.csv", tables.as_csv(lines))
  write_atomically(
    folder / "report.md",
    f"# {title}\n\n{tables.as_markdown(lines)}\n\n{chosen}\n\n{about}\n\n"
    f"![{_PICTURE}]({_PICTURE}.png)\n",
  )
  parts = [
    tables.as_html(lines),
    *(f"<p>{html.escape(text)}</p>" for text in (chosen, about)),
    webpage.figure(svg),
  ]
  write_atomically(folder / "report.html", webpage.page(title, parts))
  return folder


def table(found: Sequence[Point]) -> Lines:
  """Returns a line for each point."""
  chosen = best(found)
  return [
    {
      **point.values,
      ACCURACY: 100 * point.mean,
      "standard deviation": 100 * point.deviation,
      "seeds": len(point.students),
      "remark": _remark(point, chosen),
    }
    for point in found
  ]


def _remark(point: Point, chosen: Point) -> str:
  if point.accuracies is None:
    return "not finite"
  return "chosen" if point == chosen else ""


def summary(found: Sequence[Point]) -> str:
  """Returns the choice in a sentence."""
  chosen = best(found)
  spread = f" ± {100 * chosen.deviation:.2f}" if len(chosen.students) > 1 else ""
  return (
    f"Chosen: {tuned.shown(chosen.values)}, with a validation accuracy of "
    f"{100 * chosen.mean:.2f}{spread} %."
  )


def _about(config: ml_collections.ConfigDict, row: str, found: Sequence[Point]) -> Iterator[str]:
  student = found[0].students[0]
  teachers = dict.fromkeys(
    phase for point in found for last in point.students for phase in last.with_teachers()[:-1]
  )
  seeds = ", ".join(map(str, config.seeds))
  several = "mean over seeds" if len(config.seeds) > 1 else "seed"
  yield (f"Validation accuracy (%) of {_trained(student)}, in row {row}, {several} {seeds}.")
  names = dict.fromkeys(f"{_trained(t)}, seed {t.seed}" for t in teachers)
  yield f"Taught by {'; '.join(names)}."
  yield (
    f"{config.data.validation:.0%} of the training split of "
    f"{config.data.name} are kept from training and evaluated here; the test "
    "split was not looked at."
  )
  if any(point.accuracies is None for point in found):
    yield "Where nothing is shown, the loss was not finite."
  for teacher in teachers:
    if _held_out(teacher) != _held_out(student):
      yield (
        f"The given teacher, {teacher.folder}, may have been trained on what is evaluated here."
      )


def _trained(phase: Phase) -> str:
  return f"{phase.network['name']}, {phase.optim['epochs']:g} epochs"


def _held_out(phase: Phase) -> list[Any]:
  return [phase.data.get(key) for key in ("name", "content", "validation")]


def _picture(grid: Grid, found: Sequence[Point], caption: str) -> Figure:
  if len(grid) == 2:
    return _heat_map(grid, found, caption)
  if len(grid) > 1:
    caption = f"{summary(found)} Each option, the others as chosen. {caption}"
  return figures.option_curves(
    [_slice(option, found) for option in grid],
    ylabel=ACCURACY,
    caption=caption,
  )


def _heat_map(grid: Grid, found: Sequence[Point], caption: str) -> Figure:
  (up, rows), (right, columns) = grid.items()
  accuracies = np.reshape([100 * point.mean for point in found], (len(rows), len(columns)))
  title = _pair(found[0].students[0])
  if (up, right) == ("ats.tau1", "ats.tau2"):
    return figures.temperature_grid(rows, columns, accuracies, title=title, caption=caption)
  return figures.accuracy_grid(
    rows,
    columns,
    accuracies,
    xlabel=right,
    ylabel=up,
    title=title,
    caption=caption,
  )


def _pair(student: Phase) -> str:
  teachers = ", ".join(t.network["name"] for t in student.teachers)
  return f"{teachers} teaches {student.network['name']}"


def _slice(option: str, found: Sequence[Point]) -> figures.OptionPanel:
  """Returns the points that differ from the best in one option alone."""

  def others(point: Point) -> Mapping[str, float]:
    return {o: v for o, v in point.values.items() if o != option}

  points = [p for p in found if others(p) == others(best(found))]
  return figures.OptionPanel(
    option,
    [point.values[option] for point in points],
    [100 * point.mean for point in points],
    [100 * point.deviation for point in points],
  )
