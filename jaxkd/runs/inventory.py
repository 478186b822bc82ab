"""The phases of a store: state, size, use by students and reports; removal of unused ones."""

import contextlib
import datetime
import pathlib
import re
import shutil
import time
from collections.abc import Iterable
from typing import NamedTuple

from jaxkd.common.buckets import AnyPath, in_bucket, located
from jaxkd.common.errors import FileError, explained
from jaxkd.common.files import StrPath, Usage, exists, read, usage, write_atomically
from jaxkd.runs import predicted
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder, StoreError
from jaxkd.training.predictions import CLEAN, Predictions, PredictionsError

RECORD = "phases.txt"
"""The file of a report that names the folders of its phases."""
_REPORTS = re.compile(r"(report|tune|analysis)-.+")
_FOLDER = re.compile(r".+-[0-9a-f]{12}")
_REMOVED = ".removed"  # ends the name of a folder that is being removed


class Entry(NamedTuple):
  """A folder of a phase in a store, or of a teacher's predictions."""

  path: AnyPath
  phase: Phase | None  # None of predictions, and if its config.json is missing or damaged
  state: str  # finished, step S of N, empty, damaged; V of K views
  accuracy: str  # of the last evaluation, with its split
  date: str  # of the end of the training, or else of the last change
  usage: Usage

  @property
  def name(self) -> str:
    """Name of the folder."""
    return self.path.name

  @property
  def predictions(self) -> bool:
    """Whether it has predictions of a teacher."""
    return self.name.startswith(predicted.PREFIX)


def entries(workdir: StrPath) -> list[Entry]:
  """Returns the phases of a store by data set, teachers before their students; predictions first.

  The store may not exist.
  """
  workdir = located(workdir)
  if not exists(workdir):
    return []
  with explained(StoreError, f"can't list {workdir}"):
    paths = [path for path in workdir.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir()]
  return sorted(map(_entry, paths), key=_order)


def _order(entry: Entry) -> tuple[str, int, str, int, str]:
  if not entry.phase:
    return "", 0, entry.name, 0, ""
  phase = entry.phase
  return phase.data["name"], len(phase.with_teachers()), phase.name, phase.seed, entry.name


def _entry(path: AnyPath) -> Entry:
  size = usage(path)
  changed = str(datetime.date.fromtimestamp(size.changed)) if size.changed else ""
  if path.name.startswith(predicted.PREFIX):
    return Entry(path, None, *_predicted(path), changed, size)
  try:
    folder = PhaseFolder.open(path, finished=False)
  except StoreError:
    empty = {own.name for own in path.iterdir()} <= {"lock"}
    return Entry(path, None, "empty" if empty else "damaged", "", changed, size)
  phase = folder.phase
  try:
    if folder.finished:
      folder.check_network()
      result = folder.result()
      accuracy = f"{result[phase.split]['accuracy']:.2%} {phase.split}"
      return Entry(path, phase, "finished", accuracy, result.get("finished", ""), size)
    return Entry(path, phase, *_progress(folder), changed, size)
  except (FileError, StoreError):
    return Entry(path, phase, "damaged", "", changed, size)


def _predicted(path: AnyPath) -> tuple[str, str]:
  """Returns the state of predictions, and the accuracy of the first view."""
  try:
    found = Predictions(path)
    views = [part for part in found.finished if part != CLEAN]
    accuracy = f"{found.facts(views[0])['accuracy']:.2%} train" if views else ""
    teacher = Phase.from_dict(found.about["teacher"]).folder
    return f"{len(views)} of {found.views} views of {teacher}", accuracy
  except (FileError, PredictionsError, KeyError, TypeError):
    return "empty" if {own.name for own in path.iterdir()} <= {"lock"} else "damaged", ""


def _progress(folder: PhaseFolder) -> tuple[str, str]:
  """Returns the state of a phase that is not finished, and its last accuracy."""
  state, lines = f"step {max(folder.steps)}", folder.logged_so_far()
  if not lines:
    return state, ""
  step, epoch = lines[-1]["step"], lines[-1]["epoch"]
  split = folder.phase.split
  total = round(step / epoch * folder.phase.epochs)
  return f"{state} of {total}", f"{lines[-1][f'{split}_accuracy']:.2%} {split}"


def students(found: Iterable[Entry]) -> dict[Phase, list[Phase]]:
  """Returns the phases of a store that each phase teaches."""
  taught: dict[Phase, list[Phase]] = {}
  for phase in (entry.phase for entry in found if entry.phase):
    for teacher in phase.teachers:
      taught.setdefault(teacher, []).append(phase)
  return taught


def record(folder: AnyPath, phases: Iterable[Phase]) -> None:
  """Writes into a report's folder the names of its phases' folders, teachers included."""
  write_atomically(folder / RECORD, "".join(f"{name}\n" for name in folders(phases)))


def folders(phases: Iterable[Phase]) -> list[str]:
  """Returns the names of the folders in the store of phases and of their teachers."""
  needed = dict.fromkeys(each for phase in phases for each in phase.with_teachers())
  return [phase.folder for phase in needed if not phase.location]


def unused(workdir: StrPath, days: float) -> list[Entry]:
  """Returns the phases that no report of a store names, and that teach none that stays.

  A phase that was written to in the last `days` stays: its report may not be written yet. So do
  damaged folders, links, and folders under another name than the phase's. Predictions are unused if
  no student was trained with them in the last `days`; they can be computed again.

  Raises:
    StoreError: the store is in a bucket, or a report does not name its phases.
  """
  if in_bucket(workdir):
    raise StoreError(f"{workdir} is in a bucket, must be a local folder to remove phases")
  found = entries(workdir)
  used = set(_named(pathlib.Path(workdir)))
  newest = time.time() - days * 24 * 3600
  free, needed = [], set[Phase]()
  for entry in found:
    own = entry.state == "empty" or (entry.phase and entry.phase.folder == entry.name)
    own = own or (entry.predictions and entry.state != "damaged")
    known = entry.name in used or entry.usage.changed > newest
    if own and not known and not pathlib.Path(entry.path).is_symlink():
      free.append(entry)
    elif entry.phase:
      needed |= {*entry.phase.with_teachers()}
  return [entry for entry in free if entry.phase not in needed]


def _named(workdir: pathlib.Path) -> list[str]:
  """Returns the folders of phases that the reports of a store name."""
  names: list[str] = []
  for report in workdir.glob("*/report.md"):
    folder = report.parent
    if not _REPORTS.fullmatch(folder.name):
      continue
    if not exists(folder / RECORD):
      raise StoreError(
        f"{folder} does not name its phases: run the command again that wrote it, or remove it"
      )
    names += read(folder / RECORD).decode().split()
  return names


def remove(entry: Entry) -> None:
  """Removes a phase's folder; a LockedError if another process is training it.

  If it is interrupted, the folder is there whole, or under another name, which `clear` removes.
  """
  path = pathlib.Path(entry.path)
  with contextlib.ExitStack() as stack, explained(StoreError, f"can't remove {path}", OSError):
    if entry.predictions:
      stack.enter_context(predicted.locked(path))
    elif entry.phase:
      stack.enter_context(PhaseFolder(path, entry.phase).lock())
    shutil.rmtree(path.rename(path.with_name(path.name + _REMOVED)))


def clear(workdir: StrPath) -> None:
  """Removes the rest of folders whose removal was interrupted."""
  for left in pathlib.Path(workdir).glob(f"*{_REMOVED}"):
    if _FOLDER.fullmatch(left.stem):
      shutil.rmtree(left, ignore_errors=True)
