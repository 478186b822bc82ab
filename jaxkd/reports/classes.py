"""The classes of a user's data: accuracy of each network, confusion matrices."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from jaxkd.reports import pictures
from jaxkd.reports.document import Block, Picture, Table, Text
from jaxkd.reports.tables import Lines
from jaxkd.training.classes import WHOLE, Evaluation

_LISTED = 10  # confusions of a network
_DRAWN = 6  # matrices in the picture


def blocks(
  evaluations: Mapping[str, Sequence[Evaluation | None]], class_names: Sequence[str]
) -> Iterator[Block]:
  """Yields tables and picture; `evaluations` has those of each network, one for each seed."""
  known = {
    name: [evaluation for evaluation in own if evaluation]
    for name, own in evaluations.items()
    if all(own)
  }
  if lacking := [name for name in evaluations if name not in known]:
    yield Text(
      f"No accuracy by class of {', '.join(lacking)}: an earlier version of jaxkd trained it, it "
      "was evaluated on other images or classes, or its evaluation.json is damaged."
    )
  if not known:
    return
  split = next(iter(known.values()))[0].split
  yield Table("classes", accuracies(known, class_names), "Accuracy by class")
  yield Text(f"Accuracy (%) on the {split} split of each class's images, over all seeds.")
  if wrong := _confusions(known, class_names):
    yield Table("confusions", wrong, "Most frequent confusions")
  if len(class_names) > WHOLE:
    return
  matrices = {name: _summed(own) for name, own in [*known.items()][:_DRAWN]}
  caption = (
    f"Share of each class's images of the {split} split, in percent, by predicted class, over all "
    "seeds."
  )
  figure = pictures.confusion_matrices(matrices, class_names)
  yield Picture("confusion", figure, _cells(matrices, class_names), caption)


def accuracies(known: Mapping[str, Sequence[Evaluation]], class_names: Sequence[str]) -> Lines:
  """Returns a line for each class, with the accuracy in percent of each network."""
  images = next(iter(known.values()))[0].examples
  shares = {}
  for name, own in known.items():
    correct = np.sum([e.correct for e in own], axis=0)
    examples = np.sum([e.examples for e in own], axis=0)
    shares[name] = [
      100 * float(right / count) if count else float("nan")
      for right, count in zip(correct, examples, strict=True)
    ]
  return [
    {"class": name, "images": int(images[label])}
    | {network: own[label] for network, own in shares.items()}
    for label, name in enumerate(class_names)
  ]


def _confusions(known: Mapping[str, Sequence[Evaluation]], class_names: Sequence[str]) -> Lines:
  """Returns the most frequent confusions of each network."""
  lines = []
  for name, own in known.items():
    counts: dict[tuple[int, int], int] = {}
    for label, predicted, count in np.concatenate([e.confusions for e in own]).tolist():
      counts[label, predicted] = counts.get((label, predicted), 0) + count
    examples = np.sum([e.examples for e in own], axis=0)
    for (label, predicted), count in sorted(counts.items(), key=lambda each: -each[1])[:_LISTED]:
      lines.append(
        {
          "network": name,
          "class": class_names[label],
          "taken for": class_names[predicted],
          "images": count,
          "share of the class (%)": 100 * float(count / examples[label]),
        }
      )
  return lines


def _summed(own: Sequence[Evaluation]) -> np.ndarray:
  return np.sum([evaluation.matrix for evaluation in own], axis=0)


def _cells(matrices: Mapping[str, np.ndarray], class_names: Sequence[str]) -> Lines:
  """Returns the data of the picture, without empty cells."""
  return [
    {
      "network": network,
      "class": class_names[label],
      "predicted": class_names[predicted],
      "images": int(matrix[label, predicted]),
    }
    for network, matrix in matrices.items()
    for label, predicted in np.argwhere(matrix).tolist()
  ]
