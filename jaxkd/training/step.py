"""The pure functions of training and evaluation: state in, state out."""

import dataclasses
import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from jaxkd import data, losses, metrics
from jaxkd.common.backend import backend
from jaxkd.methods import Method, Scalars, View
from jaxkd.models import Outputs, Reused, freeze
from jaxkd.training import compilation, sharding


class Variables(NamedTuple):
  """The arrays of a network: trained ones; statistics, memories of adapters, and `Reused` ones."""

  params: nnx.State
  stats: nnx.State

  @property
  def weights(self) -> nnx.State:
    """The trained arrays and those that are `Reused`, without statistics."""
    return nnx.merge_state(self.params, nnx.filter_state(self.stats, Reused))


class Functional(NamedTuple):
  """A network without its variables, closed over by jitted functions; the step reseeds `rngs`.

  Images are resized to its `input_size`, unless that is 0.
  """

  graphdef: nnx.GraphDef
  rngs: nnx.State
  input_size: int = 0

  def module(self, variables: Variables) -> Any:
    """Merges the network with its variables, in training mode."""
    model = nnx.merge(self.graphdef, variables.params, variables.stats, self.rngs, copy=True)
    model.train()
    return model

  def apply(self, variables: Variables, images: jax.Array) -> Outputs:
    """Runs the network in evaluation mode."""
    model = self.module(variables)
    model.eval()
    return model.outputs(data.resized(images, self.input_size))

  def apply_train(
    self, variables: Variables, images: jax.Array, key: jax.Array, groups: int = 1
  ) -> tuple[Outputs, nnx.State]:
    """Runs the network in training mode; also returns the new statistics.

    With `groups` of equal size, of consecutive images, batch norm sees one group at a time. The
    statistics are the means over the groups, and each group draws its own dropout.
    """
    if groups > 1:
      grouped = images.reshape(groups, -1, *images.shape[1:])
      keys = jax.random.split(key, groups)
      outputs, each = jax.vmap(self.apply_train, in_axes=(None, 0, 0))(variables, grouped, keys)
      outputs = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), outputs)
      return outputs, jax.tree.map(_moved_by_mean, variables.stats, each)
    model = self.module(variables)
    nnx.reseed(model, dropout=key)
    outputs = model.outputs(data.resized(images, self.input_size))
    return outputs, nnx.state(model, nnx.BatchStat)


def groups_fit(examples: int, groups: int) -> bool:
  """Whether examples divide into equal groups for batch norm; a single one has no variance.

  Examples:
    >>> [groups_fit(8, groups) for groups in (1, 4, 3, 8)]
    [True, True, False, False]
  """
  return examples % groups == 0 and (groups == 1 or groups < examples)


def _moved_by_mean(old: jax.Array, each: jax.Array) -> jax.Array:
  """Returns `old`, moved by the mean change to the values of `each`; what is constant stays so.

  Counters and flags are those of the first group.
  """
  if not jnp.issubdtype(old.dtype, jnp.floating):
    return each[0]
  return old + jnp.mean(each - old[None], axis=0).astype(old.dtype)


def functional(model: nnx.Module) -> tuple[Functional, Variables]:
  """Splits a network into its static part and its variables."""
  graphdef, *states = nnx.split(model, nnx.Param, nnx.BatchStat, nnx.RngState)
  params, stats, rngs = states
  size = getattr(model, "input_size", 0)
  return Functional(graphdef, rngs, size), Variables(params, stats)


class Teaching(Protocol):
  """What teaches in a step: a network, or its predictions."""

  def apply(self, variables: Any, pixels: jax.Array) -> Outputs:
    """Returns outputs on images `[B, H, W, channels]` of uint8."""

  def targets(self, variables: Any, pixels: jax.Array, places: Any) -> Outputs:
    """Returns outputs on a training batch, whose examples have these rows and views, `[B, 2]`."""


@dataclasses.dataclass(frozen=True)
class Frozen:
  """A network that teaches: images are normalised as in its own training, by `spec`.

  `classes` has the place of each of the student's classes in its logits; None: the same order.
  """

  network: Functional
  spec: data.Spec
  classes: tuple[int, ...] | None = None

  def module(self, variables: Variables) -> Any:
    """Returns the network, with the last layer in the student's order of classes if it has one."""
    model = self.network.module(variables)
    last = getattr(model, model.classifier_name, None)
    if self.classes is not None and last is not None:
      order = np.array(self.classes)
      nnx.update(last, jax.tree.map(lambda x: x[..., order], nnx.state(last)))
    return model

  def folded(self, variables: Variables) -> tuple["Frozen", Variables]:
    """Returns a network of the same outputs with fewer kernels, and its arrays: on GPUs.

    See `models.freeze`. CPUs gain nothing by it, and TPUs were not measured.
    """
    if backend() != "gpu":
      return self, variables
    model = self.network.module(variables)
    size = self.network.input_size or self.spec.image_size
    images = jax.ShapeDtypeStruct((1, size, size, self.spec.channels), jnp.float32)
    freeze(model, images)
    network, variables = functional(model)
    network = network._replace(input_size=self.network.input_size)
    return dataclasses.replace(self, network=network), variables

  def apply(self, variables: Variables, pixels: jax.Array) -> Outputs:
    """Returns its outputs on images `[B, H, W, channels]` of uint8, in evaluation mode."""
    outputs = self.network.apply(variables, data.normalize(pixels, self.spec))
    if self.classes is None:
      return outputs
    order = np.array(self.classes)
    class_map = None if outputs.class_map is None else outputs.class_map[..., order]
    heads = tuple(logits[..., order] for logits in outputs.heads)
    return outputs._replace(logits=outputs.logits[..., order], class_map=class_map, heads=heads)

  def targets(self, variables: Variables, pixels: jax.Array, places: Any) -> Outputs:
    """Returns its outputs on the pixels of a training batch; see `recall.Recalled.targets`."""
    del places
    return self.apply(variables, pixels)


class TrainState(NamedTuple):
  """All that a checkpoint holds; `sums` are of the `steps_summed` steps since the last report.

  `bad_step` is the first step whose loss or gradient was not finite, -1 if there is none. If the
  weights are averaged, `variables` has the averages, and `live` the variables that are trained.
  """

  step: jax.Array
  variables: Variables
  adapter: Variables
  opt_state: optax.OptState
  constants: Any
  sums: Scalars
  steps_summed: jax.Array
  bad_step: jax.Array
  live: Any = ()

  def reset(self) -> "TrainState":
    """Starts new sums."""
    return self._replace(
      sums=jax.tree.map(jnp.zeros_like, self.sums), steps_summed=jnp.zeros_like(self.steps_summed)
    )


class Keys(NamedTuple):
  """The keys of augmentation and of each student's dropout; each step draws its own from them."""

  data: jax.Array
  students: tuple[jax.Array, ...]


class Pulse(NamedTuple):
  """The mean loss of all students since the last report, and the `bad_step` of each, `[S]`."""

  loss: jax.Array
  bad_steps: jax.Array


@dataclasses.dataclass(frozen=True)
class Learner:
  """The static parts of one student: its network, the module and loss of its method.

  The last four are the options of `config.optim`.
  """

  network: Functional
  adapter: Functional | None
  objective: Method
  optimizer: optax.GradientTransformation
  label_smoothing: float = 0.0
  accumulate: int = 1
  ema: float = 0.0
  batch_norm_groups: int = 1

  def init(self, variables: Variables, adapter: Variables, constants: Any) -> TrainState:
    """Returns the state before the first step; its sums are empty until `Trainer.init`."""
    step = jnp.zeros((), jnp.int32)
    return TrainState(
      step=step,
      variables=variables,
      adapter=adapter,
      opt_state=self.optimizer.init((variables.params, adapter.params)),
      constants=constants,
      sums={},
      steps_summed=jnp.zeros(()),
      bad_step=step - 1,
      # Arrays of their own, since those of a state are donated.
      live=jax.tree.map(jnp.copy, variables) if self.ema else (),
    )

  def step(
    self,
    state: TrainState,
    targets: tuple[Outputs, ...],
    images: jax.Array,
    labels: jax.Array,
    key: jax.Array,
    progress: jax.Array,
    soft_labels: jax.Array | None = None,
  ) -> tuple[TrainState, Scalars]:
    """Returns the state after a step, and the logged scalars.

    `targets` are the teachers' outputs on the images, `key` is dropout's for this step, `progress`
    the share of the training that is done; `soft_labels` are those of `View`.
    """
    live = state.live if self.ema else state.variables
    trained = live.params, state.adapter.params

    def gradients_of(all_stats, batch, key):
      terms_fn = functools.partial(self._terms, state.constants, progress, all_stats, batch, key)
      return _gradients(terms_fn, trained, self.objective.reweigh)

    batch, all_stats = (targets, images, labels, soft_labels), (live.stats, state.adapter.stats)
    if self.accumulate == 1:
      gradients, terms, (*all_stats, diagnostics) = gradients_of(all_stats, batch, key)
    else:
      gradients, terms, all_stats, diagnostics = _accumulated(
        gradients_of, all_stats, batch, key, self.accumulate
      )
    stats, adapter_stats = all_stats
    logged = {"loss": _total(terms), **terms, **diagnostics}
    updates, opt_state = self.optimizer.update(gradients, state.opt_state, trained)
    params, adapter_params = optax.apply_updates(trained, updates)
    logged["gradient_norm"] = optax.tree.norm(gradients)
    bad = ~jnp.isfinite(logged["loss"] + logged["gradient_norm"])
    first_bad = jnp.where(state.bad_step < 0, state.step, state.bad_step)
    after = Variables(params, stats)
    state = state._replace(
      step=state.step + 1,
      variables=_averaged(state.variables, after, state.step, self.ema) if self.ema else after,
      adapter=Variables(adapter_params, adapter_stats),
      opt_state=opt_state,
      bad_step=jnp.where(bad, first_bad, state.bad_step),
      live=after if self.ema else (),
    )
    return state, logged

  def _terms(
    self,
    constants: Any,
    progress: jax.Array,
    all_stats: Any,
    batch: Any,
    key: jax.Array,
    trained: Any,
  ) -> tuple[Scalars, Any]:
    """Returns the terms of the loss on a batch; beside them new statistics, and diagnostics."""
    (params, adapter_params), (stats, adapter_stats) = trained, all_stats
    targets, images, labels, soft_labels = batch
    own_key = jax.random.fold_in(key, 1)
    outputs, stats = self.network.apply_train(
      Variables(params, stats), images, key, self.batch_norm_groups
    )
    adapter = None
    if self.adapter:
      adapter = self.adapter.module(Variables(adapter_params, adapter_stats))
      nnx.reseed(adapter, dropout=own_key)
    view = View(
      student=outputs,
      teachers=targets,
      labels=labels,
      constants=constants,
      progress=progress,
      adapter=adapter,
      images=images,
      key=own_key,
      soft_labels=soft_labels,
      label_smoothing=self.label_smoothing or None,
    )
    assert self.objective.loss is not None  # methods.objective refuses such methods
    terms, diagnostics = jax.tree.map(jnp.mean, self.objective.loss(view))
    prediction = self.objective.predict(outputs, targets)
    correct = jnp.argmax(prediction, axis=-1) == labels
    diagnostics = {**diagnostics, "accuracy": jnp.mean(correct.astype(jnp.float32))}
    if adapter:
      adapter_stats = nnx.state(adapter, nnx.BatchStat)
    return terms, (stats, adapter_stats, diagnostics)


def _averaged(means: Variables, new: Variables, step: jax.Array, decay: float) -> Variables:
  """Returns the moving average after a step, in which the first steps count more."""
  time = step.astype(jnp.float32)
  new_share = 1 - jnp.minimum(decay, (1 + time) / (10 + time))

  def average(mean: jax.Array, value: jax.Array) -> jax.Array:
    if not jnp.issubdtype(value.dtype, jnp.floating):
      return value
    return mean + new_share.astype(mean.dtype) * (value - mean)

  return jax.tree.map(average, means, new)


def _accumulated(
  gradients_of: Any, all_stats: Any, batch: Any, key: jax.Array, count: int
) -> tuple[Any, Scalars, Any, Scalars]:
  """Returns means over the parts of a batch: gradients, terms, then statistics, and diagnostics.

  Each part has every `count`-th example, so that it is spread over the devices as the batch is.
  """

  def split(x: jax.Array) -> jax.Array:
    return jnp.moveaxis(x.reshape(-1, count, *x.shape[1:]), 1, 0)

  def one(all_stats, part):
    number, examples = part
    gradients, terms, rest = gradients_of(all_stats, examples, jax.random.fold_in(key, number))
    return tuple(rest[:2]), (gradients, terms, rest[2])

  def add(carry, part):
    all_stats, sums = carry
    all_stats, found = one(all_stats, part)
    return (all_stats, jax.tree.map(jnp.add, sums, found)), None

  parts = jnp.arange(count), jax.tree.map(split, batch)
  _, shapes = jax.eval_shape(one, all_stats, jax.tree.map(lambda x: x[0], parts))
  zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
  (all_stats, sums), _ = jax.lax.scan(add, (all_stats, zeros), parts)
  gradients, terms, diagnostics = jax.tree.map(lambda x: x / count, sums)
  return gradients, terms, all_stats, diagnostics


def _gradients(terms_fn: Any, trained: Any, reweigh: Any) -> tuple[Any, Scalars, Any]:
  """Returns the gradient of the loss, its terms, and what `terms_fn` returns beside them.

  `reweigh` is that of `Method`.
  """
  if reweigh is None:

    def loss_fn(trained):
      terms, rest = terms_fn(trained)
      return _total(terms), (terms, rest)

    gradients, (terms, rest) = jax.grad(loss_fn, has_aux=True)(trained)
    return gradients, terms, rest

  terms, pull_back, (*rest, diagnostics) = jax.vjp(terms_fn, trained, has_aux=True)
  zeros = jax.tree.map(jnp.zeros_like, terms)
  each = {name: pull_back({**zeros, name: jnp.ones_like(terms[name])})[0] for name in terms}
  weights, more = reweigh({name: student for name, (student, _) in each.items()})
  weighted = [optax.tree.scale(weights[name], gradients) for name, gradients in each.items()]
  gradients = functools.reduce(optax.tree.add, weighted)
  terms = {name: weights[name] * term for name, term in terms.items()}
  return gradients, terms, (*rest, {**diagnostics, **more})


def _total(terms: Scalars) -> jax.Array:
  return sum(terms.values(), start=jnp.zeros(()))


@dataclasses.dataclass(frozen=True)
class Trainer:
  """Students that train together: one forward pass of the teachers serves all of them.

  Each student ends as if trained alone. The functions are pure and made to be jitted.
  """

  learners: tuple[Learner, ...]
  teachers: tuple[Teaching, ...]
  spec: data.Spec
  batch_size: int
  total_steps: int
  mesh: jax.sharding.Mesh
  augmentation: data.Augmentation = data.UNCHANGED
  views: int = 0  # of an example; 0: each step draws its own augmentation

  def init(
    self, states: tuple[TrainState, ...], teachers: tuple[Variables, ...]
  ) -> tuple[TrainState, ...]:
    """Completes the learners' first states by zero sums of all scalars that a step logs."""
    whole, split = sharding.replicated(self.mesh), sharding.split_batch(self.mesh)

    def abstract(x: Any) -> jax.ShapeDtypeStruct:
      own = jax.typeof(x)
      return jax.ShapeDtypeStruct(own.shape, own.dtype, sharding=whole, weak_type=own.weak_type)

    def batch(dtype: Any, *shape: int) -> jax.ShapeDtypeStruct:
      return jax.ShapeDtypeStruct((self.batch_size, *shape), dtype, sharding=split)

    size = self.spec.stored_size
    key: Any = abstract(jax.random.key(0))
    # The types of `train_steps`, which takes the trace of the step from here.
    _, logged = jax.eval_shape(
      self._step,
      jax.tree.map(abstract, states),
      jax.tree.map(abstract, teachers),
      Keys(key, (key,) * len(states)),
      batch(jnp.uint8, size, size, self.spec.channels),
      batch(jnp.int32),
      None,
      batch(jnp.int32, 2) if self.views else None,
    )
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), logged)
    return tuple(state._replace(sums=sums) for state, sums in zip(states, zeros, strict=True))

  @functools.cached_property
  def _step(self) -> Any:
    return compilation.traced_once(self.train_step)

  def train_step(
    self,
    states: tuple[TrainState, ...],
    teachers: tuple[Variables, ...],
    keys: Keys,
    images: jax.Array,
    labels: jax.Array,
    sizes: jax.Array | None = None,
    places: jax.Array | None = None,
  ) -> tuple[tuple[TrainState, ...], tuple[Scalars, ...]]:
    """One step on a batch, whose fields are those of `data.Arrays`, with images `[B, S, S, C]`."""
    step = states[0].step
    soft = None
    if places is None:
      augment_key, _ = _step_keys(keys.data, step)
      pixels = data.augment(images, self.spec, augment_key, sizes)
      pixels, labels, soft = self.augmentation(pixels, labels, self.spec, augment_key)
    else:
      pixels = data.augment_views(images, self.spec, keys.data, places, sizes, self.augmentation)
    targets = tuple(
      teacher.targets(variables, pixels, places)
      for teacher, variables in zip(self.teachers, teachers, strict=True)
    )
    images = data.normalize(pixels, self.spec)
    progress = step.astype(jnp.float32) / self.total_steps
    stepped = [
      learner.step(state, targets, images, labels, _step_keys(key, step)[1], progress, soft)
      for learner, state, key in zip(self.learners, states, keys.students, strict=True)
    ]
    after, logged = zip(*stepped, strict=True)
    return after, logged

  def train_steps(
    self,
    states: tuple[TrainState, ...],
    teachers: tuple[Variables, ...],
    keys: Keys,
    source: data.TrainSource,
    num_steps: jax.Array | None = None,
  ) -> tuple[tuple[TrainState, ...], Pulse]:
    """Runs `num_steps` steps, or one without a loop, on the source's batches.

    A loop whose length is an argument compiles once, and is bit-identical in any division.
    """
    whole = sharding.replicated(self.mesh)

    def body(_, states):
      images, labels, sizes, places = jax.lax.with_sharding_constraint(
        data.batch_at(source, states[0].step, self.batch_size), sharding.split_batch(self.mesh)
      )
      images = as_images(images, self.spec)
      bare = tuple(state._replace(sums={}) for state in states)
      after, logged = self._step(bare, teachers, keys, images, labels, sizes, places)
      states = tuple(
        new._replace(
          sums=jax.tree.map(jnp.add, old.sums, scalars), steps_summed=old.steps_summed + 1
        )
        for old, new, scalars in zip(states, after, logged, strict=True)
      )
      # This includes the memories of adapters, which come from the batch.
      return jax.lax.with_sharding_constraint(states, whole)

    states = body(0, states) if num_steps is None else jax.lax.fori_loop(0, num_steps, body, states)
    # Arrays that no step changes leave a loop with another sharding; checkpoints need this one.
    states = jax.lax.with_sharding_constraint(states, whole)
    # New arrays, since those of the states are donated to the next call.
    means = [state.sums["loss"] / state.steps_summed for state in states]
    bad_steps = [state.bad_step for state in states]
    return states, Pulse(jnp.mean(jnp.stack(means)), jnp.stack(bad_steps))


def as_images(images: jax.Array, spec: data.Spec) -> jax.Array:
  """Returns a batch `[B, S, S, channels]` of images that may be rows."""
  return images.reshape(len(images), spec.stored_size, spec.stored_size, spec.channels)


def _step_keys(key: jax.Array, step: jax.Array) -> jax.Array:
  """Returns a run's keys of one step: for augmentation and for dropout."""
  return jax.random.split(jax.random.fold_in(key, step))


@dataclasses.dataclass(frozen=True)
class Evaluator:
  """Evaluates a network, which predicts as its method says; its functions are made to be jitted."""

  network: Functional
  spec: data.Spec
  batch_size: int
  mesh: jax.sharding.Mesh
  teachers: tuple[Teaching, ...] = ()
  objective: Method | None = None

  def outputs(
    self, variables: tuple[Variables, ...], batch: data.EvalBatch
  ) -> tuple[tuple[Outputs, ...], jax.Array, jax.Array]:
    """Returns outputs of the network and its teachers, labels, and a mask, false on padding."""
    images, labels, mask, sizes = jax.lax.with_sharding_constraint(
      batch, sharding.split_batch(self.mesh)
    )
    pixels = data.center_crop(as_images(images, self.spec), self.spec, sizes)
    own, *theirs = variables
    taught = zip(self.teachers, theirs, strict=True)
    outputs = self.network.apply(own, data.normalize(pixels, self.spec))
    return (outputs, *(network.apply(x, pixels) for network, x in taught)), labels, mask

  def measure(
    self, variables: tuple[Variables, ...], batch: data.EvalBatch
  ) -> tuple[Scalars, jax.Array]:
    """Returns sums over a batch; derived measures are `[G]`, at `losses.ISATS_GRID`.

    Beside them it returns labels and predicted classes, `[2, B]`, -1 on padding.
    """
    (own, *teachers), labels, mask = self.outputs(variables, batch)
    predict = self.objective and self.objective.predict
    logits = predict(own, tuple(teachers)) if predict else own.logits

    predicted = jnp.argmax(logits, axis=-1).astype(labels.dtype)
    per_example = measures(logits, labels)
    sums = {name: jnp.sum(values, axis=-1, where=mask) for name, values in per_example.items()}
    return sums, jnp.where(mask, jnp.stack([labels, predicted]), -1)


def measures(logits: jax.typing.ArrayLike, labels: jax.typing.ArrayLike) -> Scalars:
  """Returns the measures of each example, `[..., B]`; see `Evaluator.measure`."""
  logits, labels = jnp.asarray(logits), jnp.asarray(labels)

  def derived(tau):
    probs = losses.softmax(logits, tau)
    return (metrics.derived_average(probs, labels), metrics.derived_variance(probs, labels))

  averages, variances = jax.vmap(derived)(jnp.array(losses.ISATS_GRID))
  predicted = jnp.argmax(logits, axis=-1).astype(labels.dtype)
  return {
    "accuracy": (predicted == labels).astype(jnp.float32),
    "loss": losses.cross_entropy(logits, labels),
    "derived_average": averages,
    "derived_variance": variances,
  }
