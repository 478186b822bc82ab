"""The standard table of the toolkits on CIFAR-100: its pairs, its recipe, published accuracies.

Tian et al., Contrastive Representation Distillation, ICLR 2020, whose code is RepDistiller, chose
the pairs and the recipe; mdistiller and later methods kept both. `toolkit_accuracies.csv` has the
accuracies, a line for each method and source, and `toolkit_options.csv` the options of methods that
differ from their defaults; both have a column for each pair. RepDistiller reports the last epoch,
mdistiller's code the best one.
"""

import ast
import csv
import functools
import pathlib

import ml_collections
from flax import traverse_util

from jaxkd import data, methods
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.runs import recipes
from jaxkd.runs.config import SHARED
from jaxkd.runs.row_options import of_row

DATASET = "cifar100"
TEACHER = "teacher"
"""The line of the teachers' accuracies; `nokd` has those of the students alone."""

# RepDistiller trains these with the lower rate, also as baselines.
_LOWER_RATE = ("mobilenet_v2", "shufflenet_v1", "shufflenet_v2")

# These make no experiment another one.
_FREE = ("data.data_dir", "data.seed", "teacher.seed")


@functools.cache
def _read(name: str) -> tuple[dict[str, str], ...]:
  """Returns the lines of a file beside this one, which have their texts by column."""
  with open(pathlib.Path(__file__).with_name(f"toolkit_{name}.csv"), newline="") as file:
    return tuple(csv.DictReader(file))


PAIRS = tuple(_read("accuracies")[0])[2:]
"""Teacher and student of each column, `vgg13/vgg8`."""


def accuracies(pair: str) -> dict[str, tuple[float, str]]:
  """Returns the published accuracies of a pair in percent, with their sources, by row.

  Examples:
    >>> accuracies("vgg13/vgg8")["crd"]
    (73.94, "RepDistiller's README")
  """
  lines = _read("accuracies")
  return {line["row"]: (float(line[pair]), line["source"]) for line in lines if line[pair]}


def rows(pair: str) -> tuple[str, ...]:
  """Returns the methods that have a published accuracy for a pair.

  Examples:
    >>> rows("vgg13/vgg8")[:3]
    ('nokd', 'kd', 'fitnet')
  """
  known = methods.list_methods()
  return tuple(row for row in accuracies(pair) if row in known)


def pair_of(config: ml_collections.ConfigDict) -> str:
  """Returns the pair of an experiment; empty if the table has no such pair."""
  pair = f"{config.teacher.name}/{config.student.name}"
  return pair if config.data.name == DATASET and pair in PAIRS else ""


def recipe(pair: str, arg: str = "", *, title: str) -> ml_collections.ConfigDict:
  """Returns the experiment of a pair, with all rows that have a published accuracy.

  The toolkits train for 240 epochs in batches of 64, without warm-up; all else is the paper's
  recipe. See `recipes.recipe` for `arg`; `runlocal` shortens the training of the same networks.
  """
  if pair not in PAIRS:
    raise ConfigError(f"the pair is {pair!r}, must be {nearest(pair, PAIRS)}")
  teacher, student = pair.split("/")
  arg = f"teacher={teacher},student={student},{arg}"
  config = recipes.recipe(DATASET, arg, title=title, rows=rows(pair))
  config.data.batch_size, config.optim.warmup = 64, 0.0
  for network in (config.teacher, config.small_teacher, config.student):
    network.learning_rate = 0.01 if network.name in _LOWER_RATE else 0.05
  for line in _read("options"):
    if line[pair] and line["option"].partition(".")[0] in methods.all_methods():
      config.update_from_flattened_dict({line["option"]: ast.literal_eval(line[pair])})
  return config


def differences(config: ml_collections.ConfigDict, row: str) -> list[str]:
  """Returns the ways in which a row of a pair's experiment is not the toolkits', for people.

  The row `TEACHER` is the teacher's own training. A teacher whose weights are given, not trained,
  makes no difference: the toolkits teach with published weights.
  """
  parts = {"data", "optim", "dtype"}
  parts |= {"student", row} if row != TEACHER else set()
  parts |= {"teacher"} if row != "nokd" and config.teacher.epochs else set()
  own, theirs = (
    _options(c, parts) for c in (of_row(config, row), recipe(pair_of(config), title=config.title))
  )
  found = [
    f"{option} is {_text(own.get(option))}, not {_text(theirs.get(option))}"
    for option in theirs | own
    if option not in _FREE and own.get(option) != theirs.get(option)
  ]
  other = data.content(DATASET, config.data.data_dir)
  return ["the images are not the published ones", *found] if other else found


def _options(config: ml_collections.ConfigDict, parts: set[str]) -> dict[str, object]:
  """Returns the options of parts of a config, by their names on the command line."""
  chosen = {key: value for key, value in config.to_dict().items() if key in parts}
  options = traverse_util.flatten_dict(chosen, sep=".")
  unset = [option for option, value in options.items() if value is None]
  shared = {o: config[o.rpartition(".")[2]] for o in unset if o.rpartition(".")[2] in SHARED}
  return options | shared


def _text(value: object) -> str:
  return f"{value:.4g}" if isinstance(value, float) else repr(value)
