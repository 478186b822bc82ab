"""The store: a folder of phases, each with its results."""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import filelock

from jaxkd.common.errors import UserError, explained
from jaxkd.common.files import StrPath, write_atomically
from jaxkd.runs.phase import Phase


class StoreError(UserError):
  """The store can't be used."""


class LockedError(StoreError):
  """Another process is training the phase."""


class PhaseFolder:
  """The folder of one phase.

  `config.json` describes the phase, `checkpoints/` has its newest states, `metrics.jsonl` has
  a line per evaluation, `result.json` is written last.
  """

  def __init__(self, path: StrPath, phase: Phase):
    self.path, self.phase = pathlib.Path(path), phase

  @classmethod
  def of(cls, workdir: StrPath, phase: Phase) -> "PhaseFolder":
    """Returns the phase's folder, in a store or outside of it; it may not exist."""
    return cls(phase.location or pathlib.Path(workdir) / phase.folder, phase)

  @classmethod
  def open(cls, path: StrPath, *, finished: bool = True) -> "PhaseFolder":
    """Opens the folder of a phase, which must have its result if `finished`.

    Raises:
      StoreError: there is no such phase at `path`.
    """
    path = pathlib.Path(path)
    try:
      fields = json.loads((path / "config.json").read_text())
      folder = cls(path, Phase.from_dict(fields, location=str(path)))
    except (OSError, ValueError, TypeError, KeyError) as error:
      message = f"{path} is not the folder of a phase: no readable config.json in it"
      raise StoreError(message) from error
    if finished and not folder.finished:
      raise StoreError(f"{path} is not finished: no result.json in it")
    return folder

  @property
  def checkpoints(self) -> pathlib.Path:
    """Folder of the checkpoints."""
    return self.path / "checkpoints"

  @property
  def steps(self) -> set[int]:
    """Steps to resume from: 0, and those of the checkpoints."""
    names = [path.name for path in self.checkpoints.glob("*")]
    return {0, *(int(name) for name in names if name.isdecimal())}

  def logged(self) -> list[dict[str, float]]:
    """Returns what was logged in training, a dict for each evaluation."""
    lines = (self.path / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]

  def check_network(self) -> None:
    """Makes sure that a finished phase still has the checkpoint of its last step."""
    last = self.result()["steps"]
    if not (self.checkpoints / str(last)).is_dir():
      raise StoreError(
        f"{self.path} has a result, but no checkpoint of step {last} to teach with; move it away "
        "to train it again"
      )

  def create(self) -> None:
    """Makes the folder and writes `config.json`, unless it exists."""
    file = self.path / "config.json"
    with explained(StoreError, f"can't write to {self.path}", OSError):
      self.path.mkdir(parents=True, exist_ok=True)
    if not file.exists():
      _write(file, self.phase.to_dict())

  @property
  def finished(self) -> bool:
    """Whether the phase has its result."""
    return (self.path / "result.json").exists()

  def result(self) -> dict[str, Any]:
    """Returns the result of a finished phase.

    It has `steps`, `parameters`, `temperatures`, `finished` (a date), `class_names`, and for
    'train' and `phase.split` the measures on that split.
    """
    file = self.path / "result.json"
    with explained(StoreError, f"can't read {file}", (OSError, ValueError)):
      return json.loads(file.read_text())

  @property
  def accuracy(self) -> float:
    """Accuracy of the last step on the split that is evaluated, in [0, 1]."""
    return self.result()[self.phase.split]["accuracy"]

  def finish(self, result: Mapping[str, Any]) -> None:
    """Writes the result: from now on the phase is not trained again."""
    _write(self.path / "result.json", result)

  @contextlib.contextmanager
  def lock(self) -> Iterator[None]:
    """Keeps other processes from training the phase; raises a LockedError if one does."""
    try:
      with filelock.FileLock(self.path / "lock", blocking=False):
        yield
    except filelock.Timeout as error:
      raise LockedError(f"another process is training {self.path}") from error


def _write(file: pathlib.Path, value: Any) -> None:
  write_atomically(file, json.dumps(value, indent=2) + "\n")
