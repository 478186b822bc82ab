"""The tables of an analysis: teachers, pairs of teachers, temperatures."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jaxkd.analysis.measure import Findings, Measures, mean, median
from jaxkd.analysis.study import Settings, Study
from jaxkd.reports import guidance
from jaxkd.reports.document import Table
from jaxkd.reports.tables import Lines, Spread, deviation


def tables(findings: Findings) -> Iterator[Table]:
  """Yields the tables that every analysis has."""
  yield table(findings, "teachers", "The teachers", _teachers)
  yield table(findings, "pairs", "Every pair of teachers", _pairs)
  title = "The most discriminative temperature τ*, share of examples"
  yield table(findings, "temperatures", title, _temperatures)
  yield table(findings, "guidance", "Correct guidance of the teachers' labels", _guidance)


def table(
  findings: Findings, name: str, title: str, of_seed: Callable[[Study, Measures, Settings], Lines]
) -> Table:
  """Makes a table of the seeds' mean and deviation; its CSV file has the lines of all seeds."""
  seeds = zip(findings.studies, findings.measures, strict=True)
  found = [(study.seed, of_seed(study, measures, findings.settings)) for study, measures in seeds]
  if len(found) == 1:
    return Table(name, found[0][1], title)
  data = [{"seed": seed, **line} for seed, lines in found for line in lines]
  return Table(name, over_seeds([lines for _, lines in found]), title, data)


def over_seeds(found: Sequence[Lines]) -> Lines:
  """Joins tables of several seeds, which have the same lines, into means and deviations."""

  def cell(values):
    numbers = isinstance(values[0], float)
    return Spread(float(np.mean(values)), deviation(values)) if numbers else values[0]

  return [
    {column: cell([line[column] for line in lines]) for column in lines[0]}
    for lines in zip(*found, strict=True)
  ]


def _teachers(study: Study, measures: Measures, settings: Settings) -> Lines:
  lines = [
    {
      "network": teacher.name,
      "parameters": teacher.parameters,
      "accuracy on these examples (%)": 100 * float(np.mean(examples.correct)),
      f"{study.split} accuracy (%)": teacher.accuracy,
      "label's logit f_y": mean(examples.label_logit),
      "deviation of others σ(g)": mean(examples.wrong_deviation),
      "entropy": mean(examples.entropy),
      "calibration error": measures.calibration[teacher.name],
      f"e(q), τ = {settings.tau:g}": mean(examples.derived_average),
      f"v(q), τ = {settings.tau:g}": mean(examples.derived_variance),
      "median of v(q)": median(examples.derived_variance),
      "inherent variance": mean(examples.inherent_variance),
      "v(q), ATS": mean(examples.ats_variance),
      "v(q), ISATS": mean(examples.isats_variance),
    }
    for teacher, examples in zip(study.teachers, measures.examples.values(), strict=True)
  ]
  # Saved logits have no number of parameters and no accuracy.
  known = [c for c in lines[0] if any(line[c] is not None for line in lines)]
  return [{column: line[column] for column in known} for line in lines]


def _pairs(study: Study, measures: Measures, settings: Settings) -> Lines:
  heads = (
    *("smaller", "larger", "times less distinct", "by the medians"),
    "larger's v(q) lower, share of examples",
    *("times raised by ISATS", "ISATS to smaller's v(q)"),
    *(f"rank set overlap, K = {settings.k}", "Spearman's ρ", "Kendall's τ", "Kendall's τ-b"),
  )
  return [dict(zip(heads, found, strict=True)) for found in measures.comparisons]


def _temperatures(study: Study, measures: Measures, settings: Settings) -> Lines:
  lines: list[dict[str, object]] = []
  for name, examples in measures.examples.items():
    shares = {tau: np.mean(examples.tau_star == np.float32(tau)) for tau in settings.grid}
    lines.append({"network": name, **{f"τ* = {tau:g}": float(s) for tau, s in shares.items()}})
  return lines


def _guidance(study: Study, measures: Measures, settings: Settings) -> Lines:
  return [
    {
      "network": name,
      "label": label,
      guidance.MISGUIDED: float(wrong),
      guidance.LABEL_PROBABILITY: float(own),
    }
    for name, examples in measures.examples.items()
    for label, wrong, own in zip(
      settings.labels,
      examples.misguidance.mean(axis=0, dtype=np.float64),
      examples.label_probability.mean(axis=0, dtype=np.float64),
      strict=True,
    )
  ]
