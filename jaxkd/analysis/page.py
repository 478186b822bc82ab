"""Writes a study: tables, figures, their data, and one page with all."""

import html
import itertools
import os
import pathlib
from collections.abc import Mapping, Sequence

from jaxkd.analysis import (
  drawings,
  figures,
  measure,
  student_drawings,
  summary,
  undrawn,
  verdicts,
)
from jaxkd.analysis.measure import Measures
from jaxkd.analysis.study import Settings, Study
from jaxkd.common.digests import digest
from jaxkd.common.files import write_atomically
from jaxkd.reports import tables, webpage
from jaxkd.reports.tables import Lines


def write(
  studies: Sequence[Study],
  settings: Settings,
  workdir: str | os.PathLike[str],
) -> pathlib.Path:
  """Measures studies and writes what they show.

  Args:
    studies: one, or one for each seed; their arrays are trusted, see
      `jaxkd.analysis.checks`.
    settings: checked.
    workdir: where to make the folder.

  Returns:
    The folder `analysis-<title>-<digest>`, one for the same networks, examples
    and settings, with `report.html`, `report.md`, a CSV file for each table,
    and PNG, SVG and CSV for each figure.

  Raises:
    StoreError: a file can't be written.
  """
  measures = [measure.measure(study, settings) for study in studies]
  shown, data = _tables(studies, measures, settings)
  comparisons = measure.mean_comparisons(measures)
  said = [
    _notes(studies, settings),
    verdicts.observation_1(measures, settings),
    verdicts.observation_2(comparisons),
  ]
  pairs = [verdicts.pair(found, settings) for found in comparisons]

  first = studies[0]
  folder = pathlib.Path(workdir) / _folder(first, settings)
  folder.mkdir(parents=True, exist_ok=True)
  names = []
  for drawing in itertools.chain(
    drawings.draw(first, measures[0], settings), student_drawings.draw(first)
  ):
    figures.save(drawing.figure, folder / drawing.name)
    data[drawing.name] = drawing.lines
    names.append(drawing.name)
  for name, lines in data.items():
    write_atomically(folder / f"{name}.csv", tables.as_csv(lines))
  missing = undrawn.undrawn({*names, *shown})
  write_atomically(folder / "report.md", _markdown(first, said, pairs, shown, names, missing))
  write_atomically(
    folder / "report.html",
    _html(first, said, pairs, shown, names, missing, folder),
  )
  return folder


def _folder(study: Study, settings: Settings) -> str:
  """Returns a name that no report of other content has."""
  stages = [stage.name for stage in study.stages]
  content = f"{study.digest} {len(study.labels)} {stages} {settings}"
  return f"analysis-{study.title}-{digest(content)}"


def _tables(
  studies: Sequence[Study], measures: Sequence[Measures], settings: Settings
) -> tuple[dict[str, Lines], dict[str, Lines]]:
  """Returns the tables as they are shown, and with all seeds' figures."""
  found = [
    summary.tables(study, measured, settings)
    for study, measured in zip(studies, measures, strict=True)
  ]
  if len(found) == 1:
    return found[0], dict(found[0])
  by_name = {name: [one[name] for one in found] for name in found[0]}
  return (
    {name: summary.over_seeds(lines) for name, lines in by_name.items()},
    {name: summary.by_seed(studies, lines) for name, lines in by_name.items()},
  )


def _notes(studies: Sequence[Study], settings: Settings) -> str:
  tau1, tau2 = settings.ats
  notes = [
    studies[0].context,
    "All figures are means over these examples. e(q) and v(q) are derived "
    f"average and derived variance. ATS has τ1 = {tau1:g}, τ2 = {tau2:g}; "
    f"ISATS τ1 = τ* + {settings.gap:g}, τ2 = τ*.",
  ]
  if len(studies) > 1:
    seeds = ", ".join(str(study.seed) for study in studies)
    notes.append(
      f"Sentences and tables are of the seeds {seeds}: mean ± standard "
      f"deviation. Pictures are of seed {studies[0].seed}."
    )
  return " ".join(notes)


def _markdown(
  study: Study,
  said: Sequence[str],
  pairs: Sequence[str],
  shown: Mapping[str, Lines],
  names: Sequence[str],
  missing: Sequence[str],
) -> str:
  parts = [f"# Dark knowledge: {study.title}", *said]
  parts.append("\n".join(f"- {text}" for text in pairs))
  for name, lines in shown.items():
    parts += [f"## {summary.TITLES[name]}", tables.as_markdown(lines)]
  parts += ["## Figures", *(f"![{name}]({name}.png)" for name in names)]
  if missing:
    parts += ["## Not drawn", "\n".join(f"- {text}" for text in missing)]
  return "\n\n".join(parts) + "\n"


def _html(
  study: Study,
  said: Sequence[str],
  pairs: Sequence[str],
  shown: Mapping[str, Lines],
  names: Sequence[str],
  missing: Sequence[str],
  folder: pathlib.Path,
) -> str:
  def files(name, ends):
    links = (f'<a href="{name}.{end}">{end.upper()}</a>' for end in ends)
    return ", ".join(links)

  def figure(name):
    ends = files(name, ("png", "svg", "csv"))
    return webpage.figure(folder / f"{name}.svg", ends)

  widest, *others = pairs
  parts = [
    *(f"<p>{html.escape(text)}</p>" for text in said),
    f"<p>{html.escape(widest)}</p>",
  ]
  if others:
    parts += [
      f"<details><summary>The other pairs ({len(others)})</summary><ul>",
      *(f"<li>{html.escape(text)}</li>" for text in others),
      "</ul></details>",
    ]
  for name, lines in shown.items():
    parts += [
      f"<h2>{summary.TITLES[name]}</h2>",
      tables.as_html(lines),
      files(name, ("csv",)),
    ]
  parts += [
    "<h2>Figures</h2>",
    *map(figure, names),
  ]
  if missing:
    parts += [
      "<h2>Not drawn</h2><ul>",
      *(f"<li>{html.escape(text)}</li>" for text in missing),
      "</ul>",
    ]
  return webpage.page(f"Dark knowledge: {study.title}", parts)
