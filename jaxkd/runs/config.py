"""The configuration: every option with its default, and what it may be."""

import functools
import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from flax import nnx
from ml_collections import config_dict

from jaxkd import data, losses, models
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest
from jaxkd.methods import objectives
from jaxkd.models import Outputs, weights
from jaxkd.runs import rows
from jaxkd.runs.store import Phase, PhaseFolder, StoreError


def default() -> ml_collections.ConfigDict:
  """Returns all options; `configs/` has the values that experiments use.

  Everything but `run`, `rows`, `seeds`, `title`, `paper` and `data.data_dir`
  determines what is trained, so a change trains anew, beside what there is.
  """
  config = ml_collections.ConfigDict()
  config.title = "untitled"
  # Rows of the table, in its order: keys of `rows.ROWS`, with `+ens` for
  # students that predict together.
  config.rows = ("nokd", "kd", "ats", "isats")
  # Each row's student is trained once for each seed.
  config.seeds = (0,)
  # How many students predict together in a row with `+ens`, as in the paper:
  # the first two seeds', the next two seeds', and so on.
  config.ensemble = 2
  # Test accuracy (%) in the paper, by row; shown as long as data and networks
  # are those that it belongs to.
  config.paper = ml_collections.ConfigDict()
  config.paper.accuracies = ml_collections.ConfigDict()
  config.paper.data, config.paper.teacher, config.paper.student = "", "", ""
  # Compute dtype of the networks, 'float32' or 'bfloat16'; parameters and
  # statistics are float32.
  config.dtype = "float32"

  config.data = ml_collections.ConfigDict()
  config.data.name = "digits"
  config.data.batch_size = 128
  # The share of the training split that is kept from training and evaluated
  # instead of the test split, for whatever is tuned.
  config.data.validation = 0.0
  # The share of the rest that is trained on, of each class alike.
  config.data.train_share = 1.0
  # Of the order of the examples and of augmentation; None: each network's own.
  # Students that share it can share a teacher's forward pass.
  config.data.seed = config_dict.placeholder(int)
  # Where TFDS keeps its data; empty: where TFDS says. For 'folder', the folder
  # of train/<class>/ and test/<class>/.
  config.data.data_dir = ""

  config.teacher = network("resnet20")
  # Folder of a finished phase to teach instead; empty: train the teacher.
  config.teacher.checkpoint = ""
  # For the row stkd.
  config.small_teacher = network("resnet14")
  config.student = network("resnet8", seeded=False)

  # The authors' recipe; warmup and milestones are fractions of the run.
  config.optim = ml_collections.ConfigDict()
  config.optim.momentum = 0.9
  config.optim.weight_decay = 5e-4
  config.optim.warmup = 5 / 240
  config.optim.milestones = (150 / 240, 180 / 240, 210 / 240)
  config.optim.decay = 0.1

  # By row, what holds for it alone, before the sections below that rows share:
  # the choices of `jaxkd.tune`.
  config.tuned = ml_collections.ConfigDict()

  # What follows has the options of the objectives of the same name.

  # The paper and the authors' code leave open which tau and lam plain KD has;
  # 4 is the field's default, 0.5 what the code uses for ATS. The other methods
  # of the paper have the same where nothing else is said.
  config.kd = ml_collections.ConfigDict()
  config.kd.lam = 0.5
  config.kd.tau = 4.0
  # The student's temperature; None: tau, as in Eq. 2. The soft term is
  # multiplied by its square, so it weighs lam * 4**2 = 8 in kd, sckd, fgcr and
  # what else is taught by kd; in ats and isats, where it is 1 as in the
  # authors' code, it weighs 0.5. These rows differ in more than the teacher's
  # label; to compare labels alone, set it to 1 (or 4) for all.
  config.kd.student_tau = config_dict.placeholder(float)
  # Compare z-scores of the logits instead of the logits. The original then has
  # tau 2, and 9 times the soft term beside 0.1 of the cross entropy: lam 0.9
  # and weight 10, as in configs/cifar100_kd_ls.py. Of the other rows that have
  # this switch it has dkd, with tau 2 and 9 times both alpha and beta.
  config.kd.standardize = False
  # Of the soft term, times lam.
  config.kd.weight = 1.0
  # The share of the run after which the labels alone teach.
  config.kd.until = 1.0

  # The original's early stop; the paper doesn't say when it stops. The share of
  # the teacher's epochs, and `kd.until` of this row.
  config.eskd = ml_collections.ConfigDict()
  config.eskd.teacher_epochs = 1 / 3
  config.eskd.until = 1.0

  # Networks between teacher and student, the largest first; the paper doesn't
  # say which it has. 'teacher' and 'small_teacher', or what these are called,
  # stand for all that their sections have; another is trained as the teacher
  # is, but from random weights.
  config.takd = ml_collections.ConfigDict()
  config.takd.assistants = ("resnet14",)
  # Files of weights to start from instead, one for each, '' for none; empty:
  # none at all.
  config.takd.init_from = ()

  # KD where the inner product of its gradient and the cross entropy's is not
  # negative. Gradients are those in the student's logits, as they cost nothing,
  # not those in its parameters.
  config.sckd = ml_collections.ConfigDict()
  config.sckd.lam = 0.5
  config.sckd.tau = 4.0
  config.sckd.student_tau = config_dict.placeholder(float)
  # 'sample' decides for each example; 'batch' by the sum of the products over
  # the batch, for all of it, which is nearer to the original's decision in each
  # step; the paper is silent on it. Where KD is dropped, the cross entropy
  # keeps its weight, 1 - lam.
  config.sckd.per = "sample"
  config.sckd.standardize = False

  # Values of the original for CIFAR-100; on ImageNet all three are 1.
  config.dist = ml_collections.ConfigDict()
  config.dist.beta = 2.0
  config.dist.gamma = 2.0
  config.dist.tau = 4.0

  # tau1 - tau2 in [1, 2] is recommended; the authors search tau1 in 1..6, tau2
  # in 1..5, and don't say what they found. The student's temperature is 1 in
  # their code; see kd.student_tau for what that means.
  config.ats = ml_collections.ConfigDict()
  config.ats.lam = 0.5
  config.ats.tau1 = 4.0
  config.ats.tau2 = 3.0
  config.ats.student_tau = 1.0
  config.ats.standardize = False

  # The paper's grid and gap; the rest as in ats.
  config.isats = ml_collections.ConfigDict()
  config.isats.lam = 0.5
  config.isats.grid = losses.ISATS_GRID
  config.isats.gap = 1.0
  config.isats.student_tau = 1.0
  config.isats.standardize = False

  # alpha is 0.1 or 0.5 in the paper, which doesn't say where.
  config.fgcr = ml_collections.ConfigDict()
  config.fgcr.lam = 0.5
  config.fgcr.tau = 4.0
  config.fgcr.alpha = 0.5
  config.fgcr.student_tau = config_dict.placeholder(float)
  config.fgcr.standardize = False

  # beta is 0.01 or 0.001 in the paper, which doesn't say where.
  config.regt = ml_collections.ConfigDict()
  config.regt.beta = 0.01

  # lam weighs the gap's mean squared error against the cross entropy of the
  # sum; the paper doesn't say how much.
  config.reskd = ml_collections.ConfigDict()
  config.reskd.lam = 0.5
  # The residual's network; empty: the student's, but under a seed of its own.
  # The original has a much smaller one (arXiv 2006.04719); the paper doesn't
  # say what it has. Another network is trained as the student is, but from
  # random weights, or from those of a file.
  config.reskd.network = ""
  config.reskd.init_from = ""

  # Values of the originals. DKD's beta depends on the pair there: 2 for ResNets
  # on CIFAR, 6 for VGGs and WRNs, 8 for most others. Its warm-up is 20 of 240
  # epochs.
  config.dkd = ml_collections.ConfigDict()
  config.dkd.alpha = 1.0
  config.dkd.beta = 8.0
  config.dkd.tau = 4.0
  config.dkd.warmup = 20 / 240
  config.dkd.standardize = False

  config.rkd = ml_collections.ConfigDict()
  config.rkd.distance = 25.0
  config.rkd.angle = 50.0

  # The toolkits' weight, of the sum over all stages that both networks have.
  config.at = ml_collections.ConfigDict()
  config.at.weight = 1000.0

  # The toolkits' weight and stage, which is the second, counted from 0.
  config.fitnet = ml_collections.ConfigDict()
  config.fitnet.weight = 100.0
  config.fitnet.stage = 1

  # Values of the original. The length of the embeddings, and of the memory that
  # has the negatives; the original draws as many from a memory of all examples.
  config.crd = ml_collections.ConfigDict()
  config.crd.weight = 0.8
  config.crd.features = 128
  config.crd.negatives = 16384
  config.crd.tau = 0.07

  # Several teachers' labels: of 'kd' at tau, or of 'isats'. Networks and files
  # are named as in takd; the values are kd's, and isats's grid and gap.
  config.multi = ml_collections.ConfigDict()
  config.multi.networks = ("teacher", "small_teacher")
  config.multi.init_from = ()
  config.multi.weights = (1.0, 1.0)
  config.multi.label = "kd"
  config.multi.lam = 0.5
  config.multi.tau = 4.0
  # None: as the row of the label has it.
  config.multi.student_tau = config_dict.placeholder(float)
  config.multi.grid = losses.ISATS_GRID
  config.multi.gap = 1.0
  config.multi.standardize = False
  # The weight of a contrastive term with each teacher, with the options of crd,
  # averaged as the labels are.
  config.multi.contrast = 0.0

  # How a run is carried out; no result depends on it beyond rounding.
  config.run = ml_collections.ConfigDict()
  config.run.eval_every_epochs = 1.0
  config.run.checkpoint_every_steps = 500
  config.run.keep_checkpoints = 2
  # Steps in one call of the device; 0: 1 on CPUs, 50 elsewhere.
  config.run.steps_per_dispatch = 0
  # Students of a teacher that train in one step, with one forward pass of the
  # teacher; each takes the memory that it takes alone.
  config.run.cohort = 1
  # 'resident' keeps the data on the devices, 'streamed' decodes as it goes;
  # 'auto' keeps up to resident_gib there.
  config.run.loader = "auto"
  config.run.resident_gib = data.RESIDENT_GIB
  # Processes that decode what is streamed; 0: one for each core, 16 at most.
  config.run.workers = 0
  return config.lock()


def network(name: str, *, seeded: bool = True) -> ml_collections.ConfigDict:
  """Returns the options of one network."""
  config = ml_collections.ConfigDict()
  config.name = name
  # Further arguments of `models.create`.
  config.options = ml_collections.ConfigDict()
  config.epochs = 240.0
  config.learning_rate = 0.05
  # File of weights to start from, which `jaxkd.convert` reads; empty: random.
  config.init_from = ""
  if seeded:
    config.seed = 0
  return config


def validate(config: ml_collections.ConfigDict) -> None:
  """Checks every option before any work.

  Raises:
    ConfigError: naming the first option that is wrong, what it is and what it
      may be.
  """
  _check_names(config)
  _check_numbers(config)
  for row in config.tuned:
    _check_numbers(rows.of_row(config, row))
  _check_networks(config)


def _require(ok: bool, option: str, value: Any, allowed: str) -> None:
  if not ok:
    raise ConfigError(f"config.{option} is {value!r}, must be {allowed}")


def _single(names: Iterable[str]) -> list[str]:
  """Returns the rows of which each student predicts alone."""
  return [name.removesuffix(rows.ENSEMBLE) for name in names]


def _require_name(option: str, name: str, names: Iterable[str]) -> None:
  _require(name in names, option, name, nearest(name, names))


def _check_names(config: ml_collections.ConfigDict) -> None:
  _require(bool(config.rows), "rows", config.rows, "one row or more")
  for option, names in (
    ("rows", config.rows),
    ("paper", config.paper.accuracies),
  ):
    for row, single in zip(names, _single(names), strict=True):
      _require(single in rows.ROWS, option, row, nearest(row, rows.ROWS))
  for row in config.tuned:
    _require_name("tuned", row, rows.ROWS)
  for row in ("eskd", "regt"):
    _require(
      row not in _single(config.rows) or not config.teacher.checkpoint,
      "rows",
      config.rows,
      f"without {row} where teacher.checkpoint is given: {row} trains its own",
    )
  _require(
    re.fullmatch(r"[\w.-]+", config.title) is not None and config.title.strip("."),
    "title",
    config.title,
    "letters, digits, _, . and -: it names a folder",
  )
  _require(config.ensemble > 1, "ensemble", config.ensemble, "2 or more")
  _require(
    len(config.seeds) % config.ensemble == 0
    or not any(row.endswith(rows.ENSEMBLE) for row in config.rows),
    "seeds",
    config.seeds,
    f"as many as fill ensembles of {config.ensemble} (config.ensemble) for "
    f"rows that end in {rows.ENSEMBLE!r}",
  )
  for option, values in (("rows", config.rows), ("seeds", config.seeds)):
    unique = len(set(values)) == len(values)
    _require(unique, option, values, "without repetitions")
  _require(
    bool(config.seeds) and all(type(seed) is int and 0 <= seed < 2**32 for seed in config.seeds),
    "seeds",
    config.seeds,
    "one integer or more in [0, 2**32)",
  )
  _require_name("dtype", config.dtype, ("float32", "bfloat16"))
  try:
    data.find(config.data.name, config.data.data_dir)
  except data.DataError as error:
    raise ConfigError(f"config.data.name: {error}") from error
  _require_name("sckd.per", config.sckd.per, ("sample", "batch"))
  known = models.list_models()
  for section in ("teacher", "small_teacher", "student"):
    _require_name(f"{section}.name", config[section].name, known)
  for option, names in (
    ("takd.assistants", config.takd.assistants),
    ("multi.networks", config.multi.networks),
  ):
    for name in names:
      _require_name(option, name, (*rows.TEACHERS, *known))
    section = option.partition(".")[0]
    files = config[section].init_from
    _require(
      len(files) in (0, len(names)) and all(type(f) is str for f in files),
      f"{section}.init_from",
      files,
      f"(), or {len(names)} files, one for each of {option}, '' for none",
    )
  if config.reskd.network:
    _require_name("reskd.network", config.reskd.network, known)
  _require_name("multi.label", config.multi.label, ("kd", "isats"))
  _require_name("run.loader", config.run.loader, data.LOADERS)


def _check_numbers(config: ml_collections.ConfigDict) -> None:
  def number(option, ok, allowed):
    value = config
    for key in option.split("."):
      value = value[key]
    finite = isinstance(value, int | float) and math.isfinite(value)
    _require(finite and ok(value), option, value, allowed)

  def numbers(*options):
    for option in options:
      section, key = option.split(".")
      values = config[section][key]
      _require(
        all(isinstance(v, int | float) for v in values),
        option,
        values,
        "numbers",
      )

  def positive(*options):
    for option in options:
      number(option, lambda v: v > 0, "> 0")

  def not_negative(*options):
    for option in options:
      number(option, lambda v: v >= 0, ">= 0")

  def fraction(*options):
    for option in options:
      number(option, lambda v: 0 <= v <= 1, "in [0, 1]")

  number("data.validation", lambda v: 0 <= v < 1, "in [0, 1)")
  number("data.train_share", lambda v: 0 < v <= 1, "in (0, 1]")
  if config.data.seed is not None:
    number("data.seed", lambda v: 0 <= v < 2**32, "in [0, 2**32)")
  devices = jax.device_count()
  number(
    "data.batch_size",
    lambda v: v > 0 and v % devices == 0,
    f"a positive multiple of the number of devices, {devices}",
  )
  for section in ("teacher", "small_teacher", "student"):
    positive(f"{section}.epochs", f"{section}.learning_rate")
  for section in ("teacher", "small_teacher"):
    number(f"{section}.seed", lambda v: 0 <= v < 2**32, "in [0, 2**32)")

  number("optim.momentum", lambda v: 0 <= v < 1, "in [0, 1)")
  not_negative("optim.weight_decay")
  number("optim.warmup", lambda v: 0 <= v < 1, "in [0, 1)")
  number("optim.decay", lambda v: 0 < v <= 1, "in (0, 1]")
  numbers("optim.milestones", "isats.grid", "multi.grid", "multi.weights")
  ends = (config.optim.warmup, *config.optim.milestones, 1.0)
  _require(
    all(a < b for a, b in itertools.pairwise(ends)),
    "optim.milestones",
    config.optim.milestones,
    f"ascending in ({config.optim.warmup:g}, 1): after the warm-up",
  )

  fraction("fgcr.alpha")
  fraction("reskd.lam", "kd.until", "eskd.until", "dkd.warmup")
  for section in ("kd", "sckd", "ats", "isats", "fgcr", "multi"):
    fraction(f"{section}.lam")
    if config[section].student_tau is not None:
      positive(f"{section}.student_tau")
  positive("kd.tau", "sckd.tau", "dist.tau", "ats.tau1", "ats.tau2")
  positive("dkd.tau", "multi.tau", "crd.features", "crd.negatives", "crd.tau")
  number("fgcr.tau", lambda v: v > 1, "> 1: class means are taken at tau - 1")
  not_negative("dist.beta", "dist.gamma", "regt.beta", "isats.gap")
  not_negative("kd.weight", "multi.gap", "dkd.alpha", "dkd.beta", "at.weight")
  not_negative("fitnet.weight", "rkd.distance", "rkd.angle", "crd.weight")
  not_negative("multi.contrast")
  for section in ("isats", "multi"):
    grid = config[section].grid
    _require(
      bool(grid) and all(0 < tau < math.inf for tau in grid),
      f"{section}.grid",
      grid,
      "one temperature > 0 or more",
    )
  weights, count = config.multi.weights, len(config.multi.networks)
  _require(
    len(weights) == count > 0 and all(0 < w < math.inf for w in weights),
    "multi.weights",
    weights,
    f"{count} numbers > 0, one for each of multi.networks",
  )
  number("eskd.teacher_epochs", lambda v: 0 < v <= 1, "in (0, 1]")

  positive("run.eval_every_epochs", "run.checkpoint_every_steps")
  positive("run.keep_checkpoints", "run.cohort")
  not_negative("run.steps_per_dispatch", "run.workers")


def _check_networks(config: ml_collections.ConfigDict) -> None:
  """Builds every network that the rows need, without its arrays."""
  spec = data.find(config.data.name, config.data.data_dir)
  for option, network in rows.from_weights(config):
    _check_weights(option, network, spec)
  if config.teacher.checkpoint:
    _check_teacher(config.teacher.checkpoint, spec)
    _require(
      "multi" not in _single(config.rows)
      or rows.teacher(config) in rows.phases(config, "multi")[0].teachers,
      "multi.networks",
      config.multi.networks,
      "with 'teacher' where teacher.checkpoint is given",
    )
  outputs: dict[Phase, Outputs] = {}
  for row in config.rows:
    for phase in rows.phases(config, row)[0].with_teachers():
      if phase in outputs:
        continue
      network = phase.network["name"]
      try:
        outputs[phase] = _outputs(_json(phase), spec)
      except (TypeError, ValueError) as error:
        raise ConfigError(f"network {network!r} on {spec.name}: {error}") from error
      try:
        _trace_loss(phase, outputs, spec.num_classes)
      except (TypeError, ValueError) as error:
        raise ConfigError(
          f"loss {phase.loss['name']!r} with student {network!r}: {error}"
        ) from error
  if "takd" in _single(config.rows):
    _check_assistants(config, spec)


def _check_assistants(config: ml_collections.ConfigDict, spec: data.Spec) -> None:
  """Makes sure that no assistant is larger than the network it learns from."""

  def require(ok, allowed):
    _require(ok, "takd.assistants", config.takd.assistants, allowed)

  require(bool(config.takd.assistants), "one network or more for the row takd")
  phase, *_ = rows.phases(config, "takd")
  for _ in config.takd.assistants:
    (phase,) = phase.teachers
    (teacher,) = phase.teachers
    own, theirs = (_parameters(_json(p), spec) for p in (phase, teacher))
    require(
      own <= theirs,
      "networks no larger than what they learn from: "
      f"{phase.network['name']} has {own:,} parameters, "
      f"{teacher.network['name']} has {theirs:,}",
    )


def _json(phase: Phase) -> str:
  """Returns `phase.network` as JSON."""
  return json.dumps(phase.network, sort_keys=True)


@functools.cache
def _parameters(network: str, spec: data.Spec) -> int:
  """Returns how many parameters a network has; see `_outputs`."""
  model = nnx.eval_shape(lambda: rows.create(json.loads(network), spec, nnx.Rngs(0)))
  return sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param)))


@functools.cache
def _outputs(network: str, spec: data.Spec) -> Outputs:
  """Returns the shapes of what a network gives for one image.

  Args:
    network: `Phase.network` as JSON.
    spec: the data set.
  """
  shape = (1, spec.image_size, spec.image_size, spec.channels)

  def outputs():
    model = rows.create(json.loads(network), spec, nnx.Rngs(0))
    return model.outputs(jnp.zeros(shape))

  return nnx.eval_shape(outputs)


def _trace_loss(phase: Phase, outputs: Mapping[Phase, Outputs], num_classes: int) -> None:
  """Evaluates a phase's loss on shapes."""
  objective = objectives.objective(phase.loss)

  def loss(student, teachers, labels):
    constants = objective.prepare and objective.prepare(
      [teacher.logits for teacher in teachers], labels, labels >= 0, num_classes
    )
    adapter = objective.adapter and objective.adapter(student, teachers, nnx.Rngs(0))
    return objective.loss(objectives.View(student, teachers, labels, constants, 0.0, adapter))

  jax.eval_shape(
    loss,
    outputs[phase],
    tuple(outputs[teacher] for teacher in phase.teachers),
    jax.ShapeDtypeStruct((1,), jnp.int32),
  )


def _check_weights(option: str, network: ml_collections.ConfigDict, spec: data.Spec) -> None:
  try:
    options = {
      "name": network.name,
      "dtype": "float32",
      "options": network.options.to_dict(),
    }
    model = nnx.eval_shape(lambda: rows.create(options, spec, nnx.Rngs(0)))
    weights.from_torch(model, weights.read(network.init_from))
  except (OSError, TypeError, ValueError) as error:
    raise ConfigError(f"config.{option}: {error}") from error


def _check_teacher(path: str, spec: data.Spec) -> None:
  try:
    phase = PhaseFolder.open(path).phase
    theirs = rows.spec_of(phase)
  except (data.DataError, StoreError) as error:
    raise ConfigError(f"config.teacher.checkpoint: {error}") from error
  predict = objectives.objective(phase.loss).predict
  _require(
    predict is objectives.own_logits,
    "teacher.checkpoint",
    path,
    "of a network that predicts alone, not with others",
  )
  for what in ("num_classes", "image_size", "channels"):
    wanted, got = getattr(spec, what), getattr(theirs, what)
    _require(
      wanted == got,
      "teacher.checkpoint",
      path,
      f"of a network with {what} {wanted} for {spec.name}; it was trained on "
      f"{theirs.name} with {got}",
    )
