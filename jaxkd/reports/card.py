"""The model card of an exported network, in Markdown."""

import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from jaxkd.common.files import StrPath, check_target, read
from jaxkd.reports import classes, document, networks
from jaxkd.reports.document import Block, Report, Table, Text
from jaxkd.runs.phase import Phase, duration
from jaxkd.training.classes import Evaluation
from jaxkd.training.jobs import GIVEN

UNKNOWN = "not stated"
"""The licence of a network whose owner names none."""
_HEAD = "---\nlibrary_name: jaxkd\n"


def text(
  file: pathlib.Path,
  about: Mapping[str, Any],
  evaluation: Evaluation | None,
  licence: str = UNKNOWN,
) -> str:
  """Returns the card of an exported file; `about` is the result of `exporting.describe`."""
  report = Report(file.name, [*_blocks(file.suffix, about, evaluation, licence)])
  # The head that hubs of models read; a text in JSON is one in YAML, too.
  return f"{_HEAD}license: {json.dumps(licence)}\n---\n\n{document.as_markdown(report)}"


def place(file: StrPath) -> pathlib.Path:
  """Returns the place of the card, `<file>.md`; a FileError if it can't be written there."""
  path = pathlib.Path(f"{file}.md")
  check_target(path, "jaxkd export", lambda card: read(card).startswith(_HEAD.encode()))
  return path


def _blocks(
  suffix: str, about: Mapping[str, Any], evaluation: Evaluation | None, licence: str
) -> Iterator[Block]:
  phase, origin, names = Phase.from_dict(about["phase"]), about["provenance"], about["class_names"]
  accuracy, finished = "not known", origin["finished"] or "not known"
  if origin["unfinished"]:
    finished = f"unfinished: {origin['unfinished']}"
  if origin["residual"]:
    accuracy = "none: these are residual weights, which predict together with their teachers"
  if origin["accuracy"] is not None:
    accuracy = f"{origin['accuracy']:.2%} on the {origin['split']} split"
  facts = {
    "network": networks.described(phase.network),
    "data": f"{origin['data']}, {phase.data['num_classes']} classes{_examples(origin)}",
    "method": networks.method(phase),
    "teachers": ", ".join(origin["teachers"]) or "none: it learned from labels",
    "training": f"{duration(phase.epochs)}, seed {phase.seed}, step {origin['step']}",
    "accuracy": accuracy,
    "finished": finished,
    "phase": origin["phase"],
    "jaxkd": origin["jaxkd"],
    "licence": licence,
  }
  if phase.given:
    facts |= {"method": GIVEN, "teachers": "not known", "training": "not known"}
  yield Table("facts", [{"": name, "value": value} for name, value in facts.items()])
  yield Text(_input(suffix, about["input"]))
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


def _input(suffix: str, about: Mapping[str, Any]) -> str:
  weights = suffix == ".safetensors"
  size, resize, seen = about["size"], about["resize_shorter_side"], about["network_size"]
  prepared = f"Images are resized to {size}x{size} pixels"
  if resize:
    prepared = (
      f"The shorter side of an image is resized to {resize} pixels (bilinear, antialiased); the "
      f"middle {size}x{size} pixels are kept"
    )
  if seen != size:
    by_itself = "" if weights else "; the program does it itself"
    prepared += f", and resized to {seen}x{seen} pixels for the network (bilinear{by_itself})"
  prepared += f", with {about['channels']} channels."
  if not weights:
    return (
      f"{prepared} The program takes pixels, uint8, in the order batch, height, width, channel."
    )
  mean, std = (", ".join(f"{value:g}" for value in about[key]) for key in ("mean", "std"))
  return (
    f"{prepared} The weights take pixels / 255, minus the mean ({mean}), divided by the deviation "
    f"({std})."
  )
