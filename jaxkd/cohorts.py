"""Which phases train together: students that share a teacher's forward pass."""

from collections.abc import Sequence

from jaxkd.store import Entry


def cohorts(
  entries: Sequence[Entry], size: int, interval: int
) -> list[list[Entry]]:
  """Divides phases into groups, each of which can train in one step.

  The phases of a group share their teachers, data, order of the examples and
  number of epochs. All can go on from one step, and none loses more than its
  newest checkpoint by it. Phases without a teacher have nothing to share.

  Args:
    entries: the phases' places in the store.
    size: the largest group, >= 1.
    interval: steps between checkpoints.
  """
  groups: list[list[Entry]] = []
  # Those that are as far come together.
  for entry in sorted(entries, key=lambda entry: max(entry.steps)):
    for group in groups:
      if len(group) < size and _together([*group, entry], interval):
        group.append(entry)
        break
    else:
      groups.append([entry])
  # In the order in which they came: teachers before their students.
  ordered = [sorted(group, key=entries.index) for group in groups]
  return sorted(ordered, key=lambda group: entries.index(group[0]))


def _together(entries: Sequence[Entry], interval: int) -> bool:
  shared = [
    (
      phase.teachers,
      {**phase.data, "seed": phase.data_seed},
      phase.optim["epochs"],
    )
    for phase in (entry.phase for entry in entries)
  ]
  if not entries[0].phase.teachers or any(own != shared[0] for own in shared):
    return False
  steps = [entry.steps for entry in entries]
  common = max(set.intersection(*steps))
  return all(max(own) - common <= interval for own in steps)
