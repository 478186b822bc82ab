"""Writes a study: tables, figures, their data, and one page with all."""

import html
import itertools
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from jaxkd import tables, webpage
from jaxkd.analysis import (
  drawings,
  figures,
  measure,
  student_drawings,
  verdicts,
)
from jaxkd.analysis.measure import Measures
from jaxkd.analysis.study import Settings, Study
from jaxkd.store import write_atomically
from jaxkd.tables import Lines


def write(
  study: Study, settings: Settings, workdir: str | os.PathLike[str]
) -> pathlib.Path:
  """Measures a study and writes what it shows.

  Args:
    study: its arrays are trusted; see `jaxkd.analysis.checks`.
    settings: checked.
    workdir: where to make the folder.

  Returns:
    The folder `analysis-<title>` with `report.html`, `report.md`, a CSV file
    for each table, and PNG, SVG and CSV for each figure.

  Raises:
    StoreError: a file can't be written.
  """
  measures = measure.measure(study, settings)
  summary = [
    _notes(study, settings),
    verdicts.observation_1(study, measures, settings),
    verdicts.observation_2(measures),
  ]
  pairs = [verdicts.pair(found, settings) for found in measures.comparisons]
  shown = {
    "teachers": _teachers(study, measures, settings),
    "pairs": _pairs(measures, settings),
    "temperatures": _temperatures(measures, settings),
  }
  if measures.rules:
    shown["table1"] = _table_1(measures)

  folder = pathlib.Path(workdir) / f"analysis-{study.title}"
  folder.mkdir(parents=True, exist_ok=True)
  names = []
  for drawing in itertools.chain(
    drawings.draw(study, measures, settings), student_drawings.draw(study)
  ):
    figures.save(drawing.figure, folder / drawing.name)
    write_atomically(
      folder / f"{drawing.name}.csv", tables.as_csv(drawing.lines)
    )
    names.append(drawing.name)
  for name, lines in shown.items():
    write_atomically(folder / f"{name}.csv", tables.as_csv(lines))
  write_atomically(
    folder / "report.md", _markdown(study, summary, pairs, shown, names)
  )
  write_atomically(
    folder / "report.html", _html(study, summary, pairs, shown, names, folder)
  )
  return folder


_TITLES = {
  "teachers": "The teachers",
  "pairs": "Every pair of teachers",
  "temperatures": "The most discriminative temperature τ*, share of examples",
  "table1": "Table 1: agreement with rules",
}


def _teachers(study: Study, measures: Measures, settings: Settings) -> Lines:
  lines = []
  for teacher in study.teachers:
    examples = measures.examples[teacher.name]
    lines.append(
      {
        "network": teacher.name,
        "parameters": teacher.parameters,
        "training accuracy (%)": 100 * float(np.mean(examples.correct)),
        "test accuracy (%)": teacher.test_accuracy,
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
    "share": "share of examples",
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


def _table_1(measures: Measures) -> Lines:
  """Returns the rules' lines, after each teacher's their average."""
  lines: list[dict[str, object]] = []
  for teacher, group in itertools.groupby(
    measures.rules, lambda figures: figures.teacher
  ):
    found = list(group)
    lines += [line._asdict() for line in found]
    lines.append(
      {
        "teacher": teacher,
        "rule": "average",
        "kendall": float(np.mean([line.kendall for line in found])),
        "deviation": float(np.mean([line.deviation for line in found])),
      }
    )
  return lines


def _notes(study: Study, settings: Settings) -> str:
  tau1, tau2 = settings.ats
  return " ".join(
    [
      study.context,
      "All figures are means over these examples. e(q) and v(q) are derived "
      f"average and derived variance. ATS has τ1 = {tau1:g}, τ2 = {tau2:g}; "
      f"ISATS τ1 = τ* + {settings.gap:g}, τ2 = τ*.",
    ]
  )


def _markdown(
  study: Study,
  summary: Sequence[str],
  pairs: Sequence[str],
  shown: Mapping[str, Lines],
  names: Sequence[str],
) -> str:
  parts = [f"# Dark knowledge: {study.title}", *summary]
  parts.append("\n".join(f"- {text}" for text in pairs))
  for name, lines in shown.items():
    parts += [f"## {_TITLES[name]}", tables.as_markdown(lines)]
  parts += ["## Figures", *(f"![{name}]({name}.png)" for name in names)]
  return "\n\n".join(parts) + "\n"


def _html(
  study: Study,
  summary: Sequence[str],
  pairs: Sequence[str],
  shown: Mapping[str, Lines],
  names: Sequence[str],
  folder: pathlib.Path,
) -> str:
  def files(name, ends):
    links = (f'<a href="{name}.{end}">{end.upper()}</a>' for end in ends)
    return ", ".join(links)

  def figure(name):
    ends = files(name, ("png", "svg", "csv"))
    return webpage.figure(folder / f"{name}.svg", ends)

  parts = [
    *(f"<p>{html.escape(text)}</p>" for text in summary),
    "<ul>",
    *(f"<li>{html.escape(text)}</li>" for text in pairs),
    "</ul>",
  ]
  for name, lines in shown.items():
    parts += [
      f"<h2>{_TITLES[name]}</h2>",
      tables.as_html(lines),
      files(name, ("csv",)),
    ]
  parts += [
    "<h2>Figures</h2>",
    *map(figure, names),
  ]
  return webpage.page(f"Dark knowledge: {study.title}", parts)
