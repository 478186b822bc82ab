"""The same step in PyTorch: the loop of mdistiller and of the paper's authors.

Its images lie on the device, normalised and cropped. jaxkd's step includes this work; users of
PyTorch spend more time on it, in a data loader.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from jaxkd.benchmarks import references
from jaxkd.benchmarks.case import Case

FORMS: dict[str, dict[str, bool]] = {
  "eager": {},
  "channels_last": {"channels_last": True},
  "compiled": {"channels_last": True, "compiled": True},
}
"""The forms of the loop, with the options of `runner`."""


def device() -> torch.device:
  """Returns the GPU if there is one."""
  return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def runner(
  case: Case, steps: int, *, channels_last: bool = False, compiled: bool = False
) -> Callable[[], None]:
  """Returns a function that runs so many steps of KD, or of labels alone, and waits for the last.

  With a case in bfloat16 the networks run under autocast, with parameters in float32, as jaxkd's.

  Args:
    case: what is trained; one student by `kd` or `nokd`.
    steps: steps of a call.
    channels_last: whether images and kernels have this layout.
    compiled: whether `torch.compile` makes the networks.
  """
  torch.manual_seed(0)
  torch.backends.cudnn.benchmark = True
  spec, where = case.spec, device()
  layout: Any = torch.channels_last if channels_last else torch.contiguous_format

  def make(name: str) -> torch.nn.Module:
    network = references.build(name, spec.num_classes, spec.image_size)
    return network.to(where, memory_format=layout)

  student = make(case.student).train()
  teacher = make(case.teacher).eval() if case.teacher else None
  optimizer = torch.optim.SGD(student.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
  shape = case.batch_size, spec.channels, spec.image_size, spec.image_size
  images = torch.randn(shape, device=where).to(memory_format=layout)
  labels = torch.randint(spec.num_classes, (case.batch_size,), device=where)
  run_student = torch.compile(student) if compiled else student
  run_teacher = torch.compile(teacher) if compiled and teacher else teacher

  def precision() -> contextlib.AbstractContextManager[Any]:
    if case.dtype == "float32":
      return contextlib.nullcontext()
    return torch.autocast(where.type, dtype=getattr(torch, case.dtype))

  def step() -> None:
    with precision():
      logits = run_student(images)[0]
      loss = F.cross_entropy(logits, labels)
      if run_teacher is not None:
        with torch.no_grad():
          targets = run_teacher(images)[0]
        log_p, q = F.log_softmax(logits / 4, dim=1), F.softmax(targets / 4, dim=1)
        loss = 0.5 * loss + 0.5 * 16 * F.kl_div(log_p, q, reduction="batchmean")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

  def run() -> None:
    for _ in range(steps):
      step()
    if where.type == "cuda":
      torch.cuda.synchronize()

  return run
