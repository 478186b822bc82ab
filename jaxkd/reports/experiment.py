"""The table and pictures of an experiment, the paper's figures beside ours."""

import collections
import html
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import jax
import ml_collections
import numpy as np
from matplotlib.figure import Figure

from jaxkd.analysis import figures
from jaxkd.common.digests import digest
from jaxkd.common.files import write_atomically
from jaxkd.reports import tables, webpage
from jaxkd.runs import paper
from jaxkd.runs import row_options as tuned
from jaxkd.runs.ensemble import Ensemble
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.phase import Phase
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.store import PhaseFolder

Plan = Mapping[str, tuple[Phase, ...]]
Entries = Mapping[Phase, PhaseFolder]
Cells = list[dict[str, str]]

ACCURACY = "accuracy (%)"
"""The column of the accuracy."""

SINGLE = "each alone (%)"
"""The column of the accuracy of an ensemble's students."""

TEACHER = "teacher of "
"""Starts the name of a line that is about a teacher."""


def write(experiment: Experiment) -> pathlib.Path | None:
  """Writes what the rows gave; of one that diverged, that it did."""
  if jax.process_index() != 0:
    return None
  config, plan, entries = experiment.config, experiment.rows, _Folders(experiment)
  students = " ".join(phase.identity for phases in plan.values() for phase in phases)
  name = f"report-{config.title}-{digest(f'{[*plan]} {students}')}"
  folder = experiment.workdir / name
  cells = table(config, plan, entries, experiment.ensembles)
  plan = {row: plan[row] for row in plan if _accuracies(plan[row], entries)}
  if not plan:
    return None
  folder.mkdir(parents=True, exist_ok=True)
  pictures = {"curves": _curves(config, plan, entries)}
  if teachers := _finished_teachers(plan, entries):
    pictures["derived"] = _derived(config, teachers, entries)
  for name, picture in pictures.items():
    figures.save(picture, folder / name)
  write_atomically(folder / "table.csv", tables.as_csv(cells))
  chosen = temperatures(plan, entries)
  write_atomically(folder / "report.md", _markdown(config, cells, chosen, pictures))
  write_atomically(folder / "report.html", _html(config, cells, chosen, pictures, folder))
  return folder


def table(
  config: ml_collections.ConfigDict,
  plan: Plan,
  entries: Entries,
  ensembles: Mapping[str, Sequence[Ensemble]],
) -> Cells:
  """Returns a dict of texts per line: the teachers, then the config's rows."""
  lines = [
    _line(f"{TEACHER}{rows}", [phase], entries) | _dark_knowledge(phase, entries, config.kd.tau)
    for phase, rows in _finished_teachers(plan, entries).items()
  ]
  papers = _paper(config)
  for row, phases in plan.items():
    line = _line(row, phases, entries)
    accuracies = _accuracies(phases, entries)
    if row in ensembles and accuracies:
      line[SINGLE] = line[ACCURACY]
      accuracies = [ensemble.accuracy for ensemble in ensembles[row]]
      line[ACCURACY] = _spread(accuracies)
      line["seeds"] += f", {config.ensemble} together"
    if row in papers:
      line["paper (%)"] = f"{papers[row]:.2f}"
      if accuracies:
        difference = 100 * float(np.mean(accuracies)) - papers[row]
        line["ours - paper"] = f"{difference:+.2f}"
    lines.append(line)
  columns = dict.fromkeys(column for line in lines for column in line)
  return [{column: line.get(column, "") for column in columns} for line in lines]


def _paper(config: ml_collections.ConfigDict) -> Mapping[str, float]:
  """Returns the paper's figures, if they are of this experiment."""
  figures = paper.accuracies(config.data.name, config.student.name)
  return {} if figures and paper.differences(config) else figures


class _Folders:
  def __init__(self, experiment):
    self._experiment = experiment

  def __getitem__(self, phase):
    return self._experiment.folder(phase)


def _finished_teachers(plan: Plan, entries: Entries) -> dict[Phase, str]:
  """Returns the networks that teach a student directly, with their rows.

  One whose students were trained elsewhere may be missing from the store.
  """
  teachers: dict[Phase, list[str]] = {}
  for row, phases in plan.items():
    for teacher in (teacher for phase in phases for teacher in phase.teachers):
      rows = teachers.setdefault(teacher, [])
      if row not in rows:
        rows.append(row)
  names = {phase: ", ".join(rows) for phase, rows in teachers.items()}
  several = {name for name, n in collections.Counter(names.values()).items() if n > 1}
  return {
    phase: f"{name}: {phase.folder}" if name in several else name
    for phase, name in names.items()
    if entries[phase].finished
  }


def _accuracies(phases: Sequence[Phase], entries: Entries) -> list[float]:
  """Returns one for each phase; none at all if one of them has diverged."""
  # What is not finished when a report is written has.
  if not all(entries[phase].finished for phase in phases):
    return []
  return [entries[phase].accuracy for phase in phases]


def _spread(accuracies: Sequence[float]) -> str:
  percent = 100 * np.asarray(accuracies)
  spread = f" ± {np.std(percent, ddof=1):.2f}" if len(percent) > 1 else ""
  return f"{np.mean(percent):.2f}{spread}"


def _line(row: str, phases: Sequence[Phase], entries: Entries) -> dict[str, str]:
  accuracies = _accuracies(phases, entries)
  return {
    "row": row,
    "network": phases[0].network["name"],
    "loss": phases[0].objective["name"],
    ACCURACY: _spread(accuracies) if accuracies else "not finite",
    "seeds": str(len(phases)),
  }


def _dark_knowledge(phase: Phase, entries: Entries, tau: float) -> dict[str, str]:
  result = entries[phase].result()
  index = int(np.argmin(np.abs(np.array(result["temperatures"]) - tau)))
  at = f"at {result['temperatures'][index]:g}"
  train = result["train"]
  return {
    f"derived average {at}": f"{train['derived_average'][index]:.3e}",
    f"derived variance {at}": f"{train['derived_variance'][index]:.3e}",
  }


_TAU_STAR = "train_tau_star_"


def temperatures(plan: Plan, entries: Entries) -> Cells:
  """Returns a line for each row that chooses a temperature per instance.

  How often each was, as logged last, mean over seeds.
  """
  cells = []
  for row, phases in plan.items():
    logged = [_logged(entries[phase])[-1] for phase in phases]
    shares = {
      f"τ* = {name.removeprefix(_TAU_STAR)}": np.mean([line[name] for line in logged])
      for name in logged[0]
      if name.startswith(_TAU_STAR)
    }
    if shares and not row.endswith(ENSEMBLE):
      texts = {name: f"{share:.1%}" for name, share in shares.items()}
      cells.append({"row": row, **texts})
  return cells


def _logged(entry: PhaseFolder) -> list[dict[str, float]]:
  """Returns what was logged in training, one dict for each evaluation."""
  return [json.loads(line) for line in entry.metrics.read_text().splitlines()]


def _curves(config: ml_collections.ConfigDict, plan: Plan, entries: Entries) -> Figure:
  def curve(phase):
    points = [
      (line["epoch"], 100 * line[f"{phase.split}_accuracy"]) for line in _logged(entries[phase])
    ]
    epochs, accuracies = np.transpose(points)
    return epochs, accuracies

  return figures.learning_curves(
    {row: list(map(curve, phases)) for row, phases in plan.items() if not row.endswith(ENSEMBLE)},
    split=split(config),
    caption=f"{config.title}: {config.student.name} on {config.data.name} in "
    f"training, seeds {', '.join(map(str, config.seeds))}.",
  )


def _derived(
  config: ml_collections.ConfigDict,
  teachers: Mapping[Phase, str],
  entries: Entries,
) -> Figure:
  results = {
    f"{phase.network['name']} of {rows}": entries[phase].result()
    for phase, rows in teachers.items()
  }
  (taus, *_) = (result["temperatures"] for result in results.values())
  averages, variances = (
    {name: result["train"][key] for name, result in results.items()}
    for key in ("derived_average", "derived_variance")
  )
  return figures.derived_curves(
    taus,
    averages,
    variances,
    caption=f"{config.title}: the teachers' wrong-class probabilities, mean "
    f"over the training split of {config.data.name}; the variance on a "
    "logarithmic scale.",
  )


def split(config: ml_collections.ConfigDict) -> str:
  """Returns the name of the split that is evaluated."""
  return "validation" if config.data.validation else "test"


def _about(config: ml_collections.ConfigDict) -> str:
  return (
    f"Accuracy of the last step on the {split(config)} split of "
    f"{config.data.name}, mean ± standard deviation over seeds; derived "
    "average and variance of the teacher's wrong-class probabilities at a "
    f"temperature, mean over the training split.{tuned.told(config)}"
  )


_CHOSEN = (
  "How often each τ* was chosen in training, between the last two evaluations; "
  "metrics.jsonl has it for all."
)


def _markdown(
  config: ml_collections.ConfigDict,
  cells: Cells,
  chosen: Cells,
  pictures: Iterable[str],
) -> str:
  images = [f"![{name}]({name}.png)" for name in pictures]
  parts = [
    f"# {config.title}",
    tables.as_markdown(cells),
    _about(config),
    *((tables.as_markdown(chosen), _CHOSEN) if chosen else ()),
    *images,
  ]
  return "\n\n".join(parts) + "\n"


def _html(
  config: ml_collections.ConfigDict,
  cells: Cells,
  chosen: Cells,
  pictures: Iterable[str],
  folder: pathlib.Path,
) -> str:
  parts = [
    tables.as_html(cells),
    f"<p>{html.escape(_about(config))}</p>",
    *((tables.as_html(chosen), f"<p>{_CHOSEN}</p>") if chosen else ()),
    *(webpage.figure(folder / f"{name}.svg") for name in pictures),
  ]
  return webpage.page(config.title, parts)
