"""The report of a search: its table and its picture."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.digests import digest
from jaxkd.common.errors import FileError
from jaxkd.common.files import StrPath
from jaxkd.reports import document, guidance, origin, pictures, tables
from jaxkd.reports.document import Picture, Report, Table, Text
from jaxkd.reports.tables import Lines
from jaxkd.runs import inventory, row_options
from jaxkd.runs.phase import Phase, duration
from jaxkd.runs.store import PhaseFolder
from jaxkd.tuning.grid import Grid
from jaxkd.tuning.search import Point, best

VALIDATION_ACCURACY = "validation accuracy (%)"

_AXES = {"ats.tau1": pictures.TAU1, "ats.tau2": pictures.TAU2}


def write(
  config: ConfigDict, row: str, grid: Grid, found: Sequence[Point], workdir: StrPath
) -> AnyPath:
  """Writes the points of a row's search into the folder `tune-<title>-<hash>`, and returns it."""
  students = " ".join(phase.identity for point in found for phase in point.students)
  folder = located(workdir) / f"tune-{config.title}-{digest(f'{row} {students}')}"
  about = " ".join(_about(config, row, found))
  picture = _picture(grid, found, about)
  blocks = Table("table", table(found, workdir)), Text(summary(found)), Text(about), picture
  document.write(Report(f"{config.title}: {row}, tuned", [*blocks, *origin.run()]), folder)
  inventory.record(folder, (phase for point in found for phase in point.students))
  return folder


def table(found: Sequence[Point], workdir: StrPath) -> Lines:
  """Returns a line for each point."""
  chosen = best(found)
  misguided = [_misguided(point, workdir) for point in found]
  logged = not all(map(math.isnan, misguided))
  return [
    {
      **point.values,
      VALIDATION_ACCURACY: 100 * point.mean,
      "standard deviation": 100 * point.deviation,
      **({guidance.MISGUIDED: share} if logged else {}),
      "seeds": len(point.students),
      "remark": "not finite" if point.accuracies is None else "chosen" * (point == chosen),
    }
    for point, share in zip(found, misguided, strict=True)
  ]


def _misguided(point: Point, workdir: StrPath) -> float:
  """Returns the share of labels that favour a wrong class; NaN if there is no log of it."""
  try:
    last = [PhaseFolder.of(workdir, student).logged()[-1] for student in point.students]
  except FileError:
    return math.nan
  return guidance.of_students(last).get(guidance.MISGUIDED, math.nan)


def summary(found: Sequence[Point]) -> str:
  """Returns the choice in a sentence."""
  chosen = best(found)
  return (
    f"Chosen: {row_options.shown(chosen.values)}, with a validation accuracy of "
    f"{tables.percent(chosen.accuracies or ())} %."
  )


def _about(config: ConfigDict, row: str, found: Sequence[Point]) -> Iterator[str]:
  def trained(phase: Phase) -> str:
    return f"{phase.network['name']}, {duration(phase.epochs)}"

  def held_out(phase: Phase) -> list[Any]:
    return [phase.data.get(key) for key in ("name", "content", "validation")]

  student = found[0].students[0]
  teachers = dict.fromkeys(
    phase for point in found for last in point.students for phase in last.with_teachers()[:-1]
  )
  seeds = ", ".join(map(str, config.seeds))
  several = "mean over seeds" if len(config.seeds) > 1 else "seed"
  yield f"Validation accuracy (%) of {trained(student)}, in row {row}, {several} {seeds}."
  names = dict.fromkeys(f"{trained(t)}, seed {t.seed}" for t in teachers)
  yield f"Teachers: {'; '.join(names)}."
  yield (
    f"{config.data.validation:.0%} of the training split of {config.data.name} are held out from "
    "training and evaluated here. The test split is not used."
  )
  if any(point.accuracies is None for point in found):
    yield "A point without an accuracy had a loss that was not finite."
  for teacher in teachers:
    if teacher.given or held_out(teacher) != held_out(student):
      yield (
        f"The given teacher, {teacher.folder}, may have been trained on the examples that are "
        "evaluated here."
      )


def _picture(grid: Grid, found: Sequence[Point], caption: str) -> Picture:
  if len(grid) == 2:
    (up, rows), (right, columns) = grid.items()
    student = found[0].students[0]
    teachers = ", ".join(teacher.network["name"] for teacher in student.teachers)
    title = f"{teachers} teaches {student.network['name']}"
    accuracies = np.reshape([100 * point.mean for point in found], (len(rows), len(columns)))
    axes = {"xlabel": _AXES.get(right, right), "ylabel": _AXES.get(up, up)}
    figure = pictures.accuracy_grid(rows, columns, accuracies, **axes, title=title)
    return Picture("grid", figure, caption=caption)
  if len(grid) > 1:
    caption = f"{summary(found)} A panel varies one option and keeps the others. {caption}"
  chosen, panels = best(found).values, []
  for option in grid:
    # The points that differ from the best in this option alone.
    points = [p for p in found if {**p.values, option: chosen[option]} == chosen]
    triples = [(p.values[option], 100 * p.mean, 100 * p.deviation) for p in points]
    panels.append(pictures.OptionPanel(option, *zip(*triples, strict=True)))
  figure = pictures.option_curves(panels, ylabel=VALIDATION_ACCURACY)
  return Picture("grid", figure, caption=caption)
