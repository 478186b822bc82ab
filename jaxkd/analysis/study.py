"""A study: teachers and their students on the same examples, and the settings of the measures."""

from typing import NamedTuple

import numpy as np

from jaxkd import losses
from jaxkd.analysis import rules
from jaxkd.common.errors import ConfigError
from jaxkd.runs.phase import Phase

# The papers' names of the labels that rows teach with.
LABELS_OF_ROWS = {"kd": "TS", "ats": "ATS", "isats": "ISATS"}


class Settings(NamedTuple):
  """Options of the measures."""

  tau: float = 4.0  # temperature of the compared probabilities
  k: int = 5  # number of classes in the rank set overlap
  grid: tuple[float, ...] = losses.ISATS_GRID  # temperatures of ISATS
  gap: float = 1.0  # difference of ISATS' two temperatures

  @property
  def ats(self) -> tuple[float, float]:
    """ATS' two temperatures, from `tau` as in Fig. 7 of the ATS paper."""
    return 1.25 * self.tau, 0.75 * self.tau

  @property
  def labels(self) -> tuple[str, ...]:
    """The labels whose guidance is measured: one temperature, ATS with two pairs, and ISATS."""
    (tau1, tau2), tau = self.ats, self.tau
    return f"τ = {tau:g}", f"ATS {tau:g}/{tau2:g}", f"ATS {tau1:g}/{tau2:g}", "ISATS"

  def check(self, num_classes: int) -> None:
    """Refuses a k above the number of classes, and temperatures that are not in range."""
    if not 1 <= self.k <= num_classes:
      raise ConfigError(f"k = {self.k}; it must be from 1 to the {num_classes} classes")
    if not 0 < self.tau < np.inf:
      raise ConfigError(f"tau = {self.tau}; it must be > 0")
    low, high = losses.TAU_RANGE
    if not all(low <= tau <= high for tau in self.grid):
      raise ConfigError(f"grid = {self.grid}; its temperatures must be from {low:g} to {high:g}")


class MeasuredTeacher(NamedTuple):
  """A network's outputs on the examples."""

  name: str
  logits: np.ndarray  # `[N, C]`, float32
  features: np.ndarray | None = None  # penultimate features, `[N, D]`, float32; None if not known
  parameters: int | None = None  # their number; None if not known
  accuracy: float | None = None  # on the study's `split`, in percent; None if not known
  family: str = ""  # the network's; empty if not known


class MeasuredStudent(NamedTuple):
  """Accuracy of a student that one teacher taught with one kind of label."""

  network: str  # the student's name
  teacher: str  # the name of its teacher
  method: str  # the kind of label, one of the values of `LABELS_OF_ROWS`
  accuracies: tuple[float, ...]  # on the study's `split`, in percent, by seed
  seeds: tuple[int, ...]
  epochs: float
  alone: float | None  # the mean accuracy without a teacher, in percent; None if not known
  derived_average: float  # mean e(q) of the teacher's labels
  derived_variance: float  # mean v(q) of the teacher's labels
  tau1: float | None = None  # temperature of the label's class, for ATS
  tau2: float | None = None  # temperature of the other classes, for ATS


class Study(NamedTuple):
  """Teachers, from small to large, with their outputs on the same examples."""

  title: str  # names the report
  teachers: tuple[MeasuredTeacher, ...]  # two or more
  labels: np.ndarray  # of the examples, `[N]`, int32
  class_names: tuple[str, ...]  # by label
  about: str  # data, networks, epochs and seeds, for the captions
  approximations: tuple[str, ...] = ()  # differences from the papers' setting
  digest: str = ""  # identifies the networks
  seed: int | None = None  # seed of the first teacher; None if not known
  split: str = "test"  # of the accuracies
  stages: tuple[MeasuredTeacher, ...] = ()  # the largest after few to all epochs, named after them
  students: tuple[MeasuredStudent, ...] = ()
  grid: tuple[MeasuredStudent, ...] = ()  # of the largest teacher under ATS, by temperatures
  phases: tuple[Phase, ...] = ()  # those of a store that the studies of all seeds have

  @property
  def names(self) -> list[str]:
    """The teachers' names."""
    return [teacher.name for teacher in self.teachers]

  @property
  def context(self) -> str:
    """Data, networks and approximations: the end of every caption."""
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
