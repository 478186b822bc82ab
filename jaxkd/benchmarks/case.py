"""A case: the step that is measured."""

import dataclasses

from jaxkd import data


@dataclasses.dataclass(frozen=True)
class Case:
  """A training step of `students` equal networks on images of a data set's form.

  Without a `teacher` it is a step on labels alone. With `predictions` the teacher's logits are
  looked up, not computed. Parameters are float32; `dtype` is that of the networks' computations.
  `classes` are those of the data set by default; `images` is the number of training images, by
  default as many as 64 MiB hold.
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
  classes: int | None = None
  images: int | None = None

  @property
  def spec(self) -> data.Spec:
    """The form of the images."""
    spec = data.SPECS[self.dataset]
    return dataclasses.replace(spec, num_classes=self.classes or spec.num_classes)

  @property
  def pair(self) -> str:
    """The networks, as a table shows them."""
    return f"{self.teacher} to {self.student}" if self.teacher else self.student
