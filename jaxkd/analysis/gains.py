"""The report of `miniature`: what students gain from teachers of several capacities."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxkd.analysis import miniature
from jaxkd.analysis.miniature import LABELS, PER_SIZE, SIZES, TAU, Cell
from jaxkd.reports import comparison, document, origin, style, tables
from jaxkd.reports.comparison import Difference
from jaxkd.reports.document import Block, Picture, Points, Report, Table, Text
from jaxkd.reports.tables import Lines

TITLE = "Capacity mismatch in miniature"

_SMALL, _LARGE = next(iter(SIZES)), [*SIZES][-1]

Gains = Mapping[tuple[str, str], Mapping[tuple[int, int], float]]
"""Mean gain over labels alone of the students of each teacher, by (size, row), (split, teacher)."""


def gains(cells: Sequence[Cell]) -> Gains:
  """Returns the gains in accuracy, in [-1, 1], paired by student.

  Students of one teacher are not independent, so their mean counts once.
  """
  alone = {cell.split: cell.accuracies for cell in cells if cell.row == LABELS}
  found: dict[tuple[str, str], dict[tuple[int, int], float]] = {}
  for cell in cells:
    if cell.row != LABELS:
      means = np.mean(cell.accuracies - alone[cell.split], axis=1)
      group = found.setdefault((cell.size, cell.row), {})
      group |= {(cell.split, number): float(mean) for number, mean in enumerate(means)}
  return found


def _rows(found: Gains) -> list[str]:
  return list(dict.fromkeys(row for _, row in found))


def _above_0(found: Gains, size: str, row: str) -> Difference:
  own = found[size, row]
  return comparison.paired(own, dict.fromkeys(own, 0.0))


def table(cells: Sequence[Cell]) -> Lines:
  """Returns a line for each size of teachers, with the gain of each row in percentage points."""
  found = gains(cells)
  lines = []
  for size in SIZES:
    # RegT trains other teachers.
    plain = [cell for cell in cells if cell.size == size and cell.row != "regt"]
    accuracies = np.concatenate([cell.teachers for cell in plain])
    variance = np.mean([cell.variances for cell in plain])
    own = {row: str(_above_0(found, size, row)) for row in _rows(found)}
    about = {
      "teacher's hidden units": size,
      "its accuracy (%)": f"{100 * np.mean(accuracies):.2f}",
      f"its v(q) at {TAU:g}": f"{variance:.2e}",
    }
    lines.append({**about, **own})
  return lines


def verdicts(cells: Sequence[Cell]) -> list[str]:
  """Returns sentences on the paper's claim, each with its uncertainty."""
  found = gains(cells)
  of = {
    size: [cell for cell in cells if cell.size == size and cell.row != "regt"] for size in SIZES
  }
  accuracy = {size: np.mean([cell.teachers for cell in own]) for size, own in of.items()}
  variance = {size: np.mean([cell.variances for cell in own]) for size, own in of.items()}
  better = 100 * (accuracy[_LARGE] - accuracy[_SMALL])
  sentences = [
    f"The teachers with {_LARGE} hidden units are {abs(better):.2f} points "
    f"{'more' if better > 0 else 'less'} accurate than those with {_SMALL}, and the derived "
    f"variance of their wrong classes is {variance[_SMALL] / variance[_LARGE]:.1f} times smaller."
  ]
  for row in _rows(found):
    change = comparison.paired(found[_LARGE, row], found[_SMALL, row])
    word = ("more" if change.mean > 0 else "less") if change.certain else "neither more nor less"
    sentences.append(
      f"With {row}, students gain {word} from the large teachers than from the small ones "
      f"({change} points)."
    )
  for row in _rows(found)[1:]:
    first = _rows(found)[0]
    change = comparison.paired(found[_LARGE, row], found[_LARGE, first])
    word = ("more" if change.mean > 0 else "less") if change.certain else "neither more nor less"
    sentences.append(f"From the large teachers, {row} gives {word} than {first} ({change} points).")
  return sentences


@style.styled
def draw(cells: Sequence[Cell]) -> Figure:
  """Draws each row's gain, with its confidence interval, against the teachers' size."""
  found = gains(cells)
  rows = _rows(found)
  figure, ((axes,),) = style.new_figure(1, 1, height=2.6)
  for index, row in enumerate(rows):
    each = [_above_0(found, size, row) for size in SIZES]
    shift = 0.08 * (index - (len(rows) - 1) / 2)
    line: dict[str, Any] = {"color": style.COLORS[index], "marker": style.MARKERS[index]}
    margins = [0.0 if math.isnan(d.margin) else d.margin for d in each]
    x = np.arange(len(SIZES)) + shift
    axes.errorbar(x, [d.mean for d in each], margins, capsize=2, label=row, **line)
  axes.axhline(0, color="0.6", linewidth=0.8)
  axes.set_xticks(np.arange(len(SIZES)), list(SIZES))
  axes.set(xlabel="hidden units of the teacher", ylabel="gain over labels alone (points)")
  axes.legend()
  return figure


def write(cells: Sequence[Cell], workdir: Any, students: int) -> Any:
  """Writes the report into a folder of the workdir, and returns the folder."""
  splits = len({cell.split for cell in cells})
  hidden, train = miniature.STUDENT["width"], miniature.TRAIN_IMAGES
  alone = np.concatenate([cell.accuracies.ravel() for cell in cells if cell.row == LABELS])
  of_cell = splits * PER_SIZE * students
  about = (
    f"Gain of students in test accuracy over the same students that learn from labels alone "
    f"({100 * np.mean(alone):.2f} %), in percentage points, ± half of a "
    f"{comparison.CONFIDENCE:.0%} confidence interval over {splits * PER_SIZE} teachers. Each cell "
    f"has {of_cell:,} students with {hidden} hidden units, of {PER_SIZE} teachers in each of "
    f"{splits} random divisions of scikit-learn's digits into {train} images to train on and "
    f"{1797 - train} to test. Students start from the same weights in every cell. v(q) is the "
    "derived variance of the wrong classes, a mean over the training images."
  )
  recipe = (
    f"Training of all networks: SGD with momentum {miniature.MOMENTUM:g}, {miniature.EPOCHS} "
    f"epochs, batches of {miniature.BATCH_SIZE}, learning rate {miniature.LEARNING_RATE:g} that "
    "falls to 0 by a cosine, no weight decay, every pixel standardised. The methods have their "
    "default options: lam 0.5, student's temperature 1."
  )
  lines = [
    {
      "split": cell.split,
      "teacher's hidden units": cell.size,
      "teacher": number,
      "row": cell.row,
      "teacher's accuracy (%)": 100 * float(cell.teachers[number]),
      "students' accuracy (%)": 100 * float(np.mean(cell.accuracies[number])),
    }
    for cell in cells
    for number in range(PER_SIZE)
  ]
  blocks: list[Block] = [
    Table("table", table(cells)),
    Points(verdicts(cells)),
    Picture("gains", draw(cells), tables.joined(lines), f"{TITLE}: students of each row."),
    Text(about),
    Text(recipe),
    *origin.run(),
  ]
  return document.write(Report(TITLE, blocks), workdir)
