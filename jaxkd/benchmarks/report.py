"""The report of a benchmark: tables, and all numbers as JSON."""

import importlib.util
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
  "start": "Seconds to the first step",
  "column": "CIFAR-100's first column of Table 2: 11 rows, 3 seeds, 240 epochs",
  "compile": "Compiled without the machine",
}


def text(value: Any) -> str:
  """Returns a cell as text."""
  return tables.shown(value)


def write(parts: Tables, workdir: AnyPath) -> AnyPath:
  """Writes the tables of the parts, and returns their folder."""
  folder = workdir / f"benchmark-{digest(provenance.command())}"
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
  return folder


def _paired(line: Mapping[str, Any]) -> dict[str, Any]:
  """Joins each number with its spread, for people."""
  return {
    key: tables.Spread(value, line[f"± {key}"]) if f"± {key}" in line else value
    for key, value in line.items()
    if not key.startswith("±")
  }


def _peers() -> str:
  """Returns the version of PyTorch, '' if it is not installed."""
  if importlib.util.find_spec("torch") is None:
    return ""
  import torch

  return f"PyTorch {torch.__version__}"
