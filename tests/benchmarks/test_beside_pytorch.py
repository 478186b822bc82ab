"""The peers of the benchmarks: layers that the networks have, and PyTorch's loop."""

import jax
import jax.numpy as jnp
import pytest

from jaxkd import models
from jaxkd.benchmarks.case import Case
from jaxkd.common.errors import ConfigError
from jaxkd.models import layers

pytest.importorskip("torch", reason="the benchmarks compare with it: install the extra `torch`")

from jaxkd.benchmarks import pytorch
from tests.benchmarks.conv import LAYERS


def convolutions(name, monkeypatch):
  """Returns the network's convolutions of stride 1, in the form of `LAYERS`."""
  seen, original = set(), layers.conv

  def record(x, kernel, *, strides, padding, groups):
    if strides == 1:
      channels = x.shape[-1], kernel.shape[-1]
      seen.add((*channels, x.shape[1], kernel.shape[0], groups))
    return original(x, kernel, strides=strides, padding=padding, groups=groups)

  monkeypatch.setattr(layers, "conv", record)
  model = models.abstract(lambda rngs: models.create(name, num_classes=100, rngs=rngs))
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  jax.eval_shape(lambda model, x: model(x), model, images)
  return seen


@pytest.mark.parametrize("name", LAYERS)
def test_the_benchmarked_layers_occur_in_their_networks(name, monkeypatch):
  assert set(LAYERS[name]) <= convolutions(name, monkeypatch)


@pytest.mark.parametrize("teacher", ["mlp", None])
def test_the_peer_trains_with_and_without_a_teacher(teacher):
  pytorch.runner(Case("mlp", teacher, batch_size=2), steps=1)()


def test_a_network_without_a_peer_is_refused():
  with pytest.raises(ConfigError, match="'convnext_tiny', which is not compared with PyTorch"):
    pytorch.runner(Case("convnext_tiny", batch_size=2), steps=1)
