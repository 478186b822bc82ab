"""Trained networks of the store, as teachers and for evaluation."""

import contextlib
from collections.abc import Sequence

import jax

from jaxkd import data
from jaxkd.common.errors import ConfigError
from jaxkd.common.files import exists
from jaxkd.runs import planning
from jaxkd.runs.store import PhaseFolder
from jaxkd.training import predictions, sharding
from jaxkd.training.checkpoint import Checkpoints
from jaxkd.training.jobs import Dataset, Teacher
from jaxkd.training.step import Frozen, Functional, Variables, functional


def load_network(
  folder: PhaseFolder, mesh: jax.sharding.Mesh, step: int | None = None
) -> tuple[Functional, Variables]:
  """Returns a phase's network on all devices, by default of its newest step.

  It resizes images of another size than those of its own training. It is a ConfigError if the
  folder has predictions and no network.
  """
  if exists(folder.path / predictions.ABOUT_FILE):
    raise ConfigError(f"{folder.path} has predictions, must have the teacher's network")
  network, variables = functional(planning.network(folder.phase))
  network = network._replace(input_size=planning.input_size(folder.phase))
  with contextlib.closing(Checkpoints(folder.checkpoints, keep=None)) as checkpoints:
    variables = sharding.replicate(mesh)(variables)
    if step is None and folder.finished:
      step = folder.result()["steps"]
    return network, checkpoints.restore_network(variables, step)


def load(folder: PhaseFolder, dataset: Dataset, mesh: jax.sharding.Mesh) -> Teacher:
  """Returns a finished phase as a teacher on a data set.

  It sees images of the size and normalisation of its own training, and its classes are brought into
  the data set's order. It is a ConfigError if it was trained on other images or other classes.
  """
  classes = class_order(folder, dataset.spec, dataset.class_names)
  network, variables = load_network(folder, mesh)
  return Teacher(Frozen(network, planning.spec_of(folder.phase), classes), variables)


def class_order(
  folder: PhaseFolder,
  spec: data.Spec,
  class_names: Sequence[str] | None,
  image_size: int | None = None,
) -> tuple[int, ...] | None:
  """Returns the position of each class in a teacher's logits; None if the order is the same.

  `class_names` is None if they are not known yet. It is a ConfigError if the teacher sees images of
  another size than `image_size`, if that is given, or was trained on images of another number of
  channels, or on other classes, or on unknown classes.
  """
  theirs = planning.spec_of(folder.phase)

  def require(what: str, ours: object, own: object, hint: str = "") -> None:
    if ours != own:
      raise ConfigError(
        f"the teacher {folder.path} was trained on {theirs.name} with {what} {own}, must have been "
        f"with {what} {ours} for {spec.name}{hint}"
      )

  require("num_classes", spec.num_classes, theirs.num_classes)
  size = planning.input_size(folder.phase)
  hint = f"; --config.teacher.image_size={size} resizes them"
  require("image_size", image_size or size, size, hint)
  require("channels", spec.channels, theirs.channels)
  names = folder.phase.data.get("class_names")
  if folder.finished:
    names = folder.result().get("class_names") or names
  if class_names is None or names == list(class_names):
    return None
  if names is None:
    require("data set", spec.name, theirs.name)
    return None
  missing = sorted(set(class_names) - set(names))
  if missing or len(set(names)) < len(names):
    raise ConfigError(
      f"the teacher {folder.path} was trained on other classes than those of {spec.name}; it has "
      f"no {', '.join(map(repr, missing[:5])) or 'unique names'}"
    )
  return tuple(names.index(name) for name in class_names)
