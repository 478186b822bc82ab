"""Classifies images with a finished phase or an exported file.

  python -m jaxkd.classify runs/folder-mobilenet_v2-isats-... photo.jpg more_photos/
  python -m jaxkd.classify student.safetensors photo.jpg --csv=found.csv

It prints the most probable classes of each image. Of a folder all images are classified. A file
that can't be read is named, the others are classified, and the exit status is 2.
"""

import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from jaxkd.common.arguments import Parser, show
from jaxkd.common.console import tell
from jaxkd.common.errors import ConfigError, FileError, UserError, end
from jaxkd.common.files import check_target, exists, read, write_atomically
from jaxkd.data.base import readable
from jaxkd.data.folder import image_files
from jaxkd.reports import tables
from jaxkd.runs import predictor
from jaxkd.runs.predictor import Prediction
from jaxkd.runs.store import PhaseFolder


def main(argv: Sequence[str] | None = None) -> None:
  """Classifies the images that the arguments name."""
  parser = Parser(prog="python -m jaxkd.classify", description=__doc__)
  parser.add_argument("phase", help="folder of a finished phase, or a file of jaxkd export")
  parser.add_argument("images", nargs="+", help="image files, and folders of them")
  parser.add_argument("--top", type=int, default=3, help="classes for each image (default: 3)")
  parser.add_argument("--csv", help="file for a line for each image and class")
  parser.add_argument("--json", help="file for all predictions")
  flags = parser.parse_args(argv)
  try:
    if flags.top < 1:
      raise ConfigError(f"--top is {flags.top}, must be at least 1")
    if flags.csv and flags.json and os.path.realpath(flags.csv) == os.path.realpath(flags.json):
      raise ConfigError(f"--json is {flags.json}, must be another file than --csv")
    for target in filter(None, (flags.csv, flags.json)):
      check_target(target, "jaxkd classify", _is_own)
    if not exists(flags.phase):
      raise FileError(f"{flags.phase}: no such file or folder")
    files = [file for image in flags.images for file in _files(pathlib.Path(image))]
    if pathlib.Path(flags.phase).is_file():
      network = predictor.open_file(flags.phase)
    else:
      folder = PhaseFolder.open(flags.phase)
      folder.check_network()
      network = predictor.of_phase(folder)
    found = [*predictor.classify(network, files, flags.top)]
    right = [each for each in found if not each.error]
    if flags.csv and right:
      write_atomically(flags.csv, tables.as_csv([*_lines(right)]))
    if flags.json and right:
      write_atomically(flags.json, json.dumps([*map(_fields, right)], indent=2) + "\n")
  except (UserError, OSError) as error:
    end(error)
  for each in found:
    if each.error:
      tell(f"jaxkd: {each.error}")
  if right:
    show(tables.as_markdown([_row(each) for each in right]))
    for written in filter(None, (flags.csv, flags.json)):
      tell(f"Written: {written}")
  if len(right) < len(found):
    end(f"{len(found) - len(right)} of {len(found)} images were not classified")


def _is_own(path: pathlib.Path) -> bool:
  """Returns whether a file has predictions of this command, or nothing."""
  content = read(path)
  return not content or content.startswith((b"image,rank,class,", b'[\n  {\n    "image": '))


def _files(path: pathlib.Path) -> list[pathlib.Path]:
  """Returns a file, or the images below a folder."""
  if not path.is_dir():
    return [path]
  if not (found := image_files(path)):
    raise ConfigError(f"{readable(path)} has no images")
  return found


def _fields(prediction: Prediction) -> dict[str, Any]:
  """Returns an image's entry in the JSON file."""
  classes = [{"class": name, "probability": value} for name, value in prediction.classes]
  return {"image": readable(prediction.file), "classes": classes}


def _row(prediction: Prediction) -> dict[str, str]:
  """Returns an image's line of the table."""
  shown = (f"{name} {probability:.1%}" for name, probability in prediction.classes)
  return {"image": readable(prediction.file)} | {
    f"class {rank}": text for rank, text in enumerate(shown, 1)
  }


def _lines(found: Sequence[Prediction]) -> Iterator[dict[str, Any]]:
  """Yields the lines of the CSV file."""
  for each in found:
    for rank, (name, probability) in enumerate(each.classes, 1):
      line = {"image": readable(each.file), "rank": rank, "class": name}
      yield line | {"probability": probability}


if __name__ == "__main__":
  main()
