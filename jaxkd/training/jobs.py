"""A training job: students that train together, their teachers, and their data."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import ml_collections
from flax import nnx

from jaxkd import data
from jaxkd.common.buckets import AnyPath
from jaxkd.methods import Method
from jaxkd.models import Network
from jaxkd.training.progress import Rest
from jaxkd.training.step import Frozen, Variables

GIVEN = "given, not trained"
"""Stands for a training of no epochs."""


@dataclasses.dataclass(frozen=True)
class Dataset:
  """A data set, resident on the devices or to be streamed by `workers` processes.

  `split` names the evaluated split: 'test', or 'validation' if a part of train is held out.
  """

  spec: data.Spec
  train: data.Arrays | data.Examples
  evaluated: data.Arrays | data.Examples
  split: str
  class_names: tuple[str, ...]
  workers: int | None = None


@dataclasses.dataclass(frozen=True)
class Student:
  """A network to train, as it is before the first step; checkpoints and metrics go to `folder`.

  `schedule` has the arguments of `optim.schedule`, `optim.optimizer` and `optim.STEP`; `seed` is
  that of dropout, and of the module that the objective adds. `create` makes another network like
  it; `given` says that the weights are not random.
  """

  folder: AnyPath
  model: Network
  objective: Method
  schedule: Mapping[str, Any]
  seed: int
  create: Callable[[nnx.Rngs], Network]
  given: bool = False


@dataclasses.dataclass(frozen=True)
class Teacher:
  """A trained network, on all devices."""

  network: Frozen
  variables: Variables


@dataclasses.dataclass(frozen=True)
class Job:
  """Students that share teachers, data, order of the examples and number of epochs.

  They resume from the newest of `steps` at which the checkpoints of all students are sound. Step 0
  needs no checkpoint. `augmentation` follows that of the data set. No result depends on `run`,
  which is `config.run`, or on `rest`, which is for the progress on the terminal. `data_seed` is
  that of order and augmentation. Learning rates and `View.progress` are those of a training of
  `schedule_epochs`, which `epochs` may stop early.
  """

  label: str
  students: tuple[Student, ...]
  teachers: tuple[Teacher, ...]
  dataset: Dataset
  batch_size: int
  epochs: float
  schedule_epochs: float
  data_seed: int
  steps: Sequence[int]
  run: ml_collections.ConfigDict
  mesh: jax.sharding.Mesh
  rest: Rest
  augmentation: data.Augmentation = data.UNCHANGED

  @property
  def steps_per_epoch(self) -> float:
    """Steps in which each example comes once."""
    return data.size(self.dataset.train) / self.batch_size

  @property
  def total_steps(self) -> int:
    """Length of the training, in steps; 0 if given weights are evaluated alone."""
    return round(self.epochs * self.steps_per_epoch)

  @property
  def schedule_steps(self) -> int:
    """Length of the training that the schedule is made for, in steps."""
    return max(round(self.schedule_epochs * self.steps_per_epoch), 1)
