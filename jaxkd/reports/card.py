"""The model card of an exported network, in Markdown."""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxkd.common.files import StrPath, write_atomically
from jaxkd.reports import classes, document, networks
from jaxkd.reports.document import Block, Report, Table, Text
from jaxkd.runs.phase import Phase, duration
from jaxkd.training.classes import Evaluation
from jaxkd.training.jobs import GIVEN

UNKNOWN = "not stated"
"""The licence of a network whose owner names none."""


def write(
  file: StrPath, about: Mapping[str, Any], evaluation: Evaluation | None, licence: str = UNKNOWN
) -> pathlib.Path:
  """Writes the card beside an exported file, as `<file>.md`, and returns its path.

  `about` describes the network as `exporting.describe` does.
  """
  file = pathlib.Path(file)
  card = file.with_name(f"{file.name}.md")
  report = Report(file.name, [*_blocks(about, evaluation, licence)])
  # The head that hubs of models read; a text in JSON is one in YAML, too.
  head = f"---\nlibrary_name: jaxkd\nlicense: {json.dumps(licence)}\n---\n\n"
  write_atomically(card, head + document.as_markdown(report))
  return card


def _blocks(
  about: Mapping[str, Any], evaluation: Evaluation | None, licence: str
) -> Iterator[Block]:
  phase, origin, names = Phase.from_dict(about["phase"]), about["provenance"], about["class_names"]
  accuracy = "not known"
  if origin["accuracy"] is not None:
    accuracy = f"{origin['accuracy']:.2%} on the {origin['split']} split"
  facts = {
    "network": networks.described(phase.network),
    "data": f"{origin['data']}, {phase.data['num_classes']} classes{_examples(origin)}",
    "method": networks.method(phase),
    "teachers": ", ".join(origin["teachers"]) or "none: it learned from labels",
    "training": f"{duration(phase.epochs)}, seed {phase.seed}, step {origin['step']}",
    "accuracy": accuracy,
    "finished": origin["finished"] or "not known",
    "phase": origin["phase"],
    "jaxkd": origin["jaxkd"],
    "licence": licence,
  }
  if phase.given:
    facts |= {"method": GIVEN, "teachers": "not known", "training": "not known"}
  yield Table("facts", [{"": name, "value": value} for name, value in facts.items()])
  yield Text(_input(about["input"]))
  if evaluation and names:
    known = {"accuracy (%)": [evaluation]}
    yield Table("classes", classes.accuracies(known, names), "Accuracy by class")
    yield Text(f"Images are those of the {evaluation.split} split.")
  else:
    yield Text(f"Classes in the order of the logits: {', '.join(names) or 'not known'}.")
    yield Text("The accuracy by class is not known.")


def _examples(origin: Mapping[str, Any]) -> str:
  """Returns the numbers of images, as far as they are known."""
  counts = origin["examples"].items()
  return "".join(f", {count:,} {split} images" for split, count in counts if count)


def _input(about: Mapping[str, Any]) -> str:
  size, resize, seen = about["size"], about["resize_shorter_side"], about["network_size"]
  prepared = f"Images are resized to {size}x{size} pixels"
  if resize:
    prepared = (
      f"The shorter side of an image is resized to {resize} pixels (bilinear, antialiased); the "
      f"middle {size}x{size} pixels are kept"
    )
  if seen != size:
    prepared += (
      f", and resized to {seen}x{seen} pixels for the network (bilinear; programs do it themselves)"
    )
  mean, std = (", ".join(f"{value:g}" for value in about[key]) for key in ("mean", "std"))
  return (
    f"{prepared}, with {about['channels']} channels. Weights (.safetensors) take pixels / 255, "
    f"minus the mean ({mean}), divided by the deviation ({std}). Programs (.stablehlo, .onnx) "
    "take the pixels, uint8, in the order batch, height, width, channel."
  )
