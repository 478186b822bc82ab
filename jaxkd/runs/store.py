"""The store: a folder of phases, each with its results."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.console import tell
from jaxkd.common.errors import FileError, UserError
from jaxkd.common.files import (
  DamagedError,
  StrPath,
  exists,
  make_folder,
  read_json,
  read_json_lines,
  remove_leftovers,
  rename,
  write_json,
)
from jaxkd.common.locks import HeldError, held, notice
from jaxkd.runs.phase import Phase
from jaxkd.training import checkpoint, classes, predictions
from jaxkd.training.classes import Evaluation


class StoreError(UserError):
  """The store can't be used."""


_REMEDY = "the command that trained this phase writes it again"
_PATIENCE = 10.0  # seconds for another process to repair a phase


class LockedError(StoreError):
  """Another process is training the phase."""


class PhaseFolder:
  """The folder of one phase.

  `config.json` describes the phase, `checkpoints/` has its newest states, `metrics.jsonl` has
  a line per evaluation, `evaluation.json` the last one class by class; `result.json` is written
  last. Each object in these has its CRC-32.
  """

  def __init__(self, path: StrPath, phase: Phase):
    self.path, self.phase = located(path), phase

  @classmethod
  def of(cls, workdir: StrPath, phase: Phase) -> "PhaseFolder":
    """Returns the phase's folder, in a store or outside of it; it may not exist."""
    return cls(phase.location or located(workdir) / phase.folder, phase)

  @classmethod
  def open(cls, path: StrPath, *, finished: bool = True) -> "PhaseFolder":
    """Opens the folder of a phase, which must have its result if `finished`.

    Raises:
      StoreError: there is no such phase at `path`.
    """
    path = located(path)
    try:
      fields = read_json(path / "config.json", _REMEDY)
      folder = cls(path, Phase.from_dict(fields, location=str(path)))
    except (FileError, TypeError, KeyError) as error:
      reason = error if isinstance(error, FileError) else "no phase of this version in config.json"
      raise StoreError(f"{path} is not the folder of a phase: {reason}") from error
    if finished and not folder.finished:
      raise StoreError(f"{path} is not finished: no result.json in it")
    return folder

  @property
  def checkpoints(self) -> AnyPath:
    """Folder of the checkpoints."""
    return self.path / "checkpoints"

  @property
  def steps(self) -> set[int]:
    """Steps to resume from: 0, and those of the checkpoints."""
    return {0, *checkpoint.steps(self.checkpoints)}

  def logged(self) -> list[dict[str, float]]:
    """Returns what was logged in training, a dict for each evaluation, or raises a FileError."""
    file = self.path / "metrics.jsonl"
    lines, damaged = read_json_lines(file)
    if damaged or not lines or (self.finished and lines[-1]["step"] != self.result()["steps"]):
      raise DamagedError(f"{file} is damaged, or of another version of jaxkd")
    return lines

  def logged_so_far(self) -> list[dict[str, float]]:
    """Returns the evaluations after the first step; damaged lines are left out."""
    file = self.path / "metrics.jsonl"
    return [line for line in read_json_lines(file)[0] if line["step"]] if exists(file) else []

  def check_network(self) -> None:
    """Makes sure that a finished phase still has its last checkpoint, or predictions."""
    if exists(self.path / predictions.ABOUT_FILE):
      return
    last = self.result()["steps"]
    if last not in checkpoint.steps(self.checkpoints):
      raise StoreError(
        f"{self.path} has a result, but no checkpoint of step {last} to teach with; move it away "
        "to train it again"
      )

  def create(self) -> None:
    """Makes the folder and writes `config.json`, unless it is there and sound.

    It needs no lock, because all processes write the same.
    """
    file = self.path / "config.json"
    make_folder(self.path)
    if exists(file):
      try:
        read_json(file, "it is written again")
        return
      except DamagedError as error:
        tell(f"jaxkd: {error}")
    write_json(file, self.phase.to_dict())

  def repair(self) -> None:
    """Writes a damaged `config.json` of a finished phase again; renames a damaged `result.json`.

    The phase is then unfinished: it resumes at its newest checkpoint, and is evaluated again. It is
    a StoreError if there is no checkpoint, and a LockedError if another process keeps the phase.
    Folders from outside of the store are left alone.
    """
    if not self.finished or self.phase.location:
      return
    self.create()
    if not self._has_damaged_result():
      return
    try:
      with self.lock(_PATIENCE):
        if self._has_damaged_result():
          self._set_result_aside()
    except LockedError:
      # The other process may have repaired the phase, and be training it.
      if self._has_damaged_result():
        raise

  def _has_damaged_result(self) -> bool:
    try:
      self.result()
    except DamagedError:
      return True
    except FileError as error:
      # Another process may just have set it aside.
      if not isinstance(error.__cause__, FileNotFoundError):
        raise
    return False

  def _set_result_aside(self) -> None:
    file = self.path / "result.json"
    if self.steps == {0} and not self.phase.given:
      raise StoreError(
        f"{file} is damaged, and there is no checkpoint; move {self.path} away to train it again"
      )
    tell(f"jaxkd: {file} is damaged; it is made again from the newest checkpoint")
    rename(file, "result.json.damaged")

  @property
  def finished(self) -> bool:
    """Whether the phase has its result."""
    return exists(self.path / "result.json")

  def result(self) -> dict[str, Any]:
    """Returns the result of a finished phase.

    It has `steps`, `parameters`, `temperatures`, `finished` (a date), `hardware`, `class_names`,
    and for 'train' and `phase.split` the number of `examples` and the measures on that split.
    """
    return read_json(self.path / "result.json", _REMEDY)

  def evaluation(self) -> Evaluation | None:
    """Returns the last evaluation class by class; None for a phase of an earlier version."""
    file = self.path / classes.EVALUATION
    if not exists(file):
      return None
    return Evaluation.from_dict(read_json(file, "move it away"))

  @property
  def accuracy(self) -> float:
    """Accuracy of the last step on the split that is evaluated, in [0, 1]."""
    return self.result()[self.phase.split]["accuracy"]

  def finish(self, result: Mapping[str, Any]) -> None:
    """Writes the result: from now on the phase is not trained again."""
    write_json(self.path / "result.json", result)

  def notice_lock(self) -> None:
    """Begins to watch the lock, if it lies in a bucket; `lock` then takes it sooner."""
    notice(self.path / "lock")

  @contextlib.contextmanager
  def lock(self, wait: float = 0) -> Iterator[None]:
    """Keeps other processes from training the phase.

    Raises a LockedError if another process still trains it after `wait` seconds.
    """
    try:
      with held(self.path / "lock", wait=wait):
        remove_leftovers(self.path)
        yield
    except HeldError as error:
      raise LockedError(f"another process is training {self.path}") from error
