"""The pure functions of training and evaluation: state in, state out."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from jaxkd import data, losses, sharding
from jaxkd.analysis import metrics
from jaxkd.models.base import Network, Outputs

Scalars = dict[str, jax.Array]


class Variables(NamedTuple):
  """The arrays of a network.

  Attributes:
    params: what is trained.
    stats: running statistics of batch normalisation.
  """

  params: nnx.State
  stats: nnx.State


class Functional(NamedTuple):
  """A network without its variables: static, closed over by jitted functions.

  Attributes:
    graphdef: structure of the network.
    rngs: state of dropout's generators; the step reseeds them.
  """

  graphdef: nnx.GraphDef
  rngs: nnx.State

  def apply(self, variables: Variables, images: jax.Array) -> Outputs:
    """Runs the network in evaluation mode."""
    model = nnx.merge(
      self.graphdef, variables.params, variables.stats, self.rngs
    )
    model.eval()
    return model.outputs(images)

  def apply_train(
    self, variables: Variables, images: jax.Array, key: jax.Array
  ) -> tuple[Outputs, nnx.State]:
    """Runs the network in training mode; also returns the new statistics."""
    model = nnx.merge(
      self.graphdef, variables.params, variables.stats, self.rngs, copy=True
    )
    model.train()
    nnx.reseed(model, dropout=key)
    outputs = model.outputs(images)
    return outputs, nnx.state(model, nnx.BatchStat)


def functional(model: Network) -> tuple[Functional, Variables]:
  """Takes a network apart."""
  graphdef, *states = nnx.split(model, nnx.Param, nnx.BatchStat, nnx.RngState)
  params, stats, rngs = states
  return Functional(graphdef, rngs), Variables(params, stats)


class Objective(NamedTuple):
  """What a phase minimises.

  Attributes:
    loss: `(student, teachers, labels, constants) -> (terms, diagnostics)`, two
      dicts of scalars or per-example `[B]` arrays. The mean of each is logged;
      the sum of the terms is the loss.
    prepare: `(teachers' logits, labels, num_classes) -> constants`, called once
      with those of the whole training split, not augmented; None if the loss
      needs nothing of the kind.
  """

  loss: Callable[
    [Outputs, tuple[Outputs, ...], jax.Array, Any], tuple[Scalars, Scalars]
  ]
  prepare: Callable[[list[jax.Array], jax.Array, int], Any] | None = None


class TrainState(NamedTuple):
  """All that a step changes, and all that a checkpoint holds.

  Attributes:
    step: steps done, int32.
    variables: the network's.
    opt_state: the optimiser's.
    constants: what the objective prepared.
    sums: for all that is logged, the sum over the steps since the last report.
    steps_summed: number of these steps, float32.
    bad_step: the first step whose loss or gradient was not finite; -1 if none.
  """

  step: jax.Array
  variables: Variables
  opt_state: optax.OptState
  constants: Any
  sums: Scalars
  steps_summed: jax.Array
  bad_step: jax.Array

  def reset(self) -> "TrainState":
    """Starts new sums."""
    return self._replace(
      sums=jax.tree.map(jnp.zeros_like, self.sums),
      steps_summed=jnp.zeros_like(self.steps_summed),
    )


class Pulse(NamedTuple):
  """What the host looks at while training goes on.

  Attributes:
    loss: mean since the last report.
    bad_step: as in `TrainState`.
  """

  loss: jax.Array
  bad_step: jax.Array


@dataclasses.dataclass(frozen=True)
class Trainer:
  """A phase's static parts; its methods are pure and made to be jitted.

  Attributes:
    student: the network that is trained.
    teachers: frozen networks; they see the same augmented images.
    objective: the loss.
    optimizer: the optax chain.
    spec: the data set.
    batch_size: examples per step, over all devices.
    mesh: all devices.
  """

  student: Functional
  teachers: tuple[Functional, ...]
  objective: Objective
  optimizer: optax.GradientTransformation
  spec: data.Spec
  batch_size: int
  mesh: jax.sharding.Mesh

  def init(
    self, variables: Variables, teachers: tuple[Variables, ...], constants: Any
  ) -> TrainState:
    """Returns the state before the first step."""
    size = self.spec.image_size
    shape = (self.batch_size, size, size, self.spec.channels)
    opt_state = self.optimizer.init(variables.params)
    step = jnp.zeros((), jnp.int32)
    state = TrainState(
      step, variables, opt_state, constants, {}, jnp.zeros(()), step - 1
    )
    _, logged = jax.eval_shape(
      self.train_step,
      state,
      teachers,
      jax.random.key(0),
      jax.ShapeDtypeStruct(shape, jnp.uint8),
      jax.ShapeDtypeStruct(shape[:1], jnp.int32),
    )
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), logged)
    return state._replace(sums=zeros)

  def train_step(
    self,
    state: TrainState,
    teachers: tuple[Variables, ...],
    key: jax.Array,
    images: jax.Array,
    labels: jax.Array,
  ) -> tuple[TrainState, Scalars]:
    """One step on uint8 images `[B, H, W, channels]` and labels `[B]`.

    The key, that of the whole run, is of augmentation and dropout.
    """
    augment_key, dropout_key = jax.random.split(
      jax.random.fold_in(key, state.step)
    )
    images = data.augment(images, self.spec, augment_key)
    images = data.normalize(images, self.spec)
    targets = tuple(
      network.apply(variables, images)
      for network, variables in zip(self.teachers, teachers, strict=True)
    )

    def loss_fn(params):
      outputs, stats = self.student.apply_train(
        state.variables._replace(params=params), images, dropout_key
      )
      terms, diagnostics = jax.tree.map(
        jnp.mean,
        self.objective.loss(outputs, targets, labels, state.constants),
      )
      loss = sum(terms.values(), start=jnp.zeros(()))
      correct = jnp.argmax(outputs.logits, axis=-1) == labels
      logged = {
        "loss": loss,
        **terms,
        **diagnostics,
        "accuracy": jnp.mean(correct.astype(jnp.float32)),
      }
      return loss, (stats, logged)

    gradients, (stats, logged) = jax.grad(loss_fn, has_aux=True)(
      state.variables.params
    )
    updates, opt_state = self.optimizer.update(
      gradients, state.opt_state, state.variables.params
    )
    params = optax.apply_updates(state.variables.params, updates)
    logged["gradient_norm"] = optax.tree.norm(gradients)
    bad = ~jnp.isfinite(logged["loss"] + logged["gradient_norm"])
    first_bad = jnp.where(state.bad_step < 0, state.step, state.bad_step)
    state = state._replace(
      step=state.step + 1,
      variables=Variables(params, stats),
      opt_state=opt_state,
      bad_step=jnp.where(bad, first_bad, state.bad_step),
    )
    return state, logged

  def train_steps(
    self,
    state: TrainState,
    teachers: tuple[Variables, ...],
    key: jax.Array,
    source: data.TrainSource,
    num_steps: jax.Array | None = None,
  ) -> tuple[TrainState, Pulse]:
    """Runs `num_steps` steps, or one without a loop, on the source's batches.

    XLA's CPU backend runs convolutions in a loop many times slower than outside
    of it: there a step is a dispatch. A loop whose length is an argument
    compiles once, and gives the same bits however a run is divided.
    """

    def body(_, state):
      images, labels = jax.lax.with_sharding_constraint(
        data.batch_at(source, state.step, self.batch_size),
        sharding.split_batch(self.mesh),
      )
      state, logged = self.train_step(state, teachers, key, images, labels)
      return state._replace(
        sums=jax.tree.map(jnp.add, state.sums, logged),
        steps_summed=state.steps_summed + 1,
      )

    if num_steps is None:
      state = body(0, state)
    else:
      state = jax.lax.fori_loop(0, num_steps, body, state)
    # Arrays of their own: the state's are donated to the next call.
    return state, Pulse(
      state.sums["loss"] / state.steps_summed, state.bad_step + 0
    )


@dataclasses.dataclass(frozen=True)
class Evaluator:
  """Evaluates one network; its methods are pure and made to be jitted.

  Attributes:
    network: the network.
    spec: the data set.
    batch_size: examples per batch, over all devices.
    mesh: all devices.
  """

  network: Functional
  spec: data.Spec
  batch_size: int
  mesh: jax.sharding.Mesh

  def logits(
    self, variables: Variables, arrays: data.Arrays, index: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns logits `[B, C]`, labels `[B]` and mask `[B]` of a batch."""
    images, labels, mask = jax.lax.with_sharding_constraint(
      data.eval_batch_at(arrays, index, self.batch_size),
      sharding.split_batch(self.mesh),
    )
    images = data.normalize(images, self.spec)
    return self.network.apply(variables, images).logits, labels, mask

  def sums(
    self, variables: Variables, arrays: data.Arrays, index: jax.Array
  ) -> Scalars:
    """Returns sums over the examples of a batch of what is reported.

    The derived average and variance are `[G]`, at the temperatures of
    `losses.ISATS_GRID`.
    """
    logits, labels, mask = self.logits(variables, arrays, index)

    def derived(tau):
      probs = losses.softmax(logits, tau)
      return (
        metrics.derived_average(probs, labels),
        metrics.derived_variance(probs, labels),
      )

    averages, variances = jax.vmap(derived)(jnp.array(losses.ISATS_GRID))
    per_example = {
      "accuracy": (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32),
      "loss": losses.cross_entropy(logits, labels),
      "derived_average": averages,
      "derived_variance": variances,
    }
    return {
      name: jnp.sum(values, axis=-1, where=mask)
      for name, values in per_example.items()
    }
