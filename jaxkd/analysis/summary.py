"""The tables of a report."""

import itertools
from collections.abc import Sequence

import numpy as np

from jaxkd.analysis import measure
from jaxkd.analysis.measure import Measures, RuleFigures
from jaxkd.analysis.study import Settings, Study
from jaxkd.reports.tables import Lines, Spread

TITLES = {
  "teachers": "The teachers",
  "pairs": "Every pair of teachers",
  "temperatures": "The most discriminative temperature τ*, share of examples",
  "table1": "Table 1: agreement with rules on which classes are similar",
}
"""What is above each table."""


def tables(study: Study, measures: Measures, settings: Settings) -> dict[str, Lines]:
  """Returns the tables of a study, by keys of `TITLES`."""
  found = {
    "teachers": _teachers(study, measures, settings),
    "pairs": _pairs(measures, settings),
    "temperatures": _temperatures(measures, settings),
  }
  if measures.rules:
    found["table1"] = _table_1(measures, settings)
  return found


def over_seeds(found: Sequence[Lines]) -> Lines:
  """Returns a table of several seeds as one: mean and standard deviation.

  Args:
    found: two or more, with the same lines in the same order.

  Examples:
    >>> over_seeds([[{"network": "a", "v": 1.0}], [{"network": "a", "v": 3.0}]])
    [{'network': 'a', 'v': Spread(mean=2.0, deviation=1.4142135623730951)}]
  """

  def cell(values):
    if not isinstance(values[0], float):
      return values[0]
    return Spread(float(np.mean(values)), float(np.std(values, ddof=1)))

  return [
    {column: cell([line[column] for line in lines]) for column in lines[0]}
    for lines in zip(*found, strict=True)
  ]


def by_seed(studies: Sequence[Study], found: Sequence[Lines]) -> Lines:
  """Returns the lines of several seeds below each other."""
  return [
    {"seed": study.seed, **line}
    for study, lines in zip(studies, found, strict=True)
    for line in lines
  ]


def _teachers(study: Study, measures: Measures, settings: Settings) -> Lines:
  lines = []
  for teacher in study.teachers:
    examples = measures.examples[teacher.name]
    lines.append(
      {
        "network": teacher.name,
        "parameters": teacher.parameters,
        "training accuracy (%)": 100 * float(np.mean(examples.correct)),
        f"{study.split} accuracy (%)": teacher.test_accuracy,
        "label's logit f_y": measure.mean(examples.label_logit),
        "deviation of others σ(g)": measure.mean(examples.wrong_deviation),
        "entropy": measure.mean(examples.entropy),
        "calibration error": measures.calibration[teacher.name],
        f"e(q), τ = {settings.tau:g}": measure.mean(examples.derived_average),
        f"v(q), τ = {settings.tau:g}": measure.mean(examples.derived_variance),
        "inherent variance": measure.mean(examples.inherent_variance),
        "v(q), ATS": measure.mean(examples.ats_variance),
        "v(q), ISATS": measure.mean(examples.isats_variance),
      }
    )
  # What no file of saved logits says.
  known = [c for c in lines[0] if any(line[c] is not None for line in lines)]
  return [{column: line[column] for column in known} for line in lines]


def _pairs(measures: Measures, settings: Settings) -> Lines:
  heads = {
    "small": "smaller",
    "large": "larger",
    "less_distinct": "times less distinct",
    "share": "larger's v(q) lower, share of examples",
    "raised": "times raised by ISATS",
    "restored": "ISATS to smaller's v(q)",
    "overlap": f"rank set overlap, K = {settings.k}",
    "spearman": "Spearman's ρ",
    "kendall": "Kendall's τ",
    "kendall_b": "Kendall's τ-b",
  }
  return [
    {heads[field]: value for field, value in found._asdict().items()}
    for found in measures.comparisons
  ]


def _temperatures(measures: Measures, settings: Settings) -> Lines:
  return [
    {
      "network": name,
      **{
        f"τ* = {tau:g}": float(np.mean(examples.tau_star == np.float32(tau)))
        for tau in settings.grid
      },
    }
    for name, examples in measures.examples.items()
  ]


def _table_1(measures: Measures, settings: Settings) -> Lines:
  """Returns the rules' lines, after each teacher's their average."""
  heads = {
    "teacher": "network",
    "rule": "rule",
    "order": "probabilities' order",
    "kendall": "Kendall's τ",
    "deviation": f"deviation of all but the first, τ = {settings.tau:g}",
  }
  lines: list[RuleFigures] = []
  for teacher, group in itertools.groupby(measures.rules, lambda figures: figures.teacher):
    found = list(group)
    kendall = float(np.mean([line.kendall for line in found]))
    deviation = float(np.mean([line.deviation for line in found]))
    average = RuleFigures(teacher, "average", "", kendall, deviation)
    lines += [*found, average]
  return [{heads[field]: value for field, value in line._asdict().items()} for line in lines]
