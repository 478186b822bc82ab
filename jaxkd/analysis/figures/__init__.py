"""The papers' figures, one file each: needs, data, caption and drawing.

A module of this package has a function `draw(findings)` that yields the pictures (or the table) of
one figure of the papers, or a `Missing` that says what the figure needs. Modules whose names start
with an underscore hold code that several figures share. A new figure is a new file.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from jaxkd.analysis.measure import Findings
from jaxkd.reports.document import Picture, Table


class Missing(NamedTuple):
  """A figure that can't be drawn."""

  needs: str  # the figure's title, its needs, and the option or config that meets them


ByNetwork = Mapping[str, np.ndarray]  # arrays by the name of a network
Drawn = Iterator[Picture | Table | Missing]


def draw(findings: Findings) -> Drawn:
  """Draws every figure that the findings allow, in the papers' order."""
  for name in sorted((module.name for module in pkgutil.iter_modules(__path__)), key=_order):
    if not name.startswith("_"):
      yield from importlib.import_module(f"{__name__}.{name}").draw(findings)


def _order(name: str) -> tuple[str, list[int]]:
  """Returns a key that sorts fig2 before fig10, and the ATS paper's figures last."""
  prefix = re.sub(r"\d", "", name)
  paper = prefix if prefix.startswith(("fig", "table")) else f"~{prefix}"
  return paper, [*map(int, re.findall(r"\d+", name))]
