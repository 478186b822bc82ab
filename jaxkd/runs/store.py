"""Phases, and the folder that keeps each one's results.

A phase trains one network. It is identified by everything that determines its
result, so that a teacher is trained once and shared by every row that needs it.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxkd.common.errors import UserError
from jaxkd.common.files import write_atomically

SCHEMA = 1
"""Goes into every identity; raised when the meaning of a phase changes."""


class StoreError(UserError):
  """The store can't be used; the message is one line."""


class LockedError(StoreError):
  """Another process is training the phase."""


@dataclasses.dataclass(frozen=True)
class Phase:
  """Everything that determines what one training run gives.

  Attributes:
    data: `name`, `batch_size`; of a folder `num_classes`; of a folder, and of
      what is not as it was published under the name, `content`, a hash of the
      images; where they are not the usual, `validation`, `train_share`, and
      `seed`, of order and augmentation.
    network: `name`, `dtype`, `options`, and `init_from`, the hash of a file of
      weights, if it starts from them.
    optim: `epochs` and the arguments of `optim.schedule` and `optim.optimizer`.
    loss: `name` and the options of an entry of `objectives.OBJECTIVES`.
    seed: of initialisation and dropout, and of order and augmentation if `data`
      has none for these.
    teachers: the phases whose networks teach.
  """

  data: Mapping[str, Any]
  network: Mapping[str, Any]
  optim: Mapping[str, Any]
  loss: Mapping[str, Any]
  seed: int
  teachers: tuple["Phase", ...] = ()

  @property
  def name(self) -> str:
    """Data set, network, loss: for people."""
    return "-".join((self.data["name"], self.network["name"], self.loss["name"]))

  @property
  def identity(self) -> str:
    """Twelve hexadecimal digits of the hash of all fields."""
    text = json.dumps({"schema": SCHEMA, **self.to_dict()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]

  @property
  def data_seed(self) -> int:
    """Seed of the order of the examples and of augmentation."""
    return self.data.get("seed", self.seed)

  @property
  def split(self) -> str:
    """Name of the split that is evaluated: what is held out, or 'test'."""
    return "validation" if "validation" in self.data else "test"

  @property
  def folder(self) -> str:
    """Name of the phase's folder in the store."""
    return f"{self.name}-{self.identity}"

  def with_teachers(self) -> list["Phase"]:
    """Returns the phases to train, in order, this one last; each once."""
    phases = dict.fromkeys(phase for teacher in self.teachers for phase in teacher.with_teachers())
    return [*phases, self]

  def to_dict(self) -> dict[str, Any]:
    """Returns the fields as JSON holds them."""
    return {
      **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
      "teachers": [teacher.to_dict() for teacher in self.teachers],
    }

  @classmethod
  def from_dict(cls, fields: Mapping[str, Any]) -> "Phase":
    """The inverse of `to_dict`."""
    teachers = tuple(map(cls.from_dict, fields["teachers"]))
    return cls(**{**fields, "teachers": teachers})

  def __hash__(self) -> int:
    return hash(self.identity)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Phase) and self.identity == other.identity


class PhaseFolder:
  """The folder of one phase.

  `config.json` says what the phase is, `checkpoints/` holds its newest states,
  `metrics.jsonl` a line per evaluation, `result.json` is written last.
  """

  def __init__(self, path: str | os.PathLike[str], phase: Phase):
    self.path = pathlib.Path(path)
    self.phase = phase

  @classmethod
  def of(cls, workdir: str | os.PathLike[str], phase: Phase) -> "PhaseFolder":
    """Returns the phase's place in a store, whether or not it exists."""
    return cls(pathlib.Path(workdir) / phase.folder, phase)

  @classmethod
  def open(cls, path: str | os.PathLike[str], *, finished: bool = True) -> "PhaseFolder":
    """Opens the folder of a phase.

    Args:
      path: the folder.
      finished: whether the phase has to have its result.

    Raises:
      StoreError: there is no such phase at `path`.
    """
    path = pathlib.Path(path)
    try:
      fields = json.loads((path / "config.json").read_text())
      entry = cls(path, Phase.from_dict(fields))
    except (OSError, ValueError, TypeError, KeyError) as error:
      raise StoreError(
        f"{path} is not the folder of a phase: no readable config.json in it"
      ) from error
    if finished and not entry.finished:
      raise StoreError(f"{path} is not finished: no result.json in it")
    return entry

  @property
  def checkpoints(self) -> pathlib.Path:
    """Folder of the checkpoints."""
    return self.path / "checkpoints"

  @property
  def steps(self) -> set[int]:
    """Steps to go on from: 0, and those of the checkpoints."""
    names = [path.name for path in self.checkpoints.glob("*")]
    return {0, *(int(name) for name in names if name.isdecimal())}

  @property
  def metrics(self) -> pathlib.Path:
    """File of the evaluations."""
    return self.path / "metrics.jsonl"

  def check_network(self) -> None:
    """Makes sure that a finished phase still has its network.

    Raises:
      StoreError: it has no checkpoint of its last step.
    """
    last = self.result()["steps"]
    if last not in self.steps:
      raise StoreError(
        f"{self.path} has a result, but no checkpoint of step {last} to teach "
        "with; move it away to train it again"
      )

  def create(self) -> None:
    """Makes the folder and writes what the phase is, if it isn't there."""
    file = self.path / "config.json"
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      if not file.exists():
        write_atomically(file, _pretty(self.phase.to_dict()))
    except OSError as error:
      raise StoreError(f"can't write to {self.path}: {error.strerror}") from error

  @property
  def finished(self) -> bool:
    """Whether the phase has its result."""
    return (self.path / "result.json").exists()

  def result(self) -> dict[str, Any]:
    """Returns the result of a finished phase."""
    try:
      return json.loads((self.path / "result.json").read_text())
    except (OSError, ValueError) as error:
      raise StoreError(f"can't read {self.path}/result.json: {error}") from error

  def finish(self, result: Mapping[str, Any]) -> None:
    """Writes the result: from now on the phase is not trained again."""
    write_atomically(self.path / "result.json", _pretty(result))

  @contextlib.contextmanager
  def lock(self) -> Iterator[None]:
    """Keeps other processes from training the phase meanwhile.

    Raises:
      LockedError: another one does.
    """
    with open(self.path / "lock", "w") as file:
      try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError as error:
        raise LockedError(f"another process is training {self.path}") from error
      # Released with the file, also when the process is killed.
      yield


def _pretty(value: Any) -> str:
  return json.dumps(value, indent=2) + "\n"
