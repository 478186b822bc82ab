"""The report of `miniature`: what students gain from teachers of several capacities."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxkd.analysis import miniature
from jaxkd.analysis.miniature import LABELS, PER_SIZE, SIZES, TAU, Cell
from jaxkd.common.buckets import AnyPath
from jaxkd.reports import comparison, document, origin, style
from jaxkd.reports.comparison import Difference
from jaxkd.reports.document import Block, Picture, Points, Report, Table, Text
from jaxkd.reports.tables import Lines

TITLE = "Capacity mismatch in miniature"

Gains = Mapping[tuple[str, str], Mapping[int, float]]
"""Mean gain over labels alone of each split's students, by (size, row) and split."""


def gains(cells: Sequence[Cell]) -> Gains:
  """Returns the gains in accuracy, in [-1, 1], paired by student.

  The students of a split share its images and teachers, so their mean counts once.
  """
  (alone,) = (cell.accuracies for cell in cells if cell.row == LABELS)
  return {
    (cell.size, cell.row): dict(enumerate(np.mean(cell.accuracies - alone, axis=(1, 2)).tolist()))
    for cell in cells
    if cell.row != LABELS
  }


def _rows(cells: Sequence[Cell]) -> list[str]:
  return list(dict.fromkeys(cell.row for cell in cells if cell.row != LABELS))


def _above_0(own: Mapping[int, float]) -> Difference:
  return comparison.paired(own, dict.fromkeys(own, 0.0))


def _teachers(cells: Sequence[Cell], size: str) -> tuple[float, float]:
  """Returns the accuracy and the derived variance of the teachers of a size."""
  # RegT trains teachers of its own.
  cell = min((c for c in cells if c.size == size), key=lambda cell: cell.row == "regt")
  return float(np.mean(cell.teachers)), float(np.mean(cell.variances))


def table(cells: Sequence[Cell]) -> Lines:
  """Returns a line for each size of teachers, with the gain of each row in percentage points."""
  found = gains(cells)
  lines = []
  for size in SIZES:
    accuracy, variance = _teachers(cells, size)
    about = {
      "teacher's hidden units": size,
      "its accuracy (%)": f"{100 * accuracy:.2f}",
      f"its v(q) at {TAU:g}": f"{variance:.2e}",
    }
    lines.append({**about, **{row: str(_above_0(found[size, row])) for row in _rows(cells)}})
  return lines


def verdicts(cells: Sequence[Cell]) -> list[str]:
  """Returns sentences on the paper's claim; their intervals hold together, by Bonferroni."""
  found, rows = gains(cells), _rows(cells)
  small, *_, large = SIZES
  (accuracy_small, variance_small), (accuracy, variance) = (
    _teachers(cells, size) for size in (small, large)
  )
  better = 100 * (accuracy - accuracy_small)
  sentences = [
    f"The teachers with {large} hidden units are {abs(better):.2f} points "
    f"{'more' if better > 0 else 'less'} accurate than those with {small}. The derived variance of "
    f"their wrong classes is {variance:.2e}, against {variance_small:.2e}."
  ]
  comparisons = 2 * len(rows) - 1
  for row in rows:
    change = comparison.paired(found[large, row], found[small, row], comparisons)
    sentences.append(
      f"With {row}, students gain {_amount(change)} from the large teachers than from the small "
      f"ones ({change} points)."
    )
  for row in rows[1:]:
    change = comparison.paired(found[large, row], found[large, rows[0]], comparisons)
    sentences.append(
      f"From the large teachers, {row} gives {_amount(change)} than {rows[0]} ({change} points)."
    )
  return sentences


def _amount(change: Difference) -> str:
  if not change.certain:
    return "neither more nor less"
  return "more" if change.mean > 0 else "less"


@style.styled
def draw(cells: Sequence[Cell]) -> Figure:
  """Draws each row's gain, with its confidence interval, against the teachers' size."""
  found, rows = gains(cells), _rows(cells)
  figure, ((axes,),) = style.new_figure(1, 1, height=2.6)
  for index, row in enumerate(rows):
    each = [_above_0(found[size, row]) for size in SIZES]
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


def write(cells: Sequence[Cell], folder: AnyPath) -> None:
  """Writes the report into a folder."""
  (alone,) = (cell.accuracies for cell in cells if cell.row == LABELS)
  splits, _, students = alone.shape
  train, hidden = miniature.TRAIN_IMAGES, miniature.STUDENT["width"]
  about = (
    "Gain of students in test accuracy over the same students that learn from labels alone "
    f"({100 * np.mean(alone):.2f} %), in percentage points, ± half of a "
    f"{comparison.CONFIDENCE:.0%} confidence interval over {splits} splits (Student's t), of each "
    "cell by itself. The intervals of the sentences hold together (Bonferroni)."
  )
  data = (
    f"A split is a random division of scikit-learn's digits into {train} images to train on and "
    f"{1797 - train} to test, so splits share images. Each split has {PER_SIZE} teachers of each "
    f"size and {students} students of each teacher, {alone.size} students in each cell. Students "
    f"have {hidden} hidden units, and start from the same weights in every cell. v(q) is the "
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
      "split": split,
      "teacher's hidden units": cell.size,
      "row": cell.row,
      "teachers' accuracy (%)": 100 * float(np.mean(cell.teachers[split])),
      "students' accuracy (%)": 100 * float(np.mean(cell.accuracies[split])),
    }
    for cell in cells
    for split in range(splits)
  ]
  blocks: list[Block] = [
    Table("table", table(cells)),
    Points(verdicts(cells)),
    Picture("gains", draw(cells), lines, f"{TITLE}: students of each row."),
    *map(Text, (about, data, recipe)),
    *origin.run(),
  ]
  document.write(Report(TITLE, blocks), folder)
