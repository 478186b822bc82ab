"""The report of a benchmark: tables, and all numbers as JSON."""

import importlib.util
import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxkd.common import provenance
from jaxkd.common.buckets import AnyPath
from jaxkd.common.digests import digest
from jaxkd.common.files import write_json
from jaxkd.reports import document, origin, tables
from jaxkd.reports.document import Report, Table, Text

Tables = Mapping[str, Sequence[Mapping[str, Any]]]

TITLES = {
  "step": "A training step",
  "cohort": "Several students in one step",
  "loss": "Losses with their gradients",
  "growth": "Time as one quantity doubles",
  "start": "Seconds to the first step",
  "column": "CIFAR-100's first column of Table 2: 11 rows, 3 seeds, 240 epochs",
  "compile": "Compiled without the machine",
}


def text(value: Any) -> str:
  """Returns a cell as text."""
  return tables.shown(value)


def folder(workdir: AnyPath) -> AnyPath:
  """Returns the folder of the report of this command."""
  return workdir / f"benchmark-{digest(provenance.command())}"


def write(parts: Tables, folder: AnyPath) -> None:
  """Writes the tables of the parts."""
  about = {
    "command": provenance.command(),
    "hardware": provenance.hardware(),
    "versions": ", ".join(filter(None, (provenance.versions(), _peers()))),
    "date": provenance.today(),
    "took": provenance.elapsed(),
  }
  blocks: list[document.Block] = [
    Table(
      name, tables.joined([_paired(line) for line in lines]), TITLES[name], tables.joined(lines)
    )
    for name, lines in parts.items()
    if lines
  ]
  note = "Times are medians, ± half of the distance between the quartiles, of calls in turns."
  peers = _peers()
  blocks += [Text(note + (f" {peers}." if peers else "")), *origin.run()]
  document.write(Report("Benchmark", blocks), folder)
  write_json(folder / "benchmark.json", {**about, "parts": dict(parts)})


def _paired(line: Mapping[str, Any]) -> dict[str, Any]:
  """Joins each number with its spread, for people."""
  return {
    key: value if math.isnan(spread) else tables.Spread(value, spread)
    for key, value in line.items()
    for spread in [line.get(f"± {key}", math.nan)]
    if not key.startswith("±")
  }


def _peers() -> str:
  """Returns the version of PyTorch, '' if it is not installed."""
  if importlib.util.find_spec("torch") is None:
    return ""
  import torch

  return f"PyTorch {torch.__version__}"
