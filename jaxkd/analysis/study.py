"""Teachers to compare on the same examples, and how to measure them."""

from typing import NamedTuple

import numpy as np

from jaxkd import losses
from jaxkd.analysis import rules

PAPER_EPOCHS = 240
"""How long the papers train; less is called an approximation."""

METHODS = {"kd": "TS", "ats": "ATS", "isats": "ISATS"}
"""By row, what the papers call the label that it teaches with."""


class Settings(NamedTuple):
  """What the measures leave open.

  Attributes:
    tau: temperature of the compared probabilities.
    k: how many classes the rank set overlap looks at.
    grid: temperatures of ISATS.
    gap: how much larger ISATS makes the temperature of the label.
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
      ValueError: k or tau is out of range.

    Examples:
      >>> Settings(k=5).check(num_classes=3)
      Traceback (most recent call last):
        ...
      ValueError: k = 5; it must be from 1 to the 3 classes
    """
    if not 1 <= self.k <= num_classes:
      raise ValueError(f"k = {self.k}; it must be from 1 to the {num_classes} classes")
    if not 0 < self.tau < np.inf:
      raise ValueError(f"tau = {self.tau}; it must be > 0")


class Teacher(NamedTuple):
  """One network's view of the examples.

  Attributes:
    name: what to call it.
    logits: `[N, C]`, float32.
    features: penultimate features, `[N, D]`, float32; None if not known.
    parameters: their number; None if not known.
    test_accuracy: on the study's `split`, in percent; None if not known.
    family: of its network; empty if not known.
  """

  name: str
  logits: np.ndarray
  features: np.ndarray | None = None
  parameters: int | None = None
  test_accuracy: float | None = None
  family: str = ""


class Student(NamedTuple):
  """What one student made of one teacher's labels.

  Attributes:
    network: the student's name.
    teacher: the name of its teacher.
    method: one of the values of `METHODS`.
    accuracies: on the test split, in percent, by seed.
    seeds: that it was trained under.
    epochs: that it was trained for.
    alone: the mean accuracy without a teacher, in percent; None if not known.
    derived_average: mean e(q) of the labels that it was taught with.
    derived_variance: mean v(q) likewise.
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
  """The teachers, from small to large, and what they looked at.

  Attributes:
    title: names the report.
    teachers: two or more.
    labels: of the examples, `[N]`, int32.
    class_names: of the labels.
    about: data, networks, epochs and seeds, for the captions.
    approximations: in what this falls short of the papers' setting.
    digest: stands for the networks: those of another study have another.
    seed: that the first teacher was trained under; None if not known.
    split: of which the test accuracies are: 'test', or 'validation' if a part
      of the training split was held out in its place.
    stages: the largest teacher after fewer epochs, from few to many, last as it
      is; each named after its epochs.
    students: those of the teachers that have been trained.
    grid: students of the largest teacher under ATS, over its temperatures.
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
    """What a caption says of all figures: data, networks, approximations."""
    if not self.approximations:
      return self.about
    return f"{self.about} Approximated: {'; '.join(self.approximations)}."

  @property
  def rule_names(self) -> tuple[str, ...]:
    """The classes as `jaxkd.analysis.rules` calls them."""
    return rules.as_in_rules(self.class_names)

  @property
  def features(self) -> dict[str, np.ndarray]:
    """The features by teacher; empty where a teacher has none."""
    found = {
      teacher.name: teacher.features for teacher in self.teachers if teacher.features is not None
    }
    return found if len(found) == len(self.teachers) else {}
