"""A user's networks: registered, adapted, trained."""

import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from jaxkd import models
from jaxkd.common.errors import UserError
from jaxkd.models import registry, weights
from jaxkd.training.step import functional


@pytest.fixture(autouse=True)
def no_leftover_names(monkeypatch):
  monkeypatch.setattr(registry, "ARCHITECTURES", dict(registry.ARCHITECTURES))


class TinyNNX(nnx.Module):
  def __init__(self, num_classes, in_channels, width=4, *, rngs):
    self.conv = nnx.Conv(in_channels, width, (3, 3), rngs=rngs)
    self.norm = nnx.BatchNorm(width, rngs=rngs)
    self.dropout = nnx.Dropout(0.5, rngs=rngs)
    self.fc = nnx.Linear(width, num_classes, rngs=rngs)

  def __call__(self, x):
    features = nnx.relu(self.norm(self.conv(x))).mean((1, 2))
    return models.Outputs(self.fc(self.dropout(features)), features)


class TinyLinen(linen.Module):
  num_classes: int
  width: int = 4

  @linen.compact
  def __call__(self, x, train):
    x = linen.Conv(self.width, (3, 3))(x)
    x = linen.BatchNorm(use_running_average=not train)(x)
    x = linen.Dropout(0.5, deterministic=not train)(linen.relu(x).mean((1, 2)))
    return linen.Dense(self.num_classes)(x)


class Deterministic(linen.Module):
  num_classes: int

  @linen.compact
  def __call__(self, x, deterministic):
    x = linen.BatchNorm(use_running_average=deterministic)(x.mean((1, 2)))
    return linen.Dense(self.num_classes)(linen.Dropout(0.5)(x, deterministic=deterministic))


class Mode(nnx.Module):
  """A network whose mode is an argument, and whose random stream is called `noise`."""

  def __init__(self, num_classes, in_channels):
    self.fc = nnx.Linear(in_channels, num_classes, rngs=nnx.Rngs(1))
    self.noise = nnx.Rngs(noise=2)

  def outputs(self, x, training):
    features = x.mean((1, 2))
    if training:
      features += jax.random.normal(self.noise.noise(), features.shape)
    return models.Outputs(self.fc(features), features, [features], [features])


def factory(num_classes, in_channels, width, rngs):
  return TinyNNX(num_classes, in_channels, width, rngs=rngs)


def plain(x):
  return 10 * x.mean((1, 2)) @ jnp.eye(3, 5)


def plain_factory(num_classes):
  return lambda images: images.mean((1, 2)) @ jnp.eye(3, num_classes)


NETWORKS = {
  "nnx": (TinyNNX, {"width": 6}),
  "linen": (TinyLinen, {"width": 6}),
  "linen, deterministic": (Deterministic, {}),
  "nnx with outputs and a mode": (Mode, {}),
  "factory": (factory, {"width": 3}),
  "partial": (functools.partial(TinyNNX, width=3), {}),
  "factory of linen": (lambda num_classes: TinyLinen(num_classes), {}),
}

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)


def create(name, **options):
  options = {"num_classes": 5, "image_size": 8, "rngs": nnx.Rngs(0)} | options
  return models.create(name, **options)


def sgd_step(network, variables, images, key):
  def loss(params):
    outputs, stats = network.apply_train(variables._replace(params=params), images, key)
    return -jnp.mean(jax.nn.log_softmax(outputs.logits)[:, 0]), (outputs, stats)

  gradients, (outputs, stats) = jax.grad(loss, has_aux=True)(variables.params)
  params = jax.tree.map(lambda p, g: p - 0.1 * g, variables.params, gradients)
  return variables._replace(params=params, stats=stats), outputs


@pytest.mark.parametrize("case", NETWORKS)
def test_two_steps_train_all_parameters_and_statistics(case):
  network, options = NETWORKS[case]
  models.register("own", network)
  # A checkpoint is restored into a network of shapes alone.
  abstract = nnx.eval_shape(lambda: create("own", **options))
  network, variables = functional(create("own", **options))
  assert jax.tree.structure(functional(abstract)[1]) == jax.tree.structure(variables)
  before, step = variables, jax.jit(functools.partial(sgd_step, network))
  for key in jax.random.split(jax.random.key(0)):
    variables, outputs = step(variables, IMAGES, key)
    assert outputs.logits.shape == (4, 5)
    assert outputs.logits.dtype == jnp.float32
  assert jax.tree.structure(variables) == jax.tree.structure(before)
  for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(variables), strict=True):
    assert (old != new).any()
  if case == "linen, deterministic":
    mean = variables.stats["module"]["BatchNorm_0"]["mean"][...]
    np.testing.assert_allclose(mean, (1 - 0.99**2) * IMAGES.mean((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("case", NETWORKS)
def test_randomness_follows_the_key_in_training_only(case):
  network, options = NETWORKS[case]
  models.register("own", network)
  network, variables = functional(create("own", **options))

  @jax.jit
  def train(key):
    return network.apply_train(variables, IMAGES, key)[0].logits

  keys = jax.random.split(jax.random.key(0))
  np.testing.assert_array_equal(train(keys[0]), train(keys[0]))
  assert (train(keys[0]) != train(keys[1])).any()
  evaluate = jax.jit(network.apply)
  np.testing.assert_array_equal(
    evaluate(variables, IMAGES).logits, evaluate(variables, IMAGES).logits
  )


def test_an_adapted_network_computes_the_same_as_the_original():
  models.register("own", TinyNNX)
  ours, theirs = create("own"), TinyNNX(5, 3, rngs=nnx.Rngs(0))
  ours.eval()
  theirs.eval()
  np.testing.assert_array_equal(ours(IMAGES), theirs(IMAGES).logits)
  np.testing.assert_array_equal(ours.outputs(IMAGES).features, theirs(IMAGES).features)

  models.register("linen", TinyLinen)
  ours = create("linen")
  ours.eval()
  layers = nnx.to_pure_dict(nnx.state(ours.module, nnx.Any(nnx.Param, nnx.BatchStat)))
  stats = {key: layers["BatchNorm_0"].pop(key) for key in ("mean", "var")}
  theirs = {"params": layers, "batch_stats": {"BatchNorm_0": stats}}
  np.testing.assert_allclose(ours(IMAGES), TinyLinen(5).apply(theirs, IMAGES, False), rtol=1e-6)
  assert ours.outputs(IMAGES).features is None


@pytest.mark.parametrize("function", [plain, jax.jit(plain), plain_factory])
def test_a_function_is_a_network_without_parameters(function):
  models.register("own", function)
  network, variables = functional(create("own"))
  assert not jax.tree.leaves(variables)
  scale = 1 if function is plain_factory else 10
  expected = scale * IMAGES.mean((1, 2)) @ np.eye(3, 5)
  np.testing.assert_allclose(network.apply(variables, IMAGES).logits, expected, rtol=1e-5)
  assert network.apply(variables, IMAGES).stages == ()


def test_an_address_names_a_network_without_registration(tmp_path, monkeypatch):
  (tmp_path / "my_nets.py").write_text("""
from flax import nnx

class Nets:
  class Tiny(nnx.Module):
    def __init__(self, num_classes, *, rngs):
      self.fc = nnx.Linear(3, num_classes, rngs=rngs)
    def __call__(self, x):
      return self.fc(x.mean((1, 2)))
""")
  monkeypatch.syspath_prepend(tmp_path)
  assert create("my_nets:Nets.Tiny")(IMAGES).shape == (4, 5)
  assert models.find("my_nets:Nets.Tiny").family == "own"
  for address, message in {
    "my_nets:Nets.Tyni": r"network 'my_nets:Nets.Tyni': 'Tyni' is not .*; did you mean 'Tiny'\?",
    "my_net:Nets": "network 'my_net:Nets': can't import 'my_net': No module named 'my_net'",
    ":Nets": "network ':Nets' must be MODULE:ATTRIBUTE",
    ".my_nets:Nets": "network '.my_nets:Nets': can't import '.my_nets'",
    "my_nets:__name__": "my_nets:__name__ must be the class of a network or a function",
  }.items():
    with pytest.raises(models.NetworkError, match=message) as error:
      create(address)
    assert "\n" not in str(error.value)
  sys.modules.pop("my_nets")


def test_registered_names_are_listed_and_taken_names_are_refused():
  @models.register("tiny", family="Tiny")
  class Tiny(TinyNNX):
    pass

  assert models.list_models()["tiny"].family == "Tiny"
  assert models.register("linen", TinyLinen) is TinyLinen
  assert models.list_models()["linen"].family == "own"
  # A cell of a notebook runs again.
  models.register("linen", TinyLinen)
  for name, thing, message in (
    ("resnet8", TinyNNX, "the name 'resnet8' is taken, by jaxkd.models.resnet:ResNet"),
    ("linen", TinyNNX, r"'linen' is taken, by .*test_own_networks:TinyLinen"),
    ("a:b", TinyNNX, "text without ':' and '/', got 'a:b'"),
    ("instance", TinyLinen(5), "instance must be the class of a network or a function"),
    (
      "number",
      3,
      "number must be the class of a network or a function that makes one, got an instance of int",
    ),
  ):
    with pytest.raises(models.NetworkError, match=message) as error:
      models.register(name, thing)
    assert "\n" not in str(error.value)


class Cached(nnx.Module):
  def __init__(self, num_classes):
    self.seen = nnx.Cache(jnp.zeros(3))
    self.num_classes = num_classes

  def __call__(self, x):
    return x.mean((1, 2)) @ jnp.eye(3, self.num_classes)


class RawArray(Cached):
  def __init__(self, num_classes):
    self.scale = jnp.ones(3)
    self.num_classes = num_classes


class NoMode(linen.Module):
  @linen.compact
  def __call__(self, x):
    return linen.Dense(5)(linen.BatchNorm(use_running_average=False)(x).mean((1, 2)))


@pytest.mark.parametrize(
  ("network", "options", "message"),
  [
    (TinyNNX, {"widht": 3}, "own has no option 'widht', must be one of width; did you mean"),
    (TinyLinen, {"parent": 3}, "own has no option 'parent', must be one of width"),
    (factory, {}, "own needs the option 'width'"),
    (
      lambda num_classes: TinyNNX(7, 3, rngs=nnx.Rngs(0)),
      {},
      r"\[2, 5\] .* returned float32 \[2, 7",
    ),
    (lambda x: x.mean((1, 2, 3)), {}, r"logits of shape \[2, 5\] for 2 images and 5 classes, ret"),
    (lambda x: jnp.zeros((2, 5), jnp.int32), {}, r"must return float logits .* int32 \[2, 5\]"),
    (lambda x: models.Outputs(plain(x), x), {}, r"features of shape \[2, D\], returned \[2, 8, 8"),
    (
      lambda x: models.Outputs(plain(x), class_map=x),
      {},
      r"class_map of shape \[2, H, W, 5\], returned \[2, 8, 8",
    ),
    (lambda x: (plain(x), x), {}, "return logits or jaxkd.models.Outputs, returned tuple"),
    (lambda num_classes: 3, {}, "own must give an NNX module, a Linen module or a function"),
    (Cached, {}, "own: seen is of type Cache; every array of a network must be an nnx.Param"),
    (RawArray, {}, "own: scale is of type "),
    (NoMode, {}, "own has batch statistics, but its __call__ takes none of train, training"),
  ],
)
def test_unfit_networks_are_refused_in_one_line(network, options, message):
  models.register("own", network)
  with pytest.raises(models.NetworkError, match=message) as error:
    create("own", **options)
  assert "\n" not in str(error.value)
  assert isinstance(error.value, UserError)


def test_different_networks_have_different_digests():
  models.register("own", TinyNNX)
  digest = models.source_digest("own")
  assert models.source_digest("resnet8") is None
  models.register("linen", TinyLinen)
  assert digest not in (None, models.source_digest("linen"))

  def arrays(name="own", **options):
    return models.arrays_digest(nnx.eval_shape(lambda: create(name, **options)))

  assert arrays() == models.arrays_digest(create("own"))
  digests = {arrays(), arrays(width=5), arrays(in_channels=1), arrays(num_classes=4)}
  assert len(digests | {arrays("linen"), arrays("resnet8")}) == 6


@pytest.mark.parametrize("network", [TinyNNX, TinyLinen])
def test_weights_survive_a_round_trip_under_flax_names(network, tmp_path):
  models.register("own", network)
  model, path = create("own"), tmp_path / "weights.safetensors"
  weights.write(path, weights.to_torch(model))
  written = weights.read(path)
  if network is TinyLinen:
    kernel = model.module.Conv_0["kernel"][...]
    np.testing.assert_array_equal(written["Conv_0.kernel"], kernel)
  other = weights.network_of("own", written, num_classes=5, image_size=8)
  nnx.update(other, jax.tree.map(jnp.zeros_like, nnx.state(other, nnx.Param)))
  nnx.update(other, *weights.from_torch(other, written))
  for a, b in zip(*(jax.tree.leaves(nnx.state(m, nnx.Param)) for m in (model, other)), strict=True):
    np.testing.assert_array_equal(a, b)
  with pytest.raises(models.NetworkError, match="num_classes is missing: own doesn't tell"):
    weights.network_of("own", written)
