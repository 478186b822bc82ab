"""The table of size and speed of a report's networks."""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxkd.reports.networks import described
from jaxkd.reports.tables import Lines
from jaxkd.runs import planning
from jaxkd.runs.phase import Phase
from jaxkd.runs.store import PhaseFolder
from jaxkd.training.classes import Evaluation

NOTE = (
  "MFLOPs are millions of floating-point operations in the evaluation of one image, as XLA counts "
  "them: a multiplication is one, an addition is one. Images per second are those of the last "
  "evaluation, in batches, with the reading of the images, on the named device."
)


def table(
  networks: Sequence[tuple[str, Sequence[Phase]]],
  folder: Callable[[Phase], PhaseFolder],
  evaluations: Mapping[Phase, Evaluation | None],
) -> Lines:
  """Returns a line for each network; `networks` has names and phases, one for each seed.

  Phases that share a network share a line.
  """
  groups: dict[str, dict[str, Sequence[Phase]]] = {}
  for name, phases in networks:
    groups.setdefault(json.dumps(phases[0].network, sort_keys=True), {})[name] = phases
  lines = []
  for group in groups.values():
    phases = [phase for own in group.values() for phase in own]
    cost = planning.cost(phases[0])
    found = [(phase, evaluations[phase]) for phase in phases]
    measured = {phase: e.images_per_second for phase, e in found if e and e.images_per_second}
    devices = {folder(phase).result().get("hardware", "an unknown device") for phase in measured}
    speed: dict[str, object] = {"images/s": "", "measured on": ""}
    if len(devices) == 1:  # a mean over different devices says nothing
      speed = {
        "images/s": _rounded(float(np.mean([*measured.values()]))),
        "measured on": devices.pop(),
      }
    lines.append(
      {
        "network": described(phases[0].network),
        "network of": ", ".join(group),
        "parameters": cost.parameters,
        "MB": _rounded(cost.bytes / 1e6),
        "MFLOPs an image": _rounded(cost.flops / 1e6),
        **speed,
      }
    )
  return lines


def _rounded(value: float) -> float:
  """Returns a number that a table shows without an exponent."""
  return round(value) if value >= 1000 else value
