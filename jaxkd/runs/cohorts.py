"""Which phases train together: students that share a teacher's forward pass."""

from collections.abc import Mapping, Set

from jaxkd.runs.store import Phase, PhaseFolder


def cohorts(
  steps: Mapping[PhaseFolder, Set[int]], size: int, interval: int
) -> list[list[PhaseFolder]]:
  """Divides phases into groups, each of which can train in one step.

  The phases of a group share their teachers, data, order of the examples and
  number of epochs. All can go on from one step, and none loses more than its
  newest checkpoint by it. Phases without a teacher have nothing to share.

  Args:
    steps: of each phase's place, the steps to go on from.
    size: the largest group, >= 1.
    interval: steps between checkpoints.
  """
  groups: list[list[PhaseFolder]] = []
  # Those that are as far come together.
  for entry in sorted(steps, key=lambda entry: max(steps[entry])):
    for group in groups:
      together = [steps[each] for each in (*group, entry)]
      if (
        len(group) < size
        and _share(group[0].phase, entry.phase)
        and all(max(own) - common(together) <= interval for own in together)
      ):
        group.append(entry)
        break
    else:
      groups.append([entry])
  # In the order in which they came: teachers before their students.
  entries = list(steps)
  ordered = [sorted(group, key=entries.index) for group in groups]
  return sorted(ordered, key=lambda group: entries.index(group[0]))


def common(steps: list[Set[int]]) -> int:
  """Returns the newest step that all can go on from.

  Examples:
    >>> common([{0, 500, 1000}, {0, 500}])
    500
  """
  return max(set.intersection(*map(set, steps)))


def _share(phase: Phase, other: Phase) -> bool:
  def shared(phase):
    data = {**phase.data, "seed": phase.data_seed}
    return phase.teachers, data, phase.optim["epochs"]

  return bool(phase.teachers) and shared(phase) == shared(other)
