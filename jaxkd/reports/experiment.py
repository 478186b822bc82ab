"""The report of a run: its table with the paper's figures, and its pictures."""

import collections
import json
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from jaxkd.common.digests import digest
from jaxkd.reports import document, pictures, tables
from jaxkd.reports.document import Block, Picture, Report, Table, Text
from jaxkd.reports.tables import Lines
from jaxkd.runs import rows
from jaxkd.runs.ensemble import Ensemble
from jaxkd.runs.rows import ENSEMBLE
from jaxkd.runs.store import Phase, PhaseFolder

Plan = Mapping[str, tuple[Phase, ...]]
Entries = Mapping[Phase, PhaseFolder]

ACCURACY = "accuracy (%)"
"""The column of the accuracy."""

SINGLE = "each alone (%)"
"""The column of the accuracy of an ensemble's students."""

PAPER = "paper (%)"
"""The column of the paper's accuracy."""

DIFFERENCE = "ours - paper"
"""The column of the difference between both."""

TEACHER = "teacher of "
"""Starts the name of a line that is about a teacher."""

PAPER_EPOCHS = 240
"""Epochs of the papers' networks."""

_FROM_IMAGENET = ("cub", "dogs")


def accuracy_of(folder: PhaseFolder) -> float:
  """Returns the accuracy of a finished phase on the split that it was evaluated on."""
  return folder.result()["test"]["accuracy"]


def _evaluations(folder: PhaseFolder) -> tuple[np.ndarray, np.ndarray]:
  """Returns epochs `[T]` and accuracies in percent `[T]` of a phase's evaluations."""
  points = [(line["epoch"], 100 * line["test_accuracy"]) for line in _logged(folder)]
  epochs, accuracies = np.transpose(points)
  return epochs, accuracies


def _logged(folder: PhaseFolder) -> list[dict[str, float]]:
  """Returns what was logged in training, one dict for each evaluation."""
  return [json.loads(line) for line in folder.metrics.read_text().splitlines()]


def write(
  config: ConfigDict,
  workdir: str | os.PathLike[str],
  plan: Plan,
  entries: Entries,
  ensembles: Mapping[str, Sequence[Ensemble]],
) -> pathlib.Path | None:
  """Writes the results of the rows; a row that diverged is marked as such.

  Args:
    config: the experiment.
    workdir: the store.
    plan: the students' phases of each row, one for each seed.
    entries: the places of all phases.
    ensembles: those of the rows whose students predict together.

  Returns:
    The folder with `report.md`, `report.html`, and the files of the tables and pictures; None if
    no row is finished.
  """
  students = " ".join(phase.identity for phases in plan.values() for phase in phases)
  name = f"report-{config.title}-{digest(f'{[*plan]} {students}')}"
  folder = pathlib.Path(workdir) / name
  lines = table(config, plan, entries, ensembles)
  plan = {row: plan[row] for row in plan if _accuracies(plan[row], entries)}
  if not plan:
    return None
  blocks = [Table("table", lines), Text(_about(config)), *_pictures(config, plan, entries)]
  document.write(Report(config.title, blocks), folder)
  return folder


def _pictures(config: ConfigDict, plan: Plan, entries: Entries) -> Iterator[Block]:
  """Yields the table of temperatures, if a row has some, and the pictures."""
  if chosen := temperatures(plan, entries):
    yield Table("temperatures", chosen)
    yield Text(
      "Share of the examples for which each τ* was chosen in training, between the last two "
      "evaluations; metrics.jsonl has the shares of all evaluations."
    )
  alone = {row: phases for row, phases in plan.items() if not row.endswith(ENSEMBLE)}
  if alone:
    yield _curves(config, alone, entries)
  if teachers := _finished_teachers(plan, entries):
    yield Picture("derived", *_derived(config, teachers, entries))


def table(
  config: ConfigDict, plan: Plan, entries: Entries, ensembles: Mapping[str, Sequence[Ensemble]]
) -> Lines:
  """Returns a line for each teacher and for each row of the config."""
  lines = [
    _line(f"{TEACHER}{rows}", [phase], entries) | _dark_knowledge(phase, entries, config.kd.tau)
    for phase, rows in _finished_teachers(plan, entries).items()
  ]
  papers = {} if differences(config) else config.paper.accuracies
  for row, phases in plan.items():
    line = _line(row, phases, entries)
    accuracies = _accuracies(phases, entries)
    if row in ensembles and accuracies:
      line[SINGLE] = line[ACCURACY]
      accuracies = [ensemble.accuracy for ensemble in ensembles[row]]
      line[ACCURACY] = tables.percent(accuracies)
      line["seeds"] += f", {config.ensemble} together"
    if row in papers:
      line[PAPER] = f"{papers[row]:.2f}"
      if accuracies:
        line[DIFFERENCE] = f"{100 * float(np.mean(accuracies)) - papers[row]:+.2f}"
    lines.append(line)
  return tables.joined(lines)


def differences(config: ConfigDict) -> list[str]:
  """Returns the ways in which an experiment is not the paper's.

  The paper's accuracies stand beside ours only if there are none: same data, split, networks,
  epochs and kind of initial weights.
  """
  found = []
  if config.data.name != config.paper.data:
    found.append(f"data set {config.data.name}")
  elif "content" in rows.data_of(config, seed=0):
    found.append("the images are not the published ones")
  if config.data.train_share < 1:
    found.append(f"{100 * config.data.train_share:.3g} % of the training data")
  if config.data.validation:
    found.append(f"accuracy on {100 * config.data.validation:.3g} % of the training data, held out")
  for role in ("teacher", "student"):
    name, options, epochs, initial = _network(config, role)
    if name != config.paper[role] or options:
      shown = ", ".join(f"{key}={value}" for key, value in options.items())
      found.append(f"{role} {name}({shown})" if shown else f"{role} {name}")
    if epochs != PAPER_EPOCHS:
      found.append(f"{role}: {epochs:g} of {PAPER_EPOCHS} epochs")
    if config.data.name in _FROM_IMAGENET and not initial:
      found.append(f"{role}: random initial weights, not those of ImageNet ({role}.init_from)")
  return found


def _network(config: ConfigDict, role: str) -> tuple[str, Mapping[str, object], float, object]:
  """Returns name, options, epochs and initial weights of the teacher or the student."""
  own = config[role]
  if not own.get("checkpoint"):
    return own.name, own.options.to_dict(), own.epochs, own.init_from
  phase = PhaseFolder.open(own.checkpoint).phase
  network = phase.network
  return network["name"], network["options"], phase.optim["epochs"], network.get("init_from")


def _finished_teachers(plan: Plan, entries: Entries) -> dict[Phase, str]:
  """Returns the networks that teach a student directly, with the names of their rows.

  A teacher may be missing from the store if its students were trained elsewhere.
  """
  teachers: dict[Phase, dict[str, None]] = {}
  for row, phases in plan.items():
    for teacher in (teacher for phase in phases for teacher in phase.teachers):
      teachers.setdefault(teacher, {})[row] = None
  names = {phase: ", ".join(rows) for phase, rows in teachers.items()}
  count = collections.Counter(names.values())
  return {
    phase: f"{name}: {phase.folder}" if count[name] > 1 else name
    for phase, name in names.items()
    if entries[phase].finished
  }


def _accuracies(phases: Sequence[Phase], entries: Entries) -> list[float]:
  """Returns the accuracy of each phase; an empty list if one of them has diverged."""
  # When a report is written, each phase has either finished or diverged.
  if not all(entries[phase].finished for phase in phases):
    return []
  return [accuracy_of(entries[phase]) for phase in phases]


def _line(row: str, phases: Sequence[Phase], entries: Entries) -> dict[str, str]:
  accuracies = _accuracies(phases, entries)
  return {
    "row": row,
    "network": phases[0].network["name"],
    "loss": phases[0].loss["name"],
    ACCURACY: tables.percent(accuracies) if accuracies else "not finite",
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


def temperatures(plan: Plan, entries: Entries) -> Lines:
  """Returns a line for each row that chooses a temperature for each example.

  A cell is the share of the examples in the last evaluation's line of metrics.jsonl, mean over
  the seeds.
  """
  lines = []
  for row, phases in plan.items():
    logged = [_logged(entries[phase])[-1] for phase in phases]
    shares = {
      f"τ* = {name.removeprefix(_TAU_STAR)}": f"{np.mean([line[name] for line in logged]):.1%}"
      for name in logged[0]
      if name.startswith(_TAU_STAR)
    }
    if shares and not row.endswith(ENSEMBLE):
      lines.append({"row": row, **shares})
  return tables.joined(lines)


def _curves(config: ConfigDict, plan: Plan, entries: Entries) -> Picture:
  curves = {row: [_evaluations(entries[phase]) for phase in plan[row]] for row in plan}
  several = ", mean and standard deviation over" if len(config.seeds) > 1 else ","
  figure = pictures.learning_curves(
    curves,
    split=split(config),
    caption=f"{config.title}: {config.student.name} on {config.data.name} in training{several} "
    f"seeds {', '.join(map(str, config.seeds))}.",
  )
  lines = [
    {"row": row, "seed": phase.seed, "epoch": float(epoch), "accuracy (%)": float(accuracy)}
    for row, runs in curves.items()
    for phase, run in zip(plan[row], runs, strict=True)
    for epoch, accuracy in zip(*run, strict=True)
  ]
  return Picture("curves", figure, lines)


def _derived(
  config: ConfigDict, teachers: Mapping[Phase, str], entries: Entries
) -> tuple[Figure, Lines]:
  results = {
    f"{phase.network['name']} of {rows}": entries[phase].result()
    for phase, rows in teachers.items()
  }
  (taus, *_) = (result["temperatures"] for result in results.values())
  averages, variances = (
    {name: result["train"][key] for name, result in results.items()}
    for key in ("derived_average", "derived_variance")
  )
  figure = pictures.derived_curves(
    taus,
    averages,
    variances,
    caption=f"{config.title}: the teachers' wrong-class probabilities, mean over the training "
    f"split of {config.data.name}. The variance's scale is logarithmic.",
  )
  return figure, pictures.derived_lines(taus, averages, variances)


def split(config: ConfigDict) -> str:
  """Returns the name of the split that is evaluated."""
  return "validation" if config.data.validation else "test"


def _about(config: ConfigDict) -> str:
  return (
    f"Accuracy of the last step on the {split(config)} split of {config.data.name}, mean ± "
    "standard deviation over seeds. Derived average and derived variance describe the teacher's "
    "wrong-class probabilities at a temperature, mean over the training split."
    f"{notes(config)}"
  )


def notes(config: ConfigDict) -> str:
  """Returns sentences on tuned options, and on missing figures of the paper; may be empty."""
  tuned = "".join(
    f" Tuned on a validation split: {row} has "
    + ", ".join(
      f"{section}.{key} = {value:g}"
      for section, options in sections.items()
      for key, value in options.items()
    )
    + "."
    for row, sections in config.tuned.items()
  )
  differ = differences(config)
  if differ and set(config.rows) & set(config.paper.accuracies):
    tuned += f" The paper's accuracies are not shown, because of differences: {'; '.join(differ)}."
  return tuned
