"""A training job: students that train together, their teachers, and their data."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import ml_collections

from jaxkd import data
from jaxkd.methods import Method
from jaxkd.models import Network
from jaxkd.training.step import Frozen, Variables


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set, resident on the devices or to be streamed.

  Attributes:
    spec: what it is.
    train: the training split.
    evaluated: the split that is evaluated.
    split: the name of that split: 'test', or 'validation' if a part of train is held out.
    class_names: in the order of the labels.
    workers: of the streamed loader; None: one for each core.
  """

  spec: data.Spec
  train: data.Arrays | data.Examples
  evaluated: data.Arrays | data.Examples
  split: str
  class_names: tuple[str, ...]
  workers: int | None = None


@dataclasses.dataclass(frozen=True)
class Student:
  """A network to train.

  Attributes:
    folder: where its checkpoints and metrics go.
    model: the network before the first step.
    objective: the method whose loss is minimised.
    schedule: `learning_rate` and the other arguments of `optim.schedule` and `optim.optimizer`.
    seed: of dropout, and of what the objective adds to the network.
  """

  folder: pathlib.Path
  model: Network
  objective: Method
  schedule: Mapping[str, Any]
  seed: int

  @property
  def checkpoints(self) -> pathlib.Path:
    """Folder of the checkpoints."""
    return self.folder / "checkpoints"


@dataclasses.dataclass(frozen=True)
class Teacher:
  """A trained network, on all devices."""

  network: Frozen
  variables: Variables


@dataclasses.dataclass(frozen=True)
class Job:
  """Students that share teachers, data, order of the examples and number of epochs.

  Attributes:
    label: for progress lines.
    students: one or more; they train in one step, with one forward pass of the teachers.
    teachers: theirs.
    dataset: what they train on.
    batch_size: examples per step, over all devices.
    epochs: how long they train.
    data_seed: of the order of the examples and of augmentation.
    step: the step to resume from: 0, or a step of which all students have a checkpoint.
    run: `config.run`: how often to evaluate and so on; no result depends on it.
    mesh: all devices.
  """

  label: str
  students: tuple[Student, ...]
  teachers: tuple[Teacher, ...]
  dataset: Dataset
  batch_size: int
  epochs: float
  data_seed: int
  step: int
  run: ml_collections.ConfigDict
  mesh: jax.sharding.Mesh

  @property
  def steps_per_epoch(self) -> float:
    """Steps in which each example comes once."""
    return data.size(self.dataset.train) / self.batch_size

  @property
  def total_steps(self) -> int:
    """Length of the training, in steps."""
    return max(round(self.epochs * self.steps_per_epoch), 1)
