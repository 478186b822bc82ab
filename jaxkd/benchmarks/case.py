"""A case: the step that is measured."""

import dataclasses

from jaxkd import data


@dataclasses.dataclass(frozen=True)
class Case:
  """A training step of `students` equal networks on images of a data set's form.

  Without a `teacher` it is a step on labels alone. With `predictions` the teacher's logits are
  looked up, not computed. Parameters are float32; `dtype` is that of the networks' computations.
  """

  student: str
  teacher: str | None = None
  method: str = "kd"
  students: int = 1
  dtype: str = "float32"
  batch_size: int = 128
  dataset: str = "cifar100"
  deterministic: bool = True
  batch_norm_groups: int = 1
  predictions: bool = False

  @property
  def spec(self) -> data.Spec:
    """The form of the images."""
    return data.SPECS[self.dataset]

  @property
  def pair(self) -> str:
    """The networks, as a table shows them."""
    return f"{self.teacher} to {self.student}" if self.teacher else self.student
