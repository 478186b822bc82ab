"""Every row of the tables: which phases it has, and which loss each uses.

A row is a function from a config and a seed to the phase of its student, which
holds its teachers.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import ml_collections
from flax import nnx

from jaxkd import data, models
from jaxkd.common.files import file_hash
from jaxkd.runs.store import Phase, PhaseFolder

Row = Callable[[ml_collections.ConfigDict, int], Phase]


def network(phase: Phase, spec: data.Spec) -> models.Network:
  """Makes the phase's network, initialised under its seed.

  Raises:
    ValueError: the network can't be made for the data set; see
      `models.create`.
  """
  return create(phase.network, spec, nnx.Rngs(phase.seed))


def create(options: Mapping[str, Any], spec: data.Spec, rngs: nnx.Rngs) -> models.Network:
  """Makes the network that a phase's `network` describes; see `network`."""
  return models.create(
    options["name"],
    num_classes=spec.num_classes,
    image_size=spec.image_size,
    in_channels=spec.channels,
    dtype=jnp.dtype(options["dtype"]),
    rngs=rngs,
    **options["options"],
  )


# Options that a loss has only where they differ: they are younger than phases
# that are kept.
_UNSAID: Mapping[str, Mapping[str, Any]] = {
  "kd": {"weight": 1.0},
  "sckd": {"standardize": False},
  "fgcr": {"standardize": False},
  "dkd": {"standardize": False},
  "multi": {"standardize": False},
}


def _phase(
  config: ml_collections.ConfigDict,
  network: ml_collections.ConfigDict,
  seed: int,
  loss: str,
  teachers: tuple[Phase, ...] = (),
  **changes: Any,
) -> Phase:
  """Returns a phase; `changes` are to the options of its loss."""
  options = config[loss].to_dict() if loss in config else {}
  # What only says who teaches or learns is in the teachers and the network.
  for key in ("network", "networks", "init_from"):
    options.pop(key, None)
  for key, value in _UNSAID.get(loss, {}).items():
    if options[key] == value:
      del options[key]
  # 1 and 1.0 are the same temperature, and the same phase.
  for key in ("grid", "weights"):
    if key in options:
      options[key] = tuple(map(float, options[key]))
  initial = {}
  if network.init_from:
    initial = {"init_from": file_hash(network.init_from)}
  return Phase(
    data=data_of(config, seed),
    network={
      "name": network.name,
      "dtype": config.dtype,
      "options": network.options.to_dict(),
      **initial,
    },
    optim={
      **config.optim.to_dict(),
      "epochs": network.epochs,
      "learning_rate": network.learning_rate,
    },
    loss={"name": loss, **options, **changes},
    seed=seed,
    teachers=teachers,
  )


def data_of(config: ml_collections.ConfigDict, seed: int) -> dict[str, Any]:
  """Returns the `data` of the config's phase of a seed."""
  options = {"name": config.data.name, "batch_size": config.data.batch_size}
  name, data_dir = config.data.name, config.data.data_dir
  if name == "folder":
    options["num_classes"] = data.find(name, data_dir).num_classes
  if content := data.content(name, data_dir):
    options["content"] = content
  if config.data.validation:
    options["validation"] = config.data.validation
  if config.data.train_share < 1:
    options["train_share"] = config.data.train_share
  if config.data.seed not in (None, seed):
    options["seed"] = config.data.seed
  return options


def spec_of(phase: Phase) -> data.Spec:
  """Returns what a phase was trained on; the images themselves may be away.

  Raises:
    DataError: there is no such data set.
  """
  if "num_classes" in phase.data:
    return data.specs.folder(phase.data["num_classes"])
  return data.find(phase.data["name"])


def teacher(config: ml_collections.ConfigDict) -> Phase:
  """The large teacher, trained with cross entropy, or a given one."""
  if config.teacher.checkpoint:
    return PhaseFolder.open(config.teacher.checkpoint).phase
  return _phase(config, config.teacher, config.teacher.seed, "cross_entropy")


def small_teacher(config: ml_collections.ConfigDict) -> Phase:
  """The small teacher, trained with cross entropy."""
  small = config.small_teacher
  return _phase(config, small, small.seed, "cross_entropy")


TEACHERS = ("teacher", "small_teacher")
"""The sections that `takd.assistants` and `multi.networks` may name."""


def _network(
  config: ml_collections.ConfigDict,
  name: str,
  init_from: str,
  sections: tuple[str, ...] = TEACHERS,
) -> ml_collections.ConfigDict:
  """Returns the options of a network that a row names.

  Args:
    config: the experiment.
    name: one of `sections`, or a network. What one of the sections has is as
      that section says; any other is trained as the first of them.
    init_from: file of weights; empty: what the section says, or random.
    sections: of the config, each of a network.
  """
  for section in sections:
    if name in (section, config[section].name):
      network = config[section].copy_and_resolve_references()
      break
  else:
    network = config[sections[0]].copy_and_resolve_references()
    network.name, network.options = name, ml_collections.ConfigDict()
    network.init_from = ""
  if init_from:
    network.init_from = init_from
  return network


def _networks(
  config: ml_collections.ConfigDict, names: Sequence[str], files: Sequence[str]
) -> list[ml_collections.ConfigDict]:
  """Returns the options of networks with their files of weights, if any."""
  files = files or ("",) * len(names)
  return [_network(config, *pair) for pair in zip(names, files, strict=True)]


def _assistants(
  config: ml_collections.ConfigDict,
) -> list[ml_collections.ConfigDict]:
  return _networks(config, config.takd.assistants, config.takd.init_from)


def _several(
  config: ml_collections.ConfigDict,
) -> list[ml_collections.ConfigDict]:
  return _networks(config, config.multi.networks, config.multi.init_from)


def _residual(
  config: ml_collections.ConfigDict,
) -> ml_collections.ConfigDict:
  options = config.reskd
  name = options.network or "student"
  return _network(config, name, options.init_from, ("student",))


def from_weights(
  config: ml_collections.ConfigDict,
) -> list[tuple[str, ml_collections.ConfigDict]]:
  """Returns the networks that start from files, once each.

  Each comes after the option that says so.
  """
  networks = [(name, config[name]) for name in (*TEACHERS, "student")]
  networks += [("takd", network) for network in _assistants(config)]
  networks += [("multi", network) for network in _several(config)]
  networks += [("reskd", _residual(config))]
  found: dict[str, tuple[str, ml_collections.ConfigDict]] = {}
  for section, network in networks:
    if network.init_from:
      found.setdefault(network.to_json(), (f"{section}.init_from", network))
  return list(found.values())


def _taught(loss: str, summary: str) -> Row:
  """Returns the row of a loss that the large teacher alone teaches with."""

  def row(config: ml_collections.ConfigDict, seed: int) -> Phase:
    return _phase(config, config.student, seed, loss, (teacher(config),))

  row.__doc__ = summary
  return row


def _by_kd(config: ml_collections.ConfigDict, seed: int, last: Phase, **changes: Any) -> Phase:
  return _phase(config, config.student, seed, "kd", (last,), **changes)


def nokd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """The student alone."""
  return _phase(config, config.student, seed, "cross_entropy")


def stkd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the small teacher."""
  return _by_kd(config, seed, small_teacher(config))


def shortened(phase: Phase, share: float) -> Phase:
  """Returns the phase that trains for a share of the epochs."""
  epochs = share * phase.optim["epochs"]
  return dataclasses.replace(phase, optim={**phase.optim, "epochs": epochs})


def eskd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the large teacher, stopped early; and, if wanted, ended early."""
  early = shortened(teacher(config), config.eskd.teacher_epochs)
  return _by_kd(config, seed, early, until=config.eskd.until)


def takd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD through assistants, each distilled from the one before."""
  last = teacher(config)
  for network in _assistants(config):
    last = _phase(config, network, network.seed, "kd", (last,))
  return _by_kd(config, seed, last)


def regt(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from a teacher that was regularised in its training."""
  last = _phase(config, config.teacher, config.teacher.seed, "regt")
  return _by_kd(config, seed, last)


def reskd(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD, and a residual student that fits what is left; their sum predicts."""
  large = teacher(config)
  base = _by_kd(config, seed, large)
  # Of the same network it would start where its base did.
  own_seed = (seed + 2**31) % 2**32
  return _phase(config, _residual(config), own_seed, "reskd", (large, base))


def multi(config: ml_collections.ConfigDict, seed: int) -> Phase:
  """KD from the weighted mean of several teachers' labels.

  And, if wanted, a contrastive term on their features.
  """
  teachers = tuple(
    teacher(config)
    if network == config.teacher
    else _phase(config, network, network.seed, "cross_entropy")
    for network in _several(config)
  )
  changes: dict[str, Any] = {"contrast": None}
  if config.multi.contrast:
    changes["contrast"] = {
      **config.crd.to_dict(),
      "weight": config.multi.contrast,
    }
  if config.multi.student_tau is None:
    changes["student_tau"] = config[config.multi.label].student_tau
  return _phase(config, config.student, seed, "multi", teachers, **changes)


ENSEMBLE = "+ens"
"""Ends the name of a row whose students, one a seed, predict together."""


def phases(config: ml_collections.ConfigDict, row: str) -> tuple[Phase, ...]:
  """Returns the phases of a row's students, one for each seed."""
  row = row.removesuffix(ENSEMBLE)
  own = of_row(config, row)
  return tuple(ROWS[row](own, seed) for seed in config.seeds)


def of_row(config: ml_collections.ConfigDict, row: str) -> ml_collections.ConfigDict:
  """Returns the config as a row sees it: with what was tuned for it alone."""
  if row not in config.tuned:
    return config
  own = config.copy_and_resolve_references()
  own.update(config.tuned[row])
  return own


ROWS: Mapping[str, Row] = {
  # The paper's, in its order.
  "nokd": nokd,
  "stkd": stkd,
  "kd": _taught("kd", "KD from the large teacher."),
  "eskd": eskd,
  "takd": takd,
  "sckd": _taught("sckd", "KD where gradients agree."),
  "dist": _taught("dist", "Relations between and within classes."),
  "ats": _taught("ats", "KD with asymmetric temperatures."),
  "fgcr": _taught("fgcr", "KD with fused global class relations."),
  "regt": regt,
  "isats": _taught("isats", "KD with temperatures of each instance."),
  "reskd": reskd,
  # What the toolkits have.
  "dkd": _taught("dkd", "Decoupled KD."),
  "rkd": _taught("rkd", "Distances and angles of features."),
  "at": _taught("at", "Attention maps of all stages."),
  "fitnet": _taught("fitnet", "The features of a stage, regressed."),
  "crd": _taught("crd", "Embeddings, contrasted with other classes'."),
  "multi": multi,
}
