"""The benchmarks measure layers and families that the package has."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from jaxkd import models
from jaxkd.models import layers

pytest.importorskip("torch", reason="the benchmarks compare with it: install the extra `torch`")

from tests.benchmarks.conv import LAYERS
from tests.benchmarks.models import NAMES, torch_step
from tests.models import timm_values


def convolutions(name, monkeypatch):
  """Returns the network's convolutions of stride 1, in the form of `LAYERS`."""
  seen, original = set(), layers.conv

  def record(x, kernel, *, strides, padding, groups):
    if strides == 1:
      channels = x.shape[-1], kernel.shape[-1]
      seen.add((*channels, x.shape[1], kernel.shape[0], groups))
    return original(x, kernel, strides=strides, padding=padding, groups=groups)

  monkeypatch.setattr(layers, "conv", record)
  model = nnx.eval_shape(lambda: models.create(name, num_classes=100, rngs=nnx.Rngs(0)))
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  jax.eval_shape(lambda model, x: model(x), model, images)
  return seen


@pytest.mark.parametrize("name", LAYERS)
def test_the_benchmarked_layers_occur_in_their_networks(name, monkeypatch):
  assert set(LAYERS[name]) <= convolutions(name, monkeypatch)


def test_every_family_with_a_reference_is_benchmarked():
  entries = models.list_models()
  measured = {entries[name.partition("@")[0]].family for name in NAMES}
  # The others have no reference in PyTorch here.
  own = {entry.family for name, entry in entries.items() if name not in timm_values.NAMES}
  assert measured == own


def test_the_pytorch_mlp_trains_for_a_step():
  torch_step("mlp", 2, 8)()
