"""A study: teachers and their students on the same examples, and the settings of the measures."""

from typing import NamedTuple

import numpy as np

from jaxkd import losses
from jaxkd.analysis import rules
from jaxkd.common.errors import ConfigError

LABELS_OF_ROWS = {"kd": "TS", "ats": "ATS", "isats": "ISATS"}
"""The papers' names of the labels that rows teach with."""


class Settings(NamedTuple):
  """Options of the measures.

  Attributes:
    tau: temperature of the compared probabilities.
    k: number of classes in the rank set overlap.
    grid: temperatures of ISATS.
    gap: difference of ISATS' two temperatures.
  """

  tau: float = 4.0
  k: int = 5
  grid: tuple[float, ...] = losses.ISATS_GRID
  gap: float = 1.0

  @property
  def ats(self) -> tuple[float, float]:
    """ATS' two temperatures, from `tau` as in Fig. 7 of the ATS paper."""
    return 1.25 * self.tau, 0.75 * self.tau

  def check(self, num_classes: int) -> None:
    """Refuses settings that C classes don't allow.

    Raises:
      ConfigError: k or tau is out of range.
    """
    if not 1 <= self.k <= num_classes:
      raise ConfigError(f"k = {self.k}; it must be from 1 to the {num_classes} classes")
    if not 0 < self.tau < np.inf:
      raise ConfigError(f"tau = {self.tau}; it must be > 0")


class Teacher(NamedTuple):
  """A network's outputs on the examples.

  Attributes:
    name: its title.
    logits: `[N, C]`, float32.
    features: penultimate features, `[N, D]`, float32; None if not known.
    parameters: their number; None if not known.
    accuracy: on the study's `split`, in percent; None if not known.
    family: the network's; empty if not known.
  """

  name: str
  logits: np.ndarray
  features: np.ndarray | None = None
  parameters: int | None = None
  accuracy: float | None = None
  family: str = ""


class Student(NamedTuple):
  """Accuracy of a student that one teacher taught with one kind of label.

  Attributes:
    network: the student's name.
    teacher: the name of its teacher.
    method: the kind of label, one of the values of `LABELS_OF_ROWS`.
    accuracies: on the study's `split`, in percent, by seed.
    seeds: its seeds.
    epochs: its number of epochs.
    alone: the mean accuracy without a teacher, in percent; None if not known.
    derived_average: mean e(q) of the teacher's labels.
    derived_variance: mean v(q) of the teacher's labels.
    tau1: temperature of the label's class, for ATS.
    tau2: temperature of the other classes, for ATS.
  """

  network: str
  teacher: str
  method: str
  accuracies: tuple[float, ...]
  seeds: tuple[int, ...]
  epochs: float
  alone: float | None
  derived_average: float
  derived_variance: float
  tau1: float | None = None
  tau2: float | None = None


def duration(epochs: float) -> str:
  """Returns a number of epochs for people.

  Examples:
    >>> duration(1), duration(240 / 7)
    ('1 epoch', '34.3 epochs')
  """
  return "1 epoch" if epochs == 1 else f"{epochs:.3g} epochs"


class Study(NamedTuple):
  """Teachers, from small to large, with their outputs on the same examples.

  Attributes:
    title: names the report.
    teachers: two or more.
    labels: of the examples, `[N]`, int32.
    class_names: names of the classes, by label.
    about: data, networks, epochs and seeds, for the captions.
    approximations: differences from the papers' setting.
    digest: identifies the networks.
    seed: seed of the first teacher; None if not known.
    split: the split of the accuracies: 'test', or 'validation' if a part of the training split was
      held out.
    stages: the largest teacher after fewer epochs, from few to many, with the whole training last;
      each named after its epochs.
    students: the trained students of the teachers.
    grid: students of the largest teacher under ATS at several temperatures.
  """

  title: str
  teachers: tuple[Teacher, ...]
  labels: np.ndarray
  class_names: tuple[str, ...]
  about: str
  approximations: tuple[str, ...] = ()
  digest: str = ""
  seed: int | None = None
  split: str = "test"
  stages: tuple[Teacher, ...] = ()
  students: tuple[Student, ...] = ()
  grid: tuple[Student, ...] = ()

  @property
  def names(self) -> list[str]:
    """The teachers' names."""
    return [teacher.name for teacher in self.teachers]

  @property
  def context(self) -> str:
    """Data, networks and approximations, which every caption ends with."""
    if not self.approximations:
      return self.about
    return f"{self.about} Approximated: {'; '.join(self.approximations)}."

  @property
  def rule_names(self) -> tuple[str, ...]:
    """The class names as `jaxkd.analysis.rules` spells them."""
    return rules.as_in_rules(self.class_names)

  @property
  def features(self) -> dict[str, np.ndarray]:
    """The features by teacher; empty if a teacher has none."""
    found = {t.name: t.features for t in self.teachers if t.features is not None}
    return found if len(found) == len(self.teachers) else {}
