"""The paper's Tables 2 and 3, and the experiments that their figures belong to."""

import dataclasses
import itertools

import ml_collections

from jaxkd import data, methods
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import optim
from jaxkd.training.jobs import GIVEN

TABLES = {
  "2": ("nokd", "stkd", "kd", "eskd", "takd", "sckd", "dist", "ats", "fgcr", "regt", "isats"),
  "3": ("nokd+ens", "reskd", "ats+ens", "fgcr+ens", "regt+ens", "isats+ens"),
}
"""The rows of the paper's Tables 2 and 3."""

_LARGE_IMAGES = ("alexnet", "shufflenet_v2", "mobilenet_v2")
_STUDENTS = {
  "cifar100": ("vgg8", "shufflenet_v1", "mobilenet_v2"),
  **dict.fromkeys(("tiny_imagenet", "cub", "dogs"), _LARGE_IMAGES),
}
COLUMNS = tuple((dataset, student) for dataset in _STUDENTS for student in _STUDENTS[dataset])
"""Data set and student of each column of the tables."""

# fmt: off
_TABLE_2 = {
  "nokd":  (69.92, 70.04, 64.75, 34.62, 45.79, 52.03, 55.66, 71.24, 74.49, 50.20, 68.72, 68.67),
  "stkd":  (72.30, 73.22, 66.56, 36.16, 49.59, 52.93, 56.39, 72.15, 76.80, 51.95, 69.92, 72.06),
  "kd":    (71.35, 71.86, 65.49, 35.83, 48.48, 52.33, 55.10, 71.89, 76.45, 50.22, 68.48, 71.25),
  "eskd":  (71.88, 72.02, 65.92, 34.97, 48.34, 52.15, 55.64, 72.15, 76.87, 50.39, 69.02, 71.56),
  "takd":  (72.71, 72.86, 66.98, 36.20, 48.71, 52.44, 54.82, 71.53, 76.25, 50.36, 68.94, 70.61),
  "sckd":  (70.38, 70.61, 64.59, 36.16, 48.76, 51.83, 56.78, 71.99, 75.13, 51.78, 68.80, 70.13),
  "dist":  (71.22, 71.10, 65.01, 35.95, 45.75, 50.56, 48.88, 71.79, 75.34, 49.85, 67.69, 68.97),
  "ats":   (72.31, 73.44, 67.18, 37.42, 50.03, 54.11, 58.32, 73.15, 77.83, 52.96, 70.92, 73.16),
  "fgcr":  (71.99, 72.42, 66.39, 35.70, 48.35, 53.25, 60.22, 73.63, 79.44, 51.84, 70.45, 72.98),
  "regt":  (72.09, 72.39, 66.18, 36.66, 48.48, 53.31, 60.17, 74.20, 79.21, 52.18, 70.55, 72.43),
  "isats": (72.46, 73.80, 67.04, 37.15, 49.61, 55.49, 61.73, 74.23, 78.84, 54.36, 70.98, 72.73),
}
# Two students under different seeds together.
_TABLE_3 = {
  "nokd+ens":  (72.77, 73.61, 67.76, 39.37, 50.69, 56.40, 59.84, 74.43, 77.47, 54.04, 71.65, 72.53),
  "reskd":     (73.89, 76.03, 69.00, 38.66, 51.93, 57.32, 62.60, 75.29, 76.27, 54.68, 70.73, 72.85),
  "ats+ens":   (74.86, 75.05, 69.50, 40.42, 52.14, 58.47, 62.00, 76.26, 78.97, 55.69, 73.22, 74.67),
  "fgcr+ens":  (73.69, 74.76, 68.22, 39.20, 52.71, 56.44, 61.94, 76.84, 80.37, 54.25, 72.70, 74.83),
  "regt+ens":  (74.88, 74.95, 68.45, 39.37, 53.78, 57.35, 62.11, 75.64, 80.82, 55.03, 72.73, 74.25),
  "isats+ens": (74.55, 74.43, 68.61, 40.25, 53.18, 58.78, 63.82, 75.07, 80.87, 56.62, 73.53, 75.30),
}
# fmt: on

EPOCHS = 240
"""The number of epochs of all of the paper's networks."""

TEACHERS = {
  "cifar100": ("resnet110", "resnet20"),
  "tiny_imagenet": ("wide_resnet50_2", "wide_resnet26_2"),
  "cub": ("resnext101_32x8d", "resnext50_32x4d"),
  "dogs": ("resnext101_32x8d", "resnext50_32x4d"),
}
"""The large and the small teacher by data set."""

PRETRAINED = ("cub", "dogs")
"""Data sets whose networks start from ImageNet's weights.

The paper doesn't say so, but a MobileNetV2 reaches 74 % on 6,000 photographs only with them.
"""


def accuracies(dataset: str, student: str) -> dict[str, float]:
  """Returns the figures of a column of Tables 2 and 3, by row; empty if there is no such column.

  Examples:
    >>> accuracies("cifar100", "vgg8")["isats"]
    72.46
  """
  if (dataset, student) not in COLUMNS:
    return {}
  column = COLUMNS.index((dataset, student))
  return {row: figures[column] for row, figures in (_TABLE_2 | _TABLE_3).items()}


def differences(config: ml_collections.ConfigDict) -> list[str]:
  """Returns the differences of an experiment from the paper's, as texts.

  The paper's accuracies stand beside ours only if there are none: same images, split, networks,
  epochs and kind of initial weights. Options that the paper leaves open make no difference. The
  experiment's data set and student are a column of the paper's tables.
  """
  own, name, found = config.data, config.data.name, []
  if data.content(name, own.data_dir):
    found.append("the images are not the published ones")
  if own.train_share < 1:
    found.append(f"{100 * own.train_share:.3g} % of the training data")
  if own.validation:
    found.append(f"accuracy on {100 * own.validation:.3g} % of the training data, held out")
  recipe = optim.unusual(config.optim.to_dict()) | data.Augmentation.of(own).used()
  found += [f"{option} {value}" for option, value in recipe.items()]
  if config.ensemble != 2 and any(row.endswith("+ens") for row in config.rows):
    found.append(f"ensembles of {config.ensemble}, not of 2")
  # `kd` has the options of many rows.
  rows = ["kd", *(row.removesuffix("+ens") for row in config.rows)]
  for row in dict.fromkeys(itertools.chain(*map(methods.members, rows))):
    section = config.get(row, {})
    for field in dataclasses.fields(methods.find(row)):
      # Standardisation is of another publication.
      elsewhere = field.metadata.get("extension") or field.name == "standardize"
      if elsewhere and (value := section.get(field.name, field.default)) != field.default:
        found.append(f"{row}.{field.name} is {value}")
  wanted = dict(zip(("teacher", "small_teacher"), TEACHERS[name], strict=True))
  roles = ["student"]
  roles += ["small_teacher"] if "stkd" in config.rows else []
  roles += ["teacher"] if set(config.rows) - {"nokd", "nokd+ens", "stkd"} else []
  for role in roles:
    own = config[role]
    network, epochs, initial = own.to_dict(), own.epochs, own.init_from
    if own.get("checkpoint"):
      phase = PhaseFolder.open(own.checkpoint).phase
      network, epochs = phase.network, phase.epochs
      initial = network.get("init_from")
    options = network["options"]
    if options or network["name"] != wanted.get(role, network["name"]):
      shown = ", ".join(f"{key}={value}" for key, value in options.items())
      found.append(f"{role} {network['name']}{f'({shown})' if shown else ''}")
    if epochs != EPOCHS:
      found.append(f"{role}: {f'{epochs:g} of {EPOCHS} epochs' if epochs else GIVEN}")
    if name in PRETRAINED and not initial:
      weights = "random initial weights, not those of ImageNet"
      found.append(f"{role}: {weights} (config.{role}.init_from)")
  return found
