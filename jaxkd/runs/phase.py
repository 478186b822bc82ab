"""A phase: everything that determines the result of one training run."""

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flax.traverse_util import flatten_dict

from jaxkd.training.jobs import GIVEN

SCHEMA = 2
"""Goes into every identity; raised when a phase, or the training step, changes its meaning."""


def duration(epochs: float) -> str:
  """Returns the length of a training for people."""
  if not epochs:
    return GIVEN
  return "1 epoch" if epochs == 1 else f"{epochs:.4g} epochs"


@dataclasses.dataclass(frozen=True, eq=False)
class Phase:
  """One training run, identified by the content of all that determines its result.

  Attributes:
    data: `data.identity`, `batch_size`, and where they differ from defaults `validation`,
      `train_share`, `seed`, of order and augmentation, and `data.Augmentation`. With teachers and
      `config.data.views` also `views` and `view_seed`.
    network: `name`, `dtype`, `options`, `arrays`, a digest of the shapes of its arrays, `source`, a
      digest of its source if it is not the package's own, `init_from`, the hash of a file of
      weights, if it starts from them, and `image_size`, if its input is resized. `imported`, a hash
      of logits, stands for a network from outside of jaxkd.
    schedule: `epochs`, 0 if the weights of `init_from` are evaluated as they are, the arguments of
      `optim.schedule`, `optim.optimizer` and `optim.STEP`, and `stop` if the training stops after
      fewer epochs than the schedule has.
    objective: `methods.identity` of the method that is minimised.
    seed: of initialisation and dropout, and of order and augmentation if `data` has none for these.
    teachers: the phases whose networks teach.
    weights: the file of weights to start from, which `network` identifies; '' if there is none.
    location: the folder of a phase from outside of the store; '' for the store's own.
  """

  data: Mapping[str, Any]
  network: Mapping[str, Any]
  schedule: Mapping[str, Any]
  objective: Mapping[str, Any]
  seed: int
  teachers: tuple["Phase", ...] = ()
  weights: str = ""
  location: str = ""

  @property
  def name(self) -> str:
    """Data set, network and objective as text."""
    parts = self.data["name"], self.network["name"], self.objective["name"]
    return "-".join(re.sub(r"[^\w.]+", ".", part) for part in parts)

  @functools.cached_property
  def identity(self) -> str:
    """Twelve hexadecimal digits of the hash of all fields but `weights` and `location`."""
    text = json.dumps({"schema": SCHEMA, **self.to_dict()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]

  @property
  def epochs(self) -> float:
    """For how many epochs it trains."""
    epochs = self.schedule["epochs"]
    return min(epochs, self.schedule.get("stop", epochs))

  @property
  def given(self) -> bool:
    """Whether the network has the weights of a file, and is not trained."""
    return not self.epochs

  @property
  def imported(self) -> bool:
    """Whether only the logits of its network are known."""
    return "imported" in self.network

  @property
  def data_seed(self) -> int:
    """Seed of the order of the examples and of augmentation."""
    return self.data.get("seed", self.seed)

  @property
  def views(self) -> int:
    """Views of each training image; 0: each step draws its own augmentation."""
    return self.data.get("views", 0)

  @property
  def split(self) -> str:
    """Name of the split that is evaluated: 'test', or 'validation' if a part is held out."""
    return "validation" if "validation" in self.data else "test"

  @property
  def folder(self) -> str:
    """Name of the phase's folder in the store."""
    return f"{self.name}-{self.identity}"

  def with_teachers(self) -> list["Phase"]:
    """Returns the phases to train, each once: teachers in order, and this phase last."""
    phases = dict.fromkeys(phase for teacher in self.teachers for phase in teacher.with_teachers())
    return [*phases, self]

  def shortened(self, share: float, *, full_schedule: bool = False) -> "Phase":
    """Returns the phase that trains for a share of the epochs; see `jaxkd.methods.Plan`."""
    if share == 1:
      return self
    key = "stop" if full_schedule else "epochs"
    return dataclasses.replace(self, schedule={**self.schedule, key: share * self.epochs})

  def to_dict(self) -> dict[str, Any]:
    """Returns the fields that identify the phase, for JSON."""
    names = ("data", "network", "schedule", "objective", "seed")
    own = {name: getattr(self, name) for name in names}
    return {**own, "teachers": [teacher.to_dict() for teacher in self.teachers]}

  @classmethod
  def from_dict(cls, fields: Mapping[str, Any], location: str = "") -> "Phase":
    """The inverse of `to_dict`."""
    teachers = tuple(map(cls.from_dict, fields["teachers"]))
    return cls(**{**fields, "teachers": teachers}, location=location)

  def __hash__(self) -> int:
    return hash(self.identity)

  def __eq__(self, other: object) -> bool:
    return isinstance(other, Phase) and self.identity == other.identity


def needed(students: Iterable[Phase], finished: Callable[[Phase], bool]) -> dict[Phase, bool]:
  """Returns students and the teachers of unfinished phases, and whether each is finished.

  Teachers come before their students. `finished` is called once for each phase.
  """
  found: dict[Phase, bool] = {}

  def add(phase: Phase) -> None:
    # Many students share a teacher.
    if phase in found:
      return
    done = finished(phase)
    for teacher in () if done else phase.teachers:
      add(teacher)
    found[phase] = done

  for phase in students:
    add(phase)
  return found


_DIGESTS = ("arrays", "source", "version", "init_from")
"""Keys of `Phase.to_dict` that tell people nothing."""


def labels(phases: Iterable[Phase]) -> dict[Phase, str]:
  """Returns for people the name of each phase, and all in which it differs from its namesakes."""
  groups: dict[str, dict[Phase, dict[str, str]]] = {}
  for phase in phases:
    fields = {**phase.to_dict(), "teachers": [each.network["name"] for each in phase.teachers]}
    flat = {key.rpartition(".")[2]: value for key, value in flatten_dict(fields, sep=".").items()}
    groups.setdefault(phase.name, {})[phase] = {key: _text(value) for key, value in flat.items()}
  found = {}
  for name, own in groups.items():
    keys = dict.fromkeys(key for values in own.values() for key in values if key not in _DIGESTS)
    differing = [key for key in keys if len({values.get(key) for values in own.values()}) > 1]
    for phase, values in own.items():
      found[phase] = ", ".join([name, *(f"{key} {values.get(key, 'none')}" for key in differing)])
  return found


def _text(value: Any) -> str:
  if isinstance(value, list | tuple):
    return "/".join(map(_text, value))
  return f"{value:g}" if isinstance(value, float) else str(value)
