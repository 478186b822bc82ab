"""Published accuracies that an experiment can be compared with, and the reasons why it can't."""

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import ml_collections

from jaxkd.runs import paper, toolkit

PAPER, TOOLKITS = "paper", "published"
"""Whose accuracies there are, for the heads of columns."""


class Published(NamedTuple):
  """Accuracies in percent, published for the networks of an experiment.

  Attributes:
    by: `PAPER` or `TOOLKITS`.
    accuracies: by row, for the rows that are trained as the published ones; the toolkits' also of
      the teacher, as the row `toolkit.TEACHER`.
    differences: of the other rows that have a published accuracy.
  """

  by: str
  accuracies: Mapping[str, float]
  differences: tuple[str, ...]


def of(config: ml_collections.ConfigDict) -> Published:
  """Returns the accuracies that belong beside those of an experiment."""
  if pair := toolkit.pair_of(config):
    figures = {row: accuracy for row, (accuracy, _) in toolkit.accuracies(pair).items()}
    differ = {row: toolkit.differences(config, row) for row in _shown(config, figures)}
  else:
    figures = paper.accuracies(config.data.name, config.student.name)
    shown = _shown(config, figures)
    differ = dict.fromkeys(shown, paper.differences(config) if shown else [])
  same = {row: figures[row] for row in differ if not differ[row]}
  by = TOOLKITS if pair else PAPER
  return Published(by, same, tuple(dict.fromkeys(itertools.chain(*differ.values()))))


def _shown(config: ml_collections.ConfigDict, figures: Mapping[str, float]) -> list[str]:
  """Returns the rows of an experiment that have a published accuracy."""
  shown = [row for row in config.rows if row in figures]
  taught = toolkit.TEACHER in figures and set(shown) - {"nokd"}
  return [toolkit.TEACHER, *shown] if taught else shown


def sources(configs: Iterable[ml_collections.ConfigDict]) -> str:
  """Returns a sentence on where the toolkits' accuracies of experiments are from; may be empty."""
  rows: dict[str, dict[str, None]] = {}
  for config in configs:
    for row in of(config).accuracies if toolkit.pair_of(config) else ():
      source = toolkit.accuracies(toolkit.pair_of(config))[row][1]
      rows.setdefault(source, {})[row] = None
  listed = "; ".join(f"{source} ({', '.join(names)})" for source, names in rows.items())
  return f" Published accuracies: {listed}." if listed else ""
