"""Cohorts: students that train together, with one forward pass of their teachers."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from jaxkd.runs.phase import Phase


def cohorts(steps: Mapping[Phase, Set[int]], size: int, interval: int) -> list[list[Phase]]:
  """Divides phases into groups of up to `size`, each of which can train in one step.

  The phases of a group share their teachers, data, order of the examples and number of epochs. All
  can resume from a common checkpoint of their `steps`, and none loses more than `interval` steps by
  it, or none has begun.
  Phases without a teacher share network and method instead, if they teach no other phase: large
  teachers train one after the other.
  """
  groups: list[list[Phase]] = []
  teaching = {teacher for phase in steps for teacher in phase.teachers}
  # Phases with equal progress form groups.
  for phase in sorted(steps, key=lambda phase: max(steps[phase])):
    for group in groups:
      together = [steps[each] for each in (*group, phase)]
      if (
        len(group) < size
        and (phase.teachers or phase not in teaching)
        and _shared(group[0]) == _shared(phase)
        and _lose_little(together, interval)
      ):
        group.append(phase)
        break
    else:
      groups.append([phase])
  # The order is that of `steps`: teachers before their students.
  order = {phase: index for index, phase in enumerate(steps)}
  ordered = [sorted(group, key=order.__getitem__) for group in groups]
  return sorted(ordered, key=lambda group: order[group[0]])


def _lose_little(steps: Sequence[Set[int]], interval: int) -> bool:
  """Whether phases of these steps may resume together."""
  newest, common = [max(own) for own in steps], common_steps(steps)[-1]
  # Phases that were stopped don't start over with those that have not begun.
  return not any(newest) or (common > 0 and all(step - common <= interval for step in newest))


def common_steps(steps: Sequence[Set[int]]) -> list[int]:
  """Returns the steps that all can resume from, the newest last.

  Examples:
    >>> common_steps([{0, 500, 1000}, {0, 500}])
    [0, 500]
  """
  return sorted(set.intersection(*map(set, steps)))


def _shared(phase: Phase) -> tuple[Any, ...]:
  data = {**phase.data, "seed": phase.data_seed}
  own = phase.teachers or (phase.network, phase.objective)
  return own, data, phase.schedule["epochs"], phase.epochs
