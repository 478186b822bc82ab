"""Lists the phases of a store: state, accuracy, size, date, and the students that they teach.

Predictions of teachers are listed first, with the accuracy of their first view.

python -m jaxkd.ls --workdir=runs
"""

import collections
import textwrap
from collections.abc import Iterator, Sequence

from jaxkd.common.arguments import Parser, show
from jaxkd.common.buckets import check
from jaxkd.common.errors import UserError, end
from jaxkd.runs import inventory
from jaxkd.runs.inventory import Entry
from jaxkd.runs.phase import Phase

_WIDTH = 100


def lines(entries: Sequence[Entry], taught: dict[Phase, list[Phase]]) -> Iterator[str]:
  """Yields a line for each phase, and below a teacher the objectives of its students."""
  rows = [("phase", "seed", "state", "accuracy", "size", "date")]
  for entry in entries:
    seed = str(entry.phase.seed) if entry.phase else ""
    size = shown(entry.usage.bytes)
    rows.append((entry.name, seed, entry.state, entry.accuracy, size, entry.date))
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  for row, phase in zip(rows, [None, *(entry.phase for entry in entries)], strict=True):
    yield "  ".join(map(str.ljust, row, widths)).rstrip()
    students = taught.get(phase, ()) if phase else ()
    if count := collections.Counter(student.objective["name"] for student in students):
      objectives = ", ".join(f"{name} ({number})" for name, number in sorted(count.items()))
      yield textwrap.fill(f"  teaches {objectives}", _WIDTH, subsequent_indent="    ")


def shown(size: int) -> str:
  """Returns a number of bytes in a unit that suits it.

  Examples:
    >>> shown(1_230_000)
    '1.2 MB'
  """
  value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
  while value >= 1000 and len(units) > 1:
    value, units = value / 1000, units[1:]
  return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def main(argv: Sequence[str] | None = None) -> None:
  """Lists the phases of the store that the flag names."""
  parser = Parser(prog="python -m jaxkd.ls", description=__doc__)
  parser.add_argument("--workdir", default="runs", help="folder of phases and reports")
  workdir = parser.parse_args(argv).workdir
  try:
    check(workdir)
    found = inventory.entries(workdir)
  except UserError as error:
    end(error)
  if not found:
    print(f"There is no phase in {workdir}.")
    return
  finished = sum(entry.state == "finished" for entry in found)
  size = shown(sum(entry.usage.bytes for entry in found))
  phases = sum(not entry.predictions for entry in found)
  total = f"{phases} phases, {finished} finished, {size} in {workdir}"
  show("\n".join([*lines(found, inventory.students(found)), "", total]))


if __name__ == "__main__":
  main()
