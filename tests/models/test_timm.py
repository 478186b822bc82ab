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
from jaxkd.models import layers, weights
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
  model = models.abstract(lambda rngs: make(rngs=rngs))
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


@pytest.mark.parametrize("name", SMALL)
def test_bfloat16_computes_on_float32_weights(name):
  model = small(name, dtype=jnp.bfloat16)
  out = jax.eval_shape(lambda model, x: model.outputs(x), model, images(name))
  assert out.logits.dtype == jnp.float32
  for leaf in jax.tree.leaves((out.features, out.stages)):
    assert leaf.dtype == jnp.bfloat16
  for leaf in jax.tree.leaves(nnx.state(model)):
    assert leaf.dtype == jnp.float32


def test_a_distilled_networks_logits_are_the_mean_of_two_classifiers():
  out, _ = run(*nnx.split(small("deit_distilled")), images("deit_distilled"))
  np.testing.assert_allclose(out.logits, sum(out.heads) / 2, rtol=1e-5)
  assert np.abs(out.heads[0] - out.heads[1]).max() > 0.1
  out, _ = run(*nnx.split(small("vit")), images("vit"))
  assert out.heads == ()


def test_both_classifiers_of_another_number_of_classes_keep_their_values(capsys):
  make = functools.partial(SMALL["deit_distilled"], num_classes=7)
  model = make(rngs=nnx.Rngs(0))
  params, _ = weights.from_torch(model, weights.to_torch(small("deit_distilled")))
  assert capsys.readouterr().err == (
    "head and head_dist keep their initial values: the weights are for 5 classes, not 7\n"
  )
  for name in ("head", "head_dist"):
    np.testing.assert_array_equal(params[name]["kernel"][...], getattr(model, name).kernel[...])


@pytest.mark.parametrize(("name", "first"), [("vit", 1), ("deit_distilled", 2)])
def test_position_embeddings_are_interpolated_to_another_image_size(name, first, capsys):
  torch = pytest.importorskip("torch", reason="the reference is PyTorch's interpolation")
  given = weights.to_torch(small(name))
  before = given["pos_embed"] = np.random.default_rng(0).normal(size=(1, first + 49, 16))
  for grid in (4, 12):
    model = models.abstract(
      lambda rngs, grid=grid: SMALL[name](num_classes=5, image_size=4 * grid, rngs=rngs)
    )
    params, _ = weights.from_torch(model, given)
    found = params["pos_embed"][...]
    message = f"pos_embed is interpolated from 7x7 to {grid}x{grid} patches"
    assert capsys.readouterr().err == f"{message}\n"
    with pytest.raises(models.NetworkError, match=message):
      weights.from_torch(model, given, exact=True)
    maps = torch.from_numpy(before[:, first:]).reshape(1, 7, 7, 16).permute(0, 3, 1, 2)
    maps = torch.nn.functional.interpolate(maps, (grid, grid), mode="bicubic", antialias=True)
    np.testing.assert_allclose(found[:, :first], before[:, :first], rtol=1e-6)
    np.testing.assert_allclose(
      found[:, first:], maps.permute(0, 2, 3, 1).reshape(1, -1, 16), atol=1e-5
    )


@pytest.mark.parametrize(
  ("name", "options", "message"),
  [
    ("vit_tiny_patch16_224", {"image_size": 40}, "patch_size must divide the image's 40 pixels"),
    ("vit_tiny_patch16_224", {"patch_size": 5}, "patch_size must divide .* 32 pixels.*, got 5"),
    ("vit_tiny_patch4_32", {"patch_size": 2}, "no option 'patch_size'"),
    ("vit_tiny_patch4_32", {"drop_path_rate": 1.0}, r"drop_path_rate must be in \[0, 1\), got 1"),
    ("convnext_atto", {"drop_rate": -0.1}, r"drop_rate must be in \[0, 1\), got -0.1"),
    ("convnext_atto", {"patch_size": 8}, "patch_size must be from 1 to 4, got 8"),
    ("swin_tiny_patch4_window7_224", {"window_size": 1}, "window_size must be at least 2, got 1"),
    ("efficientnet_b0", {"image_size": 28}, "at least 32 pixels, got image_size=28"),
  ],
)
def test_options_out_of_bounds_are_refused(name, options, message):
  with pytest.raises(models.NetworkError, match=message):
    nnx.eval_shape(lambda: models.create(name, num_classes=10, rngs=nnx.Rngs(0), **options))


def test_stochastic_depth_drops_examples_at_rates_that_rise_linearly():
  drops = layers.drop_paths(0.8, 5, 3, nnx.Rngs(0))
  x = jnp.ones((4000, 2, 3))
  for i, drop in enumerate(drops):
    dropped = np.asarray(drop(x))
    assert (dropped == dropped[:, :1, :1]).all()
    rate = 0.2 * i
    assert np.mean(dropped[:, 0, 0] == 0) == pytest.approx(rate, abs=0.03)
    kept = dropped[dropped > 0]
    np.testing.assert_allclose(kept, 1 / (1 - rate), rtol=1e-5)


def rates(name):
  """Returns the rates of stochastic depth, in the order of the blocks."""
  model = models.abstract(lambda rngs: SMALL[name](num_classes=5, drop_path_rate=0.3, rngs=rngs))
  found = [module.rate for _, module in nnx.iter_modules(model) if isinstance(module, nnx.Dropout)]
  return sorted(found)


def test_blocks_have_timms_rates_of_stochastic_depth():
  for name, expected in {
    "vit": [0.1, 0.1, 0.2, 0.2, 0.3, 0.3],
    "convnext": [0.075, 0.15, 0.225, 0.3],
    "regnety": [0.06, 0.12, 0.18, 0.24, 0.3],
    "efficientnet": [0.075, 0.15, 0.225],
    "mobilenetv3": [0.06, 0.12, 0.18],
  }.items():
    assert rates(name) == pytest.approx(expected), name


def test_dropped_paths_follow_the_key_and_differ_by_block_also_with_remat():
  x = images("vit")

  @functools.partial(jax.jit, static_argnums=0)
  def gradients(graphdef, params, rest, key):
    def loss(params):
      model = nnx.merge(graphdef, params, rest, copy=True)
      nnx.reseed(model, dropout=key)
      return jnp.sum(model(x) ** 2)

    return jax.grad(loss)(params)

  found = []
  for remat in (False, True):
    model = small("vit", depths=(1, 1), drop_path_rate=0.5, drop_rate=0.2, remat=remat)
    model.train()
    parts = nnx.split(model, nnx.Param, ...)
    found.append([gradients(*parts, jax.random.key(seed)) for seed in (0, 0, 1)])
  (first, again, other), (rematerialised, _, _) = found
  jax.tree.map(np.testing.assert_array_equal, first, again)
  assert any(jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).any(), first, other)))
  for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(rematerialised), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * max(1, np.abs(a).max()))


def test_cifars_transformers_take_patches_of_four_pixels():
  for name in ("vit_tiny_patch4_32", "deit_tiny_distilled_patch4_32"):
    build = functools.partial(models.create, name, num_classes=100, image_size=32)
    model = models.abstract(lambda rngs, build=build: build(rngs=rngs))
    out = jax.eval_shape(lambda model, x: model.outputs(x), model, jnp.zeros((1, 32, 32, 3)))
    assert [stage.shape for stage in out.stages] == [(1, 8, 8, 192)] * 4
