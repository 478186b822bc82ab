"""Shows the paper's claim on embedded data: hundreds of small students at once, in minutes.

python -m jaxkd.demo
python -m jaxkd.demo --methods=kd,isats,fgcr --splits=20 --per_teacher=40
"""

import time

import jax
from absl import app, flags

from jaxkd import cli
from jaxkd.analysis import gains, miniature
from jaxkd.common import provenance
from jaxkd.common.buckets import located
from jaxkd.common.console import clock, tell
from jaxkd.common.digests import digest
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest

flags.adopt_module_key_flags(cli)
_METHODS = flags.DEFINE_list("methods", ["kd", "ats", "isats", "fgcr"], "methods that are compared")
_SPLITS = flags.DEFINE_integer("splits", 24, "random divisions of the data", 2)
_STUDENTS = flags.DEFINE_integer("per_teacher", 20, "students of each teacher, by each method", 1)


def main(_: list[str]) -> None:
  """Trains the teachers and students of the flags, and reports what students gain."""
  with cli.command():
    rows = _METHODS.value
    for row in rows:
      if row not in miniature.ROWS:
        raise ConfigError(f"--methods has {row!r}, must be {nearest(row, miniature.ROWS)}")
    if len(set(rows)) < len(rows) or not rows:
      raise ConfigError(f"--methods is {','.join(rows)}, must be one method or more, each once")
    if cli.CONFIG.value is not None:
      raise ConfigError("--config is given, but the demonstration has its own")
    total, started = miniature.count(rows), time.monotonic()
    cells = []
    tell(f"{total} groups of students to train on {provenance.hardware()}")
    for cell in miniature.cells(rows, _SPLITS.value, _STUDENTS.value):
      cells.append(cell)
      left = (time.monotonic() - started) * (total / len(cells) - 1)
      teachers = f" of teachers with {cell.size} hidden units" if cell.size else ""
      tell(
        f"[{len(cells)}/{total}] {cell.row}: {cell.accuracies.size} students{teachers}, accuracy "
        f"{cell.accuracies.mean():.2%}, ETA {clock(left)}"
      )
    if jax.process_index() == 0:
      flags_used = digest(f"{rows} {_SPLITS.value} {_STUDENTS.value}")
      folder = located(cli.WORKDIR.value) / f"demo-{flags_used}"
      gains.write(cells, folder)
      cli.print_report(folder)


if __name__ == "__main__":
  app.run(main, flags_parser=cli.parse)
