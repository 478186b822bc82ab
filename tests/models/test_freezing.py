"""A frozen network gives the outputs of the network, with less work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from test_models import FAMILIES, evaluate, images, initial_state, member

from jaxkd import models
from jaxkd.models.layers import BatchNorm, Conv, Linear, global_average_pool


def frozen(model, x):
  """Returns a frozen copy."""
  model = nnx.clone(model)
  models.freeze(model, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype))
  return model


def family(name, dtype=jnp.float32):
  model = member(name, dtype=dtype)
  nnx.update(model, *initial_state(name))
  return frozen(model, images(name))


def folded(model):
  """Returns how many of its batch norms are folded, and how many there are."""
  found = [node.folded for _, node in nnx.iter_graph(model) if isinstance(node, BatchNorm)]
  return sum(found), len(found)


def assert_equal_outputs(actual, expected, tolerance=1e-5):
  def check(actual, expected):
    assert actual.dtype == expected.dtype
    largest = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * largest)

  jax.tree.map(check, actual, expected)


@pytest.mark.parametrize("name", FAMILIES)
def test_all_outputs_of_every_family_stay_equal(name):
  model = family(name)
  outputs = nnx.jit(lambda model, x: model.outputs(x))(model, images(name))
  assert_equal_outputs(outputs, evaluate(name))
  some, all_ = folded(model)
  # Those before the convolutions of a pre-activation network stay.
  assert all_ - some == {"wrn16_2": 6}.get(name, 0)


def casts(model, x):
  """Returns the shapes of arrays of the network that a call casts."""
  graphdef, state = nnx.split(model)
  jaxpr = jax.make_jaxpr(lambda state, x: nnx.merge(graphdef, state).outputs(x))(state, x).jaxpr
  arrays = {id(array) for array in jaxpr.invars[:-1]}
  used = [e.invars[0] for e in jaxpr.eqns if e.primitive.name == "convert_element_type"]
  return [array.aval.shape for array in used if id(array) in arrays]


def test_no_weights_are_cast_in_a_call_in_bfloat16():
  model = member("resnet8", dtype=jnp.bfloat16)
  nnx.update(model, *initial_state("resnet8"))
  model.eval()
  x = images("resnet8")
  assert len(casts(model, x)) > 9
  assert casts(frozen(model, x), x) == []
  exact = evaluate("resnet8").logits

  def error(logits):
    return jnp.linalg.norm(logits - exact) / jnp.linalg.norm(exact)

  outputs = jax.jit(frozen(model, x).outputs)(x)
  assert outputs.features.dtype == jnp.bfloat16
  assert outputs.logits.dtype == jnp.float32
  assert error(outputs.logits) < 1.5 * error(evaluate("resnet8", jnp.bfloat16).logits)


def add_pair(network, name, rngs, **options):
  """Gives a network a convolution, and a batch norm `bn_<name>` with random arrays."""
  norm = BatchNorm(4)
  for variable in (norm.scale, norm.bias, norm.mean, norm.var):
    variable.set_value(jax.random.uniform(rngs.params(), 4, minval=0.5, maxval=2.0))
  setattr(network, name, Conv(4, 4, 3, rngs=rngs, **options))
  setattr(network, f"bn_{name}", norm)


class Tangled(models.Network):
  """Pairs of a convolution and a batch norm: with a bias, seen, called twice, and tied."""

  def __init__(self):
    super().__init__()
    rngs = nnx.Rngs(0)
    for name in ("biased", "seen", "twice", "shared", "tied", "owner"):
      add_pair(self, name, rngs, use_bias=True)
      getattr(self, name).bias.set_value(jax.random.normal(rngs.params(), 4))
    self.tied.kernel = self.owner.kernel
    self.classifier = Linear(4, 3, rngs=rngs)

  def outputs(self, x):
    x = self.bn_biased(self.biased(x))
    seen = self.seen(x)
    x = self.bn_seen(seen)
    x = self.bn_twice(self.twice(self.twice(x)))
    x = self.bn_shared(self.shared(self.bn_shared(x)))
    x = self.bn_tied(self.tied(x)) + self.bn_owner(self.owner(x))
    return self.classify(global_average_pool(x), (seen,), ())


def test_layers_whose_output_or_weights_have_another_user_stay():
  model, x = Tangled(), jax.random.normal(jax.random.key(0), (2, 5, 5, 4))
  model.eval()
  own = frozen(model, x)
  assert_equal_outputs(own.outputs(x), model.outputs(x))
  names = [name for name, layer in vars(own).items() if getattr(layer, "folded", False)]
  assert names == ["bn_biased"]


class Hidden(models.Network):
  """Pairs whose layers are also used where the trace of the network does not show it."""

  def __init__(self):
    super().__init__()
    rngs = nnx.Rngs(0)
    for name in ("nested", "scaled", "mapped", "measured"):
      add_pair(self, name, rngs)
    self.classifier = Linear(4, 3, rngs=rngs)

  def outputs(self, x):
    x = jax.jit(self.bn_nested)(self.bn_nested(self.nested(x)))
    self.scaled.kernel.set_value(self.scaled.kernel[...] / 2)
    x = self.bn_scaled(self.scaled(x))
    x = jax.vmap(self.bn_mapped, in_axes=3, out_axes=3)(self.mapped(x))
    self.bn_measured.use_running_average = False
    x = self.bn_measured(self.measured(x))
    return self.classify(global_average_pool(x), (), ())


def test_layers_with_users_that_the_trace_hides_stay():
  model, x = Hidden(), jax.random.normal(jax.random.key(0), (2, 4, 4, 4))
  model.eval()
  own = frozen(model, x)
  assert_equal_outputs(own.outputs(x), nnx.clone(model).outputs(x))
  assert folded(own) == (0, 4)


def test_blocks_that_are_recomputed_in_training_are_folded():
  model = member("resnet8", remat=True)
  nnx.update(model, *initial_state("resnet8"))
  assert folded(frozen(model, images("resnet8"))) == (9, 9)
