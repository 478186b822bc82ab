"""Writes an analysis: verdicts, tables, figures, and the figures that are missing."""

from collections.abc import Iterator, Sequence

from jaxkd.analysis import figures, measure, summary, verdicts
from jaxkd.analysis.figures import Missing
from jaxkd.analysis.measure import Findings
from jaxkd.analysis.study import Settings, Study
from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.digests import digest
from jaxkd.common.files import StrPath
from jaxkd.reports import document, origin
from jaxkd.reports.document import Block, Heading, Picture, Points, Report, Table, Text
from jaxkd.runs import inventory


def write(studies: Sequence[Study], settings: Settings, workdir: StrPath) -> AnyPath:
  """Measures a study, or one for each seed, and writes the report. Arrays are not checked.

  Returns the folder `analysis-<title>-<digest>`: one for equal networks, examples and settings.
  """
  findings = Findings(studies, settings, [measure.measure(study, settings) for study in studies])
  folder = located(workdir) / _folder(studies[0], settings)
  blocks = [*_blocks(findings), *origin.run()]
  document.write(Report(f"Dark knowledge: {studies[0].title}", blocks), folder)
  inventory.record(folder, studies[0].phases)
  return folder


def _folder(study: Study, settings: Settings) -> str:
  """Returns a name that is different for every content of a report."""
  stages = [stage.name for stage in study.stages]
  content = f"{study.digest} {len(study.labels)} {stages} {settings}"
  return f"analysis-{study.title}-{digest(content)}"


def _blocks(findings: Findings) -> Iterator[Block]:
  yield Text(_notes(findings))
  yield Text(verdicts.observation_1(findings))
  yield Text(verdicts.observation_2(findings))
  widest, *others = (verdicts.pair(found, findings.settings) for found in findings.comparisons)
  yield Text(widest)
  if others:
    yield Points(others, f"The other pairs ({len(others)})")
  for warning in (verdicts.temperatures(findings), verdicts.guidance(findings)):
    if warning:
      yield Text(warning)
  drawn = list(figures.draw(findings))
  yield from summary.tables(findings)
  yield from (block for block in drawn if isinstance(block, Table))
  yield Heading("Figures")
  yield from (block for block in drawn if isinstance(block, Picture))
  if missing := [block.needs for block in drawn if isinstance(block, Missing)]:
    yield Heading("Not drawn")
    yield Points(missing)


def _notes(findings: Findings) -> str:
  settings = findings.settings
  tau1, tau2 = settings.ats
  notes = [
    findings.study.context,
    "Values are means over these examples, unless a head or a caption says otherwise. e(q) and "
    f"v(q) are derived average and derived variance. ATS has τ1 = {tau1:g} and τ2 = {tau2:g}; "
    f"ISATS has τ1 = τ* + {settings.gap:g} and τ2 = τ*.",
  ]
  if len(findings.studies) > 1:
    seeds = ", ".join(str(study.seed) for study in findings.studies)
    notes.append(
      f"Sentences and tables summarise the seeds {seeds}: mean ± standard deviation. Pictures "
      f"show seed {findings.study.seed}."
    )
  return " ".join(notes)
