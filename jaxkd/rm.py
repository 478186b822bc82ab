"""Lists or removes the phases of a store that nothing uses.

  python -m jaxkd.rm --unused --workdir=runs
  python -m jaxkd.rm --unused --workdir=runs --yes

The reports of a store use the phases that they show, and the teachers of these. A phase that no
report uses is unused, once nothing has been written to it for some days; so are a teacher's
predictions, once no student has been trained with them for some days. Remove the folder of a
report (report-*, tune-*, analysis-*) to make its phases unused. Teachers of other stores, by
config.teacher.checkpoint, are not known here. Without --yes nothing is removed.
"""

from collections.abc import Sequence

from jaxkd.common.arguments import Parser
from jaxkd.common.errors import UserError, end
from jaxkd.ls import lines, shown
from jaxkd.runs import inventory
from jaxkd.runs.inventory import Entry
from jaxkd.runs.store import LockedError


def main(argv: Sequence[str] | None = None) -> None:
  """Lists or removes the unused phases of the store that the flags name."""
  parser = Parser(prog="python -m jaxkd.rm", description=__doc__)
  parser.add_argument("--unused", action="store_true", required=True, help="the phases to remove")
  parser.add_argument("--workdir", default="runs", help="folder of phases and reports")
  parser.add_argument("--days", type=float, default=7, help="without a change (default: 7)")
  parser.add_argument("--yes", action="store_true", help="remove them")
  flags = parser.parse_args(argv)
  if not flags.days >= 0:
    end(f"--days is {flags.days:g}, must be >= 0")
  try:
    found = inventory.unused(flags.workdir, flags.days)
    if flags.yes:
      inventory.clear(flags.workdir)
      _remove(found)
  except UserError as error:
    end(error)
  if not found:
    print(f"There is no unused phase in {flags.workdir}.")
  elif not flags.yes:
    print(*lines(found, {}), sep="\n")
    size = shown(sum(entry.usage.bytes for entry in found))
    print(f"\n--yes removes these {len(found)} phases, {size}, from {flags.workdir}.")


def _remove(found: Sequence[Entry]) -> None:
  """Removes phases, and says so; one that another process is training stays."""
  for entry in found:
    try:
      inventory.remove(entry)
      print(f"removed {entry.path}, {shown(entry.usage.bytes)}", flush=True)
    except LockedError as error:
      print(f"kept: {error}", flush=True)


if __name__ == "__main__":
  main()
