"""Networks with timm's names compute what timm's networks compute, and their options work."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import timm_values
from flax import nnx
from weight_shapes import torch_shapes

from jaxkd import models
from jaxkd.models import weights
from jaxkd.models.convnext import ConvNeXt
from jaxkd.models.efficientnet import EfficientNet, Row
from jaxkd.models.mobilenet_v3 import MobileNetV3
from jaxkd.models.regnet import RegNet
from jaxkd.models.swin import SwinTransformer
from jaxkd.models.vit import VisionTransformer

RECORDED = json.loads(timm_values.FILE.read_text())

_vit = functools.partial(
  VisionTransformer, width=16, heads=2, depths=(1, 1, 1, 1), image_size=8, patch_size=4
)
_convnext = functools.partial(
  ConvNeXt, widths=(8, 16, 24, 32), depths=(1, 1, 2, 1), pointwise=False, image_size=32
)
# The networks of `timm_values.small_networks`.
SMALL = {
  "vit": _vit,
  "deit_distilled": functools.partial(_vit, distilled=True),
  "convnext_atto": functools.partial(_convnext, pointwise=True),
  "convnext": _convnext,
  "efficientnet": functools.partial(
    EfficientNet,
    groups=((Row(1, 8, 1, 1, 3),), (Row(6, 16, 2, 2, 5),), (Row(6, 24, 1, 1, 3),)),
    stem=8,
    features=40,
  ),
  "mobilenetv3": functools.partial(
    MobileNetV3,
    groups=(
      (Row(1, 8, 1, 2, 3, relu=True),),
      (Row(4.5, 16, 1, 2, 3, squeezes=False, relu=True), Row(3, 16, 2, 1, 5)),
    ),
    stem=8,
    middle=24,
    features=32,
  ),
  "regnety": functools.partial(RegNet, widths=(16, 32, 64, 128), depths=(1, 1, 3, 1), group_size=8),
  "swin": functools.partial(
    SwinTransformer,
    width=8,
    heads=(1, 2, 2, 4),
    depths=(2, 1, 1, 1),
    image_size=16,
    patch_size=1,
    window_size=4,
  ),
}


def small(name, **options):
  """Returns a network of SMALL in evaluation mode, with the weights that timm's have."""
  make = functools.partial(SMALL[name], num_classes=timm_values.CLASSES, **options)
  model = nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0)))
  nnx.update(model, *weights.from_torch(model, timm_values.drawn(torch_shapes(model))))
  model.eval()
  return model


def images(name):
  return timm_values.images(timm_values.IMAGE_SIZES.get(name, 32))


@functools.partial(jax.jit, static_argnums=0)
def run(graphdef, state, x):
  model = nnx.merge(graphdef, state, copy=True)
  return model.outputs(x), nnx.state(model)


@pytest.mark.parametrize("name", SMALL)
def test_outputs_and_running_averages_equal_timms(name):
  assert RECORDED["outputs"].keys() == SMALL.keys()
  model = small(name)
  for mode, values in RECORDED["outputs"][name].items():
    getattr(model, mode)()
    found, state = run(*nnx.split(model), images(name))
    nnx.update(model, state)

    def assert_equal(array, expected):
      scale = max(1, *map(abs, expected))
      np.testing.assert_allclose(timm_values.described(array), expected, atol=5e-5 * scale)

    assert_equal(found.logits, values["logits"])
    assert_equal(found.features, values["features"])
    for stage, expected in zip(found.stages, values["stages"], strict=True):
      assert_equal(stage, expected)
    assert [x.shape for x in found.preactivations] == [x.shape for x in found.stages]
    if found.class_map is not None:
      np.testing.assert_allclose(found.class_map.mean((1, 2)), found.logits, rtol=1e-4, atol=1e-4)
    after = weights.to_torch(model)
    for tensor, expected in values["averages"].items():
      assert_equal(after[tensor], expected)


@pytest.mark.parametrize("name", timm_values.COUNTED)
def test_names_and_shapes_of_all_weights_equal_timms(name):
  (form,) = models.list_models()[name].forms
  size = form.reference.image_size
  build = functools.partial(models.create, name, num_classes=1000, image_size=size)
  model = nnx.eval_shape(lambda: build(rngs=nnx.Rngs(0)))
  assert timm_values.digest(torch_shapes(model)) == RECORDED["names"][name]


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_computes_on_float32_weights(name):
  model = small(name, dtype=jnp.bfloat16)
  out = jax.eval_shape(lambda model, x: model.outputs(x), model, images(name))
  assert out.logits.dtype == jnp.float32
  for leaf in jax.tree.leaves((out.features, out.stages)):
    assert leaf.dtype == jnp.bfloat16
  for leaf in jax.tree.leaves(nnx.state(model)):
    assert leaf.dtype == jnp.float32
