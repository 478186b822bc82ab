"""The correct guidance of the teachers' labels: its columns, and when to warn."""

from collections.abc import Mapping, Sequence

import numpy as np

MISGUIDED = "a wrong class has the largest probability, share of examples"
LABEL_PROBABILITY = "probability of the true class p_y"

_TOLERATED = 0.02
_LOGGED = {MISGUIDED: "train_misguided", LABEL_PROBABILITY: "train_label_probability"}


def of_students(last: Sequence[Mapping[str, float]]) -> dict[str, float]:
  """Returns both measures from the last logged lines of a row's students, mean over the students.

  Empty if the row's method does not log them.

  Examples:
    >>> of_students([{"train_misguided": 0.25, "train_label_probability": 0.5}])[MISGUIDED]
    0.25
  """
  if not all(name in line for line in last for name in _LOGGED.values()):
    return {}
  return {column: float(np.mean([line[name] for line in last])) for column, name in _LOGGED.items()}


def is_lost(share: float) -> bool:
  """Whether a share of labels that favour a wrong class deserves a warning."""
  return share > _TOLERATED


def warning(lost: Sequence[str]) -> str:
  """Warns of labels, each described with its share; '' if there are none.

  Examples:
    >>> print(warning(["ats 8.6 %"]))
    Correct guidance is lost where a wrong class has the largest probability: ats 8.6 %.
  """
  if not lost:
    return ""
  where = "where a wrong class has the largest probability"
  return f"Correct guidance is lost {where}: {', '.join(lost)}."
