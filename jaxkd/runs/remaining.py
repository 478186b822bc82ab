"""What experiments have done and have left: the state of each phase, and the time that it needs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from jaxkd.common.buckets import located
from jaxkd.common.console import clock
from jaxkd.common.files import StrPath
from jaxkd.runs import planning
from jaxkd.runs.phase import Phase, labels, needed
from jaxkd.runs.store import PhaseFolder


class Remaining(NamedTuple):
  """The state of a phase. A phase that several rows share is one."""

  label: str
  state: str  # finished, 36 %: epoch 88 of 240, step 100, not begun
  # Seconds of training that are left, without evaluations; of a cohort, an equal share for each
  # student. None if the speed is not known.
  seconds: float | None

  @property
  def finished(self) -> bool:
    """Whether the phase has its result."""
    return self.state == "finished"


def of(workdir: StrPath, students: Iterable[Phase]) -> list[Remaining]:
  """Returns the states of students and of their teachers, in the order of training.

  The students share a data set and a batch size. The time of a phase follows from its last measured
  speed, or else from that of a phase with the same network and teachers' networks.
  """
  students = list(students)
  # Phases from outside of the store need no training.
  known = [phase for phase in planning.with_teachers(students) if not phase.location]
  folders = {phase: PhaseFolder.of(located(workdir), phase) for phase in known}
  finished = {phase: folder.finished for phase, folder in folders.items()}
  wanted = needed(students, lambda phase: finished.get(phase, True))
  # The teachers of finished students may have been removed.
  phases = [phase for phase in known if finished[phase] or phase in wanted]
  steps_per_epoch = None
  speeds: dict[object, float] = {}
  for phase in phases:
    for line in folders[phase].logged_so_far():
      steps_per_epoch = line["step"] / line["epoch"]
      # No speed is known before the second call of the device; earlier versions logged 0.
      if speed := line.get("images_per_second"):
        speeds[phase] = speeds[_kind(phase)] = speed

  names, found = labels(phases), []
  for phase in phases:
    if finished[phase]:
      found.append(Remaining(names[phase], "finished", 0.0))
      continue
    step, seconds = max(folders[phase].steps), 0.0 if phase.given else None
    state = f"step {step}" if step else "not begun"
    if steps_per_epoch:
      total = round(phase.epochs * steps_per_epoch)
      if step:
        epoch = f"epoch {step / steps_per_epoch:.3g} of {phase.epochs:.4g}"
        state = f"{100 * step // total} %: {epoch}"
      if measured := speeds.get(phase, speeds.get(_kind(phase))):
        seconds = (total - step) * phase.data["batch_size"] / measured
    found.append(Remaining(names[phase], state, seconds))
  return found


def _kind(phase: Phase) -> tuple[str, ...]:
  """Returns what the speed of a phase depends on most."""
  return tuple(each.network["name"] for each in (phase, *phase.teachers))


def lines(found: Sequence[Remaining]) -> list[dict[str, str]]:
  """Returns a table with a line for each phase."""

  def left(each: Remaining) -> str:
    if each.finished:
      return ""
    return "not known" if each.seconds is None else clock(each.seconds)

  return [{"phase": each.label, "state": each.state, "training left": left(each)} for each in found]


def summary(found: Sequence[Remaining]) -> str:
  """Returns the number of phases in each state, and the time that all of them need.

  Examples:
    >>> summary([Remaining("kd", "finished", 0.0)])
    'Phases: 1, all finished.'
    >>> summary([Remaining("kd", "50 %: epoch 1 of 2", 60.0), Remaining("ats", "not begun", None)])
    'Phases: 2, finished 0, begun 1, not begun 1. Training left: 0:01:00; of unknown speed: 1.'
  """
  left = [each for each in found if not each.finished]
  if not left:
    return f"Phases: {len(found)}, all finished."
  new = sum(each.state == "not begun" for each in left)
  states = f"finished {len(found) - len(left)}, begun {len(left) - new}, not begun {new}"
  known = [each.seconds for each in left if each.seconds is not None]
  time = clock(sum(known)) if known else "not known"
  if known and len(known) < len(left):
    time += f"; of unknown speed: {len(left) - len(known)}"
  return f"Phases: {len(found)}, {states}. Training left: {time}."
