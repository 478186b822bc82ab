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
from jaxkd.training.predictions import Predictions
from jaxkd.training.progress import Rest
from jaxkd.training.recall import Recalled
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

  def folded(self, put: Callable[[Any], Any]) -> "Teacher":
    """Returns it with `Frozen.folded`; `put` copies arrays to all devices."""
    network, variables = self.network.folded(self.variables)
    return Teacher(network, put(variables))


@dataclasses.dataclass(frozen=True)
class RecalledTeacher:
  """A teacher that is its predictions."""

  network: Recalled
  stored: Predictions


def needed_views(views: int, epochs: float, examples: int, batch_size: int) -> int:
  """Returns how many views a training sees; its last step may begin another epoch.

  Examples:
    >>> needed_views(8, 2.0, examples=1437, batch_size=64), needed_views(2, 9.0, 1437, 64)
    (3, 2)
  """
  steps = round(epochs * (examples / batch_size))
  return min(views, -(-steps * batch_size // examples))


@dataclasses.dataclass(frozen=True)
class Job:
  """Students that share teachers, data, order of the examples and number of epochs.

  They resume from the newest of `steps` at which the checkpoints of all students are sound. Step 0
  needs no checkpoint. `augmentation` follows that of the data set. No result depends on `run`,
  which is `config.run`, or on `rest`, which is for the progress on the terminal. `data_seed` is
  that of order and augmentation. Learning rates and `View.progress` are those of a training of
  `schedule_epochs`, which `epochs` may stop early. With `views`, augmentation has that many views
  of an example, and `view_seed` is its seed.
  """

  label: str
  students: tuple[Student, ...]
  teachers: tuple[Teacher | RecalledTeacher, ...]
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
  views: int = 0
  view_seed: int = 0

  @property
  def steps_per_epoch(self) -> float:
    """Steps in which each example comes once."""
    return data.size(self.dataset.train) / self.batch_size

  @property
  def total_steps(self) -> int:
    """Length of the training, in steps; 0 if given weights are evaluated alone."""
    return round(self.epochs * self.steps_per_epoch)

  @property
  def needed_views(self) -> int:
    """How many views the training sees, the first ones; 0 if there are no views."""
    examples = data.size(self.dataset.train)
    return needed_views(self.views, self.epochs, examples, self.batch_size)

  @property
  def schedule_steps(self) -> int:
    """Length of the training that the schedule is made for, in steps."""
    return max(round(self.schedule_epochs * self.steps_per_epoch), 1)
