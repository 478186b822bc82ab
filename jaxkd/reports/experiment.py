"""The report of a run: its table with published accuracies, and its pictures."""

import collections
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxkd import data
from jaxkd.common.buckets import AnyPath
from jaxkd.common.console import tell
from jaxkd.common.digests import digest
from jaxkd.common.errors import FileError
from jaxkd.reports import (
  classes,
  comparison,
  document,
  guidance,
  networks,
  origin,
  pictures,
  sizes,
  tables,
)
from jaxkd.reports.document import Block, Links, Picture, Report, Table, Text
from jaxkd.reports.tables import Lines
from jaxkd.runs import inventory, planning, published, row_options, toolkit
from jaxkd.runs.experiment import Experiment
from jaxkd.runs.phase import Phase
from jaxkd.runs.planning import ENSEMBLE
from jaxkd.runs.store import PhaseFolder
from jaxkd.training.classes import Evaluation
from jaxkd.training.jobs import GIVEN

# Columns of the table: the accuracy, that of an ensemble's students. A published accuracy and the
# difference follow, see `Published.by`.
ACCURACY, SINGLE = "accuracy (%)", "each alone (%)"
MINUS = "minus "
"""Begins the columns of differences from a baseline."""
BASELINES = ("nokd", "kd")
"""Rows that the others are compared with."""

_TAU_STAR = "train_tau_star_"

Differences = Mapping[str, Mapping[str, comparison.Difference]]
"""Differences of rows from a baseline, by baseline."""

# What the students of each row logged in training.
_Logs = dict[str, dict[Phase, list[dict[str, float]]]]


def write(experiment: Experiment) -> AnyPath | None:
  """Writes the results of the rows into a folder; a diverged row is marked.

  Returns None if no row is finished, and in processes other than the first.
  """
  config, rows = experiment.config, experiment.rows
  if jax.process_index() != 0:
    return None
  finished = {row: phases for row, phases in rows.items() if _accuracies(experiment, phases)}
  if not finished:
    return None
  identities = " ".join(phase.identity for phases in rows.values() for phase in phases)
  folder = experiment.workdir / f"report-{config.title}-{digest(f'{[*rows]} {identities}')}"
  about = (
    f"Accuracy of the last step on the {split(config)} split of {config.data.name}, mean ± "
    "standard deviation over seeds. Derived average and derived variance describe the teacher's "
    "wrong-class probabilities at a temperature, mean over the training split."
    f"{published.sources([config])}{notes(config)}{_given(experiment)}"
  )
  shown = dataclasses.replace(experiment, rows=finished)
  compared = differences(shown)
  blocks = [
    Table("table", table(experiment, compared)),
    Text(about),
    *_compared_text(compared),
    *_pictures(shown),
    *_sizes_and_classes(shown),
    Table("training", _training(shown), "Training"),
    *origin.blocks(shown),
    Links(inventory.folders(shown.students), "Folders of these phases"),
  ]
  document.write(Report(config.title, blocks), folder)
  inventory.record(folder, experiment.students)
  return folder


def _pictures(experiment: Experiment) -> Iterator[Block]:
  """Yields the table of temperatures, if a row has some, and the pictures."""
  logs, lost = _logs(experiment)
  for text in lost:
    tell(f"jaxkd: {text}")
    yield Text(f"{text}.")
  if chosen := _temperatures(logs):
    yield Table("temperatures", chosen)
    yield Text(
      "Share of the examples for which each τ* was chosen in training, between the last two "
      "evaluations; metrics.jsonl has the shares of all evaluations."
    )
  yield from _guidance(logs)
  if logs:
    yield _curves(experiment.config, logs)
  if teachers := _finished_teachers(experiment):
    taus: list[float] = []
    derived = {}
    for phase, rows in teachers.items():
      result = experiment.folder(phase).result()
      curves = result["train"]["derived_average"], result["train"]["derived_variance"]
      taus = taus or result["temperatures"]
      derived[f"{phase.network['name']} of {rows}"] = curves
    config = experiment.config
    caption = (
      f"{config.title}: the teachers' wrong-class probabilities, mean over the training split of "
      f"{config.data.name}. The variance's scale is logarithmic."
    )
    figure = pictures.derived_curves(taus, derived)
    yield Picture("derived", figure, pictures.derived_lines(taus, derived), caption)


def _logs(experiment: Experiment) -> tuple[_Logs, list[str]]:
  """Returns what the rows of single students logged, and why that of others can't be read."""
  logs: _Logs = {}
  lost = []
  for row, phases in experiment.rows.items():
    if row.endswith(ENSEMBLE):
      continue
    try:
      logs[row] = {phase: experiment.folder(phase).logged() for phase in phases}
    except FileError as error:
      lost.append(f"no curve and no temperatures of {row}: {error}")
  return logs, lost


def table(experiment: Experiment, compared: Differences) -> Lines:
  """Returns a line for each teacher and for each row of the config."""
  config = experiment.config
  lines = []
  known = published.of(config)
  minus = dict.fromkeys((f"{MINUS}{base}" for base in compared), "")
  for phase, rows in _finished_teachers(experiment).items():
    result = experiment.folder(phase).result()
    index = int(np.argmin(np.abs(np.array(result["temperatures"]) - config.kd.tau)))
    line = _line(experiment, f"teacher of {rows}", [phase]) | minus
    for name in ("derived average", "derived variance"):
      value = result["train"][name.replace(" ", "_")][index]
      line[f"{name} at {result['temperatures'][index]:g}"] = f"{value:.3e}"
    # Some rows have teachers of their own.
    own = phase.network["name"], phase.objective["name"], phase.epochs
    if own == (config.teacher.name, "cross_entropy", config.teacher.epochs):
      line |= _compared(known, toolkit.TEACHER, _accuracies(experiment, [phase]))
    lines.append(line)
  for row, phases in experiment.rows.items():
    line = _line(experiment, row, phases)
    accuracies = _accuracies(experiment, phases)
    if row in experiment.ensembles and accuracies:
      line[SINGLE] = line[ACCURACY]
      accuracies = [ensemble.accuracy for ensemble in experiment.ensembles[row]]
      line[ACCURACY] = tables.percent(accuracies)
      line["seeds"] += f", {config.ensemble} together"
    line |= {f"{MINUS}{base}": str(own.get(row, "")) for base, own in compared.items()}
    lines.append(line | _compared(known, row, accuracies))
  return tables.joined(lines)


def differences(experiment: Experiment) -> Differences:
  """Compares the finished rows of single students with labels alone and with KD, seed by seed."""
  rows = {
    row: dict(zip(experiment.config.seeds, accuracies, strict=True))
    for row, phases in experiment.rows.items()
    if not row.endswith(ENSEMBLE) and (accuracies := _accuracies(experiment, phases))
  }
  found = {
    base: {
      row: comparison.paired(own, rows[base], len(rows) - 1)
      for row, own in rows.items()
      if row != base
    }
    for base in BASELINES
    if base in rows
  }
  return {base: own for base, own in found.items() if own}


def _compared_text(compared: Differences) -> list[Text]:
  """Returns the paragraph on the differences, if there are any."""
  if not compared:
    return []
  sentences = " ".join(comparison.sentence(*each) for each in compared.items())
  return [
    Text(
      "Differences are in percentage points, paired by seed, ± half of a "
      f"{comparison.CONFIDENCE:.0%} confidence interval (Student's t). The intervals of a column "
      "hold together (Bonferroni). They cover the students' seeds alone: teachers and test images "
      f"are the same. {sentences}"
    )
  ]


def _sizes_and_classes(experiment: Experiment) -> Iterator[Block]:
  """Yields size and speed of students and teachers, and for a user's data their classes.

  Teachers of which only logits were imported are left out.
  """
  teachers = _finished_teachers(experiment).items()
  taught = [(f"teacher of {rows}", [phase]) for phase, rows in teachers if not phase.imported]
  students = {row.removesuffix(ENSEMBLE): phases for row, phases in experiment.rows.items()}
  found = [*taught, *students.items()]
  evaluations = {
    phase: _evaluation(experiment.folder(phase)) for _, phases in found for phase in phases
  }
  # Of a teacher from outside, its logits alone are known.
  made = [(name, own) for name, own in found if "imported" not in own[0].network]
  lines = sizes.table(made, experiment.folder, evaluations)
  yield Table("sizes", lines, "Size and speed")
  yield Text(sizes.NOTE)
  if data.is_own(experiment.config.data.name):
    first = experiment.students[0]
    names = experiment.folder(first).result()["class_names"]
    # A teacher from another store may have other test images, and another order of classes.
    by_class = {
      name: [evaluations[phase] if _evaluated_alike(phase, first) else None for phase in own]
      for name, own in found
    }
    yield from classes.blocks(by_class, names)


def _evaluated_alike(phase: Phase, other: Phase) -> bool:
  """Returns whether two networks were evaluated on the same images and classes, in their order."""
  fields = ("name", "content", "class_names", "validation")
  mine, theirs = ([own.data.get(field) for field in fields] for own in (phase, other))
  return mine == theirs


def _evaluation(folder: PhaseFolder) -> Evaluation | None:
  """Returns a phase's evaluation class by class, None if there is none that can be read."""
  try:
    return folder.evaluation()
  except FileError as error:
    tell(f"jaxkd: {error}")
    return None


def _training(experiment: Experiment) -> Lines:
  """Returns the table of how the students and all their teachers were trained."""
  students = {row.removesuffix(ENSEMBLE): phases for row, phases in experiment.rows.items()}
  used: dict[Phase, dict[str, None]] = {}
  for row, own in students.items():
    for phase in planning.with_teachers(own):
      if phase not in own:
        used.setdefault(phase, {})[row] = None
  # The seeds of a network that teaches the same rows share a line.
  groups: dict[tuple[str, ...], list[Phase]] = {}
  for phase, rows in used.items():
    alike = {**phase.to_dict(), "seed": 0, "teachers": [t.name for t in phase.teachers]}
    groups.setdefault((", ".join(rows), json.dumps(alike, sort_keys=True)), []).append(phase)
  taught = [(f"teacher of {rows}", phases) for (rows, _), phases in groups.items()]
  origins = {phase: _origin(experiment, phase) for phase in (*used, *experiment.students)}
  return networks.table([*taught, *students.items()], origins)


def _origin(experiment: Experiment, phase: Phase) -> str:
  """Returns where a phase's network came from."""
  if source := _source(phase):
    return f"given: {source}"
  folder = experiment.folder(phase)
  if not folder.finished:
    return "not in the store"
  result = folder.result()
  # Results of earlier versions lack these.
  date, hardware = result.get("finished", "at an unknown date"), result.get("hardware")
  return f"trained {date}{f' on {hardware}' if hardware else ''}"


def _compared(known: published.Published, row: str, accuracies: Sequence[float]) -> dict[str, str]:
  """Returns the cells of a row's published accuracy; none if it has no comparable one."""
  if row not in known.accuracies:
    return {}
  theirs = known.accuracies[row]
  cells = {f"{known.by} (%)": f"{theirs:.2f}"}
  if accuracies:
    cells[f"ours - {known.by}"] = f"{100 * float(np.mean(accuracies)) - theirs:+.2f}"
  return cells


def _finished_teachers(experiment: Experiment) -> dict[Phase, str]:
  """Returns the networks that teach a student directly, with the names of their rows.

  A teacher may be missing from the store if its students were trained elsewhere.
  """
  teachers: dict[Phase, dict[str, None]] = {}
  for row, phases in experiment.rows.items():
    for teacher in (teacher for phase in phases for teacher in phase.teachers):
      teachers.setdefault(teacher, {})[row] = None
  names = {phase: ", ".join(rows) for phase, rows in teachers.items()}
  count = collections.Counter(names.values())
  return {
    phase: f"{name}: {phase.folder}" if count[name] > 1 else name
    for phase, name in names.items()
    if experiment.folder(phase).finished
  }


def _accuracies(experiment: Experiment, phases: Sequence[Phase]) -> list[float]:
  """Returns the accuracy of each phase; an empty list if one of them has diverged."""
  # When a report is written, each phase has either finished or diverged.
  folders = [experiment.folder(phase) for phase in phases]
  return [folder.accuracy for folder in folders] if all(f.finished for f in folders) else []


def _line(experiment: Experiment, row: str, phases: Sequence[Phase]) -> dict[str, str]:
  accuracies = _accuracies(experiment, phases)
  return {
    "row": row,
    "network": phases[0].network["name"],
    "objective": GIVEN if phases[0].given else phases[0].objective["name"],
    ACCURACY: tables.percent(accuracies) if accuracies else "not finite",
    "seeds": str(len(phases)),
  }


def _temperatures(logs: _Logs) -> Lines:
  """Returns the last logged share of each temperature in rows that choose it, over the seeds."""
  lines = []
  for row, logged in logs.items():
    last = [evaluations[-1] for evaluations in logged.values()]
    shares = {
      f"τ* = {name.removeprefix(_TAU_STAR)}": f"{np.mean([line[name] for line in last]):.1%}"
      for name in last[0]
      if name.startswith(_TAU_STAR)
    }
    if shares:
      lines.append({"row": row, **shares})
  return tables.joined(lines)


def _guidance(logs: _Logs) -> Iterator[Block]:
  """Yields the table of the correct guidance in the rows that log it, and a warning."""
  last = {row: [lines[-1] for lines in logged.values()] for row, logged in logs.items()}
  found = {row: of_row for row, own in last.items() if (of_row := guidance.of_students(own))}
  if not found:
    return
  yield Table("guidance", [{"row": row, **own} for row, own in found.items()], "Teacher's label")
  text = (
    "Mean over the examples in training, between the last two evaluations. The label of kd favours "
    "a wrong class only where the teacher is wrong."
  )
  shares = {row: own[guidance.MISGUIDED] for row, own in found.items()}
  lost = [f"{row} {100 * share:.1f} %" for row, share in shares.items() if guidance.is_lost(share)]
  yield Text(f"{text} {guidance.warning(lost)}".strip())


def _curves(config: ConfigDict, logs: _Logs) -> Picture:
  """Returns the accuracy, in percent, at every evaluation of the rows' students."""
  curves: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
  lines = []
  for row, logged in logs.items():
    for phase, evaluations in logged.items():
      points = [(line["epoch"], 100 * line[f"{phase.split}_accuracy"]) for line in evaluations]
      epochs, accuracies = np.transpose(points)
      curves.setdefault(row, []).append((epochs, accuracies))
      about = {"row": row, "seed": phase.seed}
      lines += [{**about, "epoch": float(e), ACCURACY: float(a)} for e, a in points]
  several = ", mean and standard deviation over" if len(config.seeds) > 1 else ","
  caption = (
    f"{config.title}: {config.student.name} on {config.data.name} in training{several} seeds "
    f"{', '.join(map(str, config.seeds))}."
  )
  figure = pictures.learning_curves(curves, split=split(config))
  return Picture("curves", figure, lines, caption)


def _given(experiment: Experiment) -> str:
  """Returns sentences that name the file or the folder of each network that is not trained here."""
  used = planning.with_teachers(experiment.students)
  sources = [(phase, source) for phase in used if (source := _source(phase))]
  return "".join(f" {phase.network['name']} is given: {source}." for phase, source in sources)


def _source(phase: Phase) -> str:
  """Returns the file or the folder of a network that is not trained here; '' of others."""
  return phase.location or (phase.weights if phase.given else "")


def split(config: ConfigDict) -> str:
  """Returns the name of the split that is evaluated."""
  return "validation" if config.data.validation else "test"


def notes(config: ConfigDict) -> str:
  """Returns sentences on tuned options, and on published accuracies that are not shown."""
  known, found = published.of(config), row_options.told(config)
  if known.differences:
    whose = "The paper's" if known.by == published.PAPER else "Some published"
    differ = "; ".join(known.differences)
    found += f" {whose} accuracies are not shown, because of differences: {differ}."
  return found
