"""Properties of every network: sizes, outputs, precision, rematerialisation."""

import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import timm_values
import toolkit_layers
from flax import nnx
from weight_shapes import torch_shapes

from jaxkd import models
from jaxkd.models import layers, mobilenet_v2, shufflenet
from jaxkd.models.mlp import SERIES

# The smallest member of each family and form, and an image size for it.
FAMILIES = {
  "resnet8": 8,
  "wrn16_2": 8,
  "resnext29_4x4d": 8,
  "vgg8": 8,
  "shufflenet_v1": 16,
  "shufflenet_v2": 16,
  "mobilenet_v2": 32,
  "mlp": 8,
}


def abstract(name, **options):
  """Returns a network with shapes in place of arrays."""
  options = {"num_classes": 10} | options
  return models.abstract(lambda rngs: models.create(name, **options, rngs=rngs))


@functools.cache
def reference_forms():
  """Returns every form of every network, at its reference setting."""
  return {
    (name, form.reference): abstract(
      name,
      num_classes=form.reference.num_classes,
      image_size=form.reference.image_size,
      in_channels=form.reference.in_channels,
    )
    for name, entry in models.list_models().items()
    for form in entry.forms
  }


def member(name, **options):
  """Returns a member of FAMILIES without arrays; deep networks have two blocks a stage."""
  groups = tuple((*group[:2], min(group[2], 2), group[3]) for group in mobilenet_v2._GROUPS)
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(shufflenet.ShuffleNetV1, "depths", (2, 2, 2))
    patch.setattr(shufflenet.ShuffleNetV2, "depths", (2, 2, 2))
    patch.setattr(mobilenet_v2, "_GROUPS", groups)
    return abstract(name, image_size=FAMILIES[name], **options)


@functools.cache
def initial_state(name):
  """Returns parameters and other state, equal for every dtype and with remat."""
  random = np.random.default_rng(0)

  def draw(path, variable):
    shape = variable.shape
    if path[-1] == "kernel":
      value = random.normal(scale=math.sqrt(2 / math.prod(shape[:-1])), size=shape)
    elif path[-1] in ("scale", "var"):
      value = random.uniform(0.8, 1.25, shape)
    else:
      value = random.normal(scale=0.1, size=shape)
    return variable.replace(jnp.asarray(value.astype(np.float32)))

  state = nnx.to_flat_state(nnx.state(member(name)))
  drawn = nnx.from_flat_state([(path, draw(path, variable)) for path, variable in state])
  return nnx.split_state(drawn, nnx.Param, ...)


def count(model):
  params = nnx.state(model, nnx.Param)
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


# Published counts: the networks of the authors and of RepDistiller for CIFAR-100, torchvision's,
# timm's.
COUNTS = {
  ("resnet8", 100, 32): 83_892,
  ("resnet14", 100, 32): 181_108,
  ("resnet20", 100, 32): 278_324,
  ("resnet32", 100, 32): 472_756,
  ("resnet44", 100, 32): 667_188,
  ("resnet56", 100, 32): 861_620,
  ("resnet110", 100, 32): 1_736_564,
  ("resnet20_a", 100, 32): 275_572,
  ("resnet32_a", 100, 32): 470_004,
  ("resnet44_a", 100, 32): 664_436,
  ("resnet56_a", 100, 32): 858_868,
  ("resnet110_a", 100, 32): 1_733_812,
  ("resnet8x4", 100, 32): 1_233_540,
  ("resnet32x4", 100, 32): 7_433_860,
  ("resnet50", 100, 32): 23_705_252,
  ("wrn16_2", 100, 32): 703_284,
  ("wrn28_1", 100, 32): 375_348,
  ("wrn28_2", 100, 32): 1_479_220,
  ("wrn28_3", 100, 32): 3_311_412,
  ("wrn28_4", 100, 32): 5_872_180,
  ("wrn28_8", 100, 32): 23_401_012,
  ("wrn40_1", 100, 32): 569_780,
  ("wrn40_2", 100, 32): 2_255_156,
  ("resnext29_4x4d", 100, 32): 1_300_132,
  ("resnext29_8x4d", 100, 32): 1_809_828,
  ("resnext29_16x4d", 100, 32): 2_829_220,
  ("resnext29_32x4d", 100, 32): 4_868_004,
  ("resnext29_64x4d", 100, 32): 8_945_572,
  ("vgg8", 100, 32): 3_965_028,
  ("vgg11", 100, 32): 9_277_284,
  ("vgg13", 100, 32): 9_462_180,
  ("vgg16", 100, 32): 14_774_436,
  ("vgg19", 100, 32): 20_086_692,
  ("shufflenet_v1", 100, 32): 949_258,
  ("shufflenet_v2", 100, 32): 1_355_528,
  ("shufflenet_v2", 1000, 224): 2_278_604,
  ("mobilenet_v2", 100, 32): 812_836,
  ("mobilenet_v2", 1000, 224): 3_504_872,
  ("alexnet", 200, 64): 57_823_240,
  ("alexnet", 1000, 224): 61_100_840,
  ("resnet18", 1000, 224): 11_689_512,
  ("resnet34", 1000, 224): 21_797_672,
  ("resnet50", 1000, 224): 25_557_032,
  ("wide_resnet26_2", 1000, 224): 39_673_640,
  ("wide_resnet50_2", 1000, 224): 68_883_240,
  ("resnext50_32x4d", 1000, 224): 25_028_904,
  ("resnext101_32x8d", 1000, 224): 88_791_336,
  ("mlp", 10, 28): 269_322,
  ("vit_tiny_patch16_224", 1000, 224): 5_717_416,
  ("vit_small_patch16_224", 1000, 224): 22_050_664,
  ("vit_base_patch16_224", 1000, 224): 86_567_656,
  ("deit_tiny_patch16_224", 1000, 224): 5_717_416,
  ("deit_small_patch16_224", 1000, 224): 22_050_664,
  ("deit_base_patch16_224", 1000, 224): 86_567_656,
  ("deit_tiny_distilled_patch16_224", 1000, 224): 5_910_800,
  ("deit_small_distilled_patch16_224", 1000, 224): 22_436_432,
  ("deit_base_distilled_patch16_224", 1000, 224): 87_338_192,
  ("vit_tiny_patch4_32", 100, 32): 5_380_132,
  ("vit_small_patch4_32", 100, 32): 21_376_996,
  ("deit_tiny_distilled_patch4_32", 100, 32): 5_399_816,
  ("convnext_atto", 1000, 224): 3_695_520,
  ("convnext_tiny", 1000, 224): 28_589_128,
  ("convnext_small", 1000, 224): 50_223_688,
  ("convnext_base", 1000, 224): 88_591_464,
  ("efficientnet_b0", 1000, 224): 5_288_548,
  ("efficientnet_b1", 1000, 240): 7_794_184,
  ("mobilenetv3_small_100", 1000, 224): 2_542_856,
  ("mobilenetv3_large_100", 1000, 224): 5_483_032,
  ("regnety_002", 1000, 224): 3_162_996,
  ("regnety_004", 1000, 224): 4_344_144,
  ("regnety_008", 1000, 224): 6_263_168,
  ("regnety_016", 1000, 224): 11_202_430,
  ("swin_tiny_patch4_window7_224", 1000, 224): 28_288_354,
}


def test_parameter_counts_equal_the_published():
  counted = {}
  for (name, setting), model in reference_forms().items():
    counted[name, setting.num_classes, setting.image_size] = count(model)
    assert count(model) == setting.parameters, name
  assert counted == COUNTS


def test_names_and_shapes_of_all_weights_equal_timms():
  recorded = json.loads(timm_values.FILE.read_text())["names"]
  found = {
    name: timm_values.digest(torch_shapes(model))
    for (name, _), model in reference_forms().items()
    if name in recorded
  }
  assert found == recorded


def test_mlp_series_spans_the_papers_capacities():
  counts = [
    count(abstract("mlp", image_size=28, in_channels=1, depth=depth, width=width, feature_dim=2))
    for depth, width in SERIES
  ]
  assert counts == sorted(counts)
  assert [round(n / 1e6, 1) for n in counts] == [0.1, 0.3, 0.5, 0.6, 0.9]


def test_outputs_have_the_documented_shapes():
  smallest = {}
  for (_, setting), model in reference_forms().items():
    family = type(model), setting.image_size
    if family not in smallest or setting.parameters < smallest[family][0].parameters:
      smallest[family] = setting, model
  assert len(smallest) >= 13
  for setting, model in smallest.values():
    shape = (2, setting.image_size, setting.image_size, setting.in_channels)
    x = jax.ShapeDtypeStruct(shape, jnp.uint8)
    out = jax.eval_shape(lambda model, x: model.outputs(x), model, x)
    assert out.logits.shape == (2, setting.num_classes)
    assert out.logits.dtype == jnp.float32
    classifier = getattr(model, model.classifier_name)
    assert out.features.shape == (2, classifier.kernel.shape[0])
    assert len(out.stages) >= 2
    assert [s.shape for s in out.stages] == [s.shape for s in out.preactivations]


def images(name):
  size = FAMILIES[name]
  return jax.random.normal(jax.random.key(0), (4, size, size, 3))


@functools.cache
def evaluate(name, dtype=jnp.float32):
  model = member(name, dtype=dtype)
  nnx.update(model, *initial_state(name))
  model.eval()
  return nnx.jit(lambda model, x: model.outputs(x))(model, images(name))


@pytest.mark.parametrize("name", FAMILIES)
def test_stages_are_activations_and_features_feed_the_classifier(name):
  out = evaluate(name)
  # The toolkit has neither ResNeXts nor MLPs; their stages end as a ResNet's.
  position, _ = toolkit_layers.CIFAR.get(name, toolkit_layers.CIFAR["resnet8"])
  for stage, preactivation in zip(out.stages, out.preactivations, strict=True):
    assert (stage.min() < 0) == (position != toolkit_layers.RELU)
    if position == toolkit_layers.RELU:
      np.testing.assert_array_equal(stage, nnx.relu(preactivation))
    elif position == toolkit_layers.LINEAR:
      np.testing.assert_array_equal(stage, preactivation)
  model = member(name)
  nnx.update(model, *initial_state(name))
  classifier = getattr(model, model.classifier_name)
  np.testing.assert_allclose(classifier(out.features), out.logits, rtol=1e-5, atol=1e-5)
  if name == "mlp":
    assert out.class_map is None
  else:
    np.testing.assert_allclose(out.class_map.mean((1, 2)), out.logits, rtol=1e-4, atol=1e-4)


def step(graphdef, params, rest, x):
  """Gradients, logits and new batch statistics of a training step."""

  def loss(params):
    model = nnx.merge(graphdef, params, rest, copy=True)
    logits = model(x)
    loss = -jnp.mean(jax.nn.log_softmax(logits)[:, 0])
    return loss, (logits, nnx.state(model, nnx.BatchStat))

  return jax.grad(loss, has_aux=True)(params)


@pytest.mark.parametrize("name", FAMILIES)
def test_bfloat16_computes_on_float32_state(name):
  exact, out = evaluate(name), evaluate(name, jnp.bfloat16)
  for leaf in jax.tree.leaves((out.features, out.stages, out.preactivations)):
    assert leaf.dtype == jnp.bfloat16
  assert out.logits.dtype == jnp.float32
  error = jnp.linalg.norm(out.logits - exact.logits)
  assert error < 0.05 * jnp.linalg.norm(exact.logits)

  model = member(name, dtype=jnp.bfloat16)
  graphdef, params, rest = nnx.split(model, nnx.Param, ...)
  state = jax.eval_shape(functools.partial(step, graphdef), params, rest, images(name))
  for leaf in jax.tree.leaves(state):
    assert leaf.dtype == jnp.float32


@pytest.mark.parametrize("name", ["resnet8", "wrn16_2", "vgg8"])
def test_remat_changes_neither_gradients_nor_statistics(name):
  plain, remat = (
    jax.jit(step, static_argnums=0)(
      nnx.graphdef(member(name, remat=remat)), *initial_state(name), images(name)
    )
    for remat in (False, True)
  )
  for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(remat), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4 * max(1, jnp.abs(a).max()))


class Residuals(models.Network):
  """Sums of residuals, each seen by the next block and by the next sum."""

  def __call__(self, x, blocks):
    for _ in range(blocks):
      x = nnx.relu(self.run(lambda x: x + x @ jnp.ones((4, 4)), x))
    return x


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="only XLA's CPU backend repeats sums")
def test_gradients_do_not_add_the_residuals_of_earlier_blocks_again():
  def additions(blocks):
    gradient = jax.grad(lambda x: jnp.sum(Residuals()(x, blocks)))
    return jax.jit(gradient).lower(jnp.ones((2, 4))).compile().as_text().count(" add(")

  assert additions(12) == 2 * additions(6)


def test_a_block_may_have_any_results():
  results = models.Network().run(lambda x: (x, x.argmax(), 2.5, None), jnp.arange(3.0))
  assert [getattr(x, "dtype", None) for x in results] == [jnp.float32, jnp.int32, None, None]
  assert results[2:] == (2.5, None)
  np.testing.assert_array_equal(results[0], np.arange(3))


@pytest.mark.parametrize(
  ("name", "blocks"),
  {
    "resnet20": 9,
    "wrn16_2": 6,
    "resnext29_4x4d": 9,
    "vgg8": 5,
    "shufflenet_v1": 16,
    "shufflenet_v2": 16,
    "mobilenet_v2": 17,
    "resnext101_32x8d": 33,
    "vit_tiny_patch4_32": 12,
    "swin_tiny_patch4_window7_224": 12,
    "convnext_atto": 12,
    "efficientnet_b0": 16,
    "regnety_002": 13,
  }.items(),
)
def test_remat_recomputes_every_block(name, blocks):
  model = abstract(name, remat=True)
  jaxpr = jax.make_jaxpr(lambda model, x: model(x))(model, jnp.zeros((1, 32, 32, 3)))
  names = [equation.primitive.name for equation in jaxpr.eqns]
  assert names.count("remat2") == blocks


def test_dropout_is_the_only_random_state():
  for (name, _), model in reference_forms().items():
    rest = nnx.state(model, nnx.Not(nnx.Any(nnx.Param, nnx.BatchStat)))
    dropouts = [module for _, module in nnx.iter_modules(model) if isinstance(module, nnx.Dropout)]
    assert len(jax.tree.leaves(rest)) == 2 * len(dropouts), name


def test_dropout_follows_its_key():
  dropout = layers.dropout(0.5, nnx.Rngs(0))

  def mask(seed):
    nnx.reseed(dropout, dropout=seed)
    return dropout(jnp.ones(100))

  np.testing.assert_array_equal(mask(1), mask(1))
  assert (mask(1) != mask(2)).any()
  dropout.eval()
  np.testing.assert_array_equal(mask(1), jnp.ones(100))


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"name": "resnet21"}, "unknown network 'resnet21', must be one of .*; did you mean 'resnet"),
    ({"name": "zzz"}, "unknown network 'zzz', must be one of resnet8, resnet14, "),
    ({"num_classes": 1}, "num_classes must be at least 2, got 1"),
    ({"image_size": 3}, "at least 4 pixels, got image_size=3"),
    ({"remta": True}, "resnet8 has no option 'remta', must be one of remat; did you .*'remat'"),
    ({"depths": (1,)}, "resnet8 has no option 'depths'"),
    ({"name": "mlp", "remat": True}, "mlp has no option 'remat', must be one of depth, width, f"),
  ],
)
def test_bad_arguments_are_refused_in_one_line(arguments, message):
  arguments = {"name": "resnet8", "num_classes": 10} | arguments
  with pytest.raises(ValueError, match=message) as error:
    models.create(**arguments, rngs=nnx.Rngs(0))
  assert "\n" not in str(error.value)


def test_wide_resnet_takes_any_depth_and_width():
  model = models.abstract(
    lambda rngs: models.wrn.WideResNet(depth=22, width=3, num_classes=10, rngs=rngs)
  )
  assert len(model.block1) == 3
  assert model.fc.kernel.shape == (192, 10)
  with pytest.raises(ValueError, match="6n"):
    models.wrn.WideResNet(depth=11, width=3, num_classes=10, rngs=nnx.Rngs(0))


@pytest.mark.parametrize(("image_size", "stem"), [(32, 3), (33, 7), (64, 7), (224, 7)])
def test_resnet50_has_the_toolkits_stem_for_cifar_alone(image_size, stem):
  model = abstract("resnet50", image_size=image_size)
  assert model.conv1.kernel.shape == (stem, stem, 3, 64)


def test_feature_layer_has_no_bias_and_no_relu():
  model = models.create("mlp", num_classes=10, image_size=8, feature_dim=2, rngs=nnx.Rngs(0))
  out = model.outputs(images("mlp"))
  assert out.features.shape == (4, 2)
  assert (out.features < 0).any()
  np.testing.assert_allclose(out.logits, out.features @ model.classifier.kernel[...], rtol=1e-5)
