"""What is measured, and how often."""

import dataclasses
import itertools
from collections.abc import Iterator

from jaxkd.benchmarks.case import Case

DEFAULT_PAIRS = (
  ("resnet20", "resnet8"),
  ("resnet56", "resnet8"),
  ("resnet110", "vgg8"),
  ("wrn28_3", "vgg8"),
  ("wrn28_8", "vgg8"),
  ("resnet110", "shufflenet_v1"),
  ("resnext29_64x4d", "mobilenet_v2"),
)
"""Teachers and students on CIFAR-100: small ones, those of Table 2, and its students' families."""


@dataclasses.dataclass(frozen=True)
class Workload:
  """The pairs, their dtypes and batch sizes, how many steps a timed call has, and how many calls.

  `pytorch` names the forms of PyTorch's loop that are measured beside jaxkd.
  """

  pairs: tuple[tuple[str | None, str], ...] = DEFAULT_PAIRS
  dtypes: tuple[str, ...] = ("float32",)
  batch_sizes: tuple[int, ...] = (128,)
  dataset: str = "cifar100"
  steps: int = 1
  repeats: int = 5
  pytorch: tuple[str, ...] = ("eager", "channels_last")
  deterministic: bool = True
  batch_norm_groups: int = 1

  def cases(self, **fields: object) -> Iterator[Case]:
    """Yields a case of each pair, batch size and dtype; `fields` are those of all cases."""
    for (teacher, student), size, dtype in itertools.product(
      self.pairs, self.batch_sizes, self.dtypes
    ):
      case = Case(
        student,
        teacher,
        dtype=dtype,
        batch_size=size,
        dataset=self.dataset,
        deterministic=self.deterministic,
        batch_norm_groups=self.batch_norm_groups,
      )
      yield dataclasses.replace(case, **fields)  # type: ignore[arg-type]
