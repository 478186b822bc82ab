"""The evaluation of a trained network class by class, and its speed: `evaluation.json`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

EVALUATION = "evaluation.json"
"""The file's name in the folder of a phase."""
WHOLE = 200
"""Up to so many classes all confusions are kept, otherwise the most frequent `KEPT`."""
KEPT = 1000


class Evaluation(NamedTuple):
  """Right and wrong predictions of a network for each class of a split.

  `confusions` `[K, 3]` has label, predicted class and number of examples, the most frequent first.
  `images_per_second` includes the reading of the images; None for a split of one batch.
  """

  split: str
  examples: np.ndarray  # `[C]`
  correct: np.ndarray  # `[C]`
  confusions: np.ndarray
  images_per_second: float | None

  @classmethod
  def of(
    cls, split: str, counts: np.ndarray, num_classes: int, images_per_second: float | None
  ) -> "Evaluation":
    """Sorts counts `[K, 3]`, each of label, predicted class and number of examples.

    There is no matrix `[C, C]`, which many classes would make too large.

    Examples:
      >>> counts = np.array([[0, 0, 3], [0, 1, 1], [1, 1, 2]])
      >>> found = Evaluation.of("test", counts, 2, None)
      >>> found.examples.tolist(), found.correct.tolist(), found.confusions.tolist()
      ([4, 2], [3, 2], [[0, 1, 1]])
    """
    right = counts[:, 0] == counts[:, 1]
    wrong = counts[~right]
    confusions = wrong[np.argsort(-wrong[:, 2], kind="stable")]
    if num_classes > WHOLE:
      confusions = confusions[:KEPT]
    examples, correct = np.zeros((2, num_classes), int)
    np.add.at(examples, counts[:, 0], counts[:, 2])
    correct[counts[right, 0]] = counts[right, 2]
    return cls(split, examples, correct, confusions, images_per_second)

  @property
  def matrix(self) -> np.ndarray:
    """Examples by label and predicted class, `[C, C]`, for up to `WHOLE` classes."""
    matrix = np.diag(self.correct)
    labels, predicted, counts = self.confusions.T
    matrix[labels, predicted] = counts
    return matrix

  def to_dict(self) -> dict[str, Any]:
    """Returns the content of the file."""
    return {
      "split": self.split,
      "images_per_second": self.images_per_second,
      "examples": self.examples.tolist(),
      "correct": self.correct.tolist(),
      "label predicted count": [" ".join(map(str, line)) for line in self.confusions.tolist()],
    }

  @classmethod
  def from_dict(cls, fields: Mapping[str, Any]) -> "Evaluation":
    """The inverse of `to_dict`."""
    lines = [list(map(int, line.split())) for line in fields["label predicted count"]]
    return cls(
      fields["split"],
      np.array(fields["examples"], int),
      np.array(fields["correct"], int),
      np.array(lines, int).reshape(-1, 3),
      fields["images_per_second"],
    )
