"""Every family computes what its PyTorch reference computes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import timm_values
from flax import nnx
from weight_shapes import torch_shapes

from jaxkd import models
from jaxkd.models import mobilenet_v2, shufflenet, weights
from jaxkd.models.resnet import (
  BasicBlock,
  Bottleneck,
  OptionAResNet,
  RepDistillerResNet,
  ResNet,
  ZeroPadding,
)

torch = pytest.importorskip("torch", reason="the reference is PyTorch: install the extra `torch`")

from jaxkd.benchmarks import references  # noqa: E402

CLASSES = 5


def imagenet_resnet(block, depths, **block_options):
  return functools.partial(
    ResNet,
    block=block,
    block_options=block_options,
    planes=(64, 128, 256, 512),
    depths=depths,
    imagenet_stem=True,
    num_classes=CLASSES,
  )


def by_name(name, **options):
  return functools.partial(models.create, name, num_classes=CLASSES, **options)


# Our network, the reference, the image size. Deep networks have fewer blocks
# here; the last test compares the names of all their blocks.
CASES = {
  name: (
    by_name(name, image_size=size),
    functools.partial(references.build, name, CLASSES, size),
    size,
  )
  for name, size in (
    ("resnet14", 16),
    ("resnet8x4", 16),
    ("wrn16_2", 16),
    ("resnext29_4x4d", 16),
    ("vgg8", 32),
    ("shufflenet_v1", 32),
    ("shufflenet_v2", 32),
    ("mobilenet_v2", 32),
    ("alexnet", 64),
    ("mlp", 8),
  )
} | {
  "resnet20_a": (
    functools.partial(
      OptionAResNet,
      block=BasicBlock,
      block_options={"shortcut": ZeroPadding},
      planes=(16, 32, 64),
      depths=(1, 2, 1),
      imagenet_stem=False,
      num_classes=CLASSES,
    ),
    lambda: references.option_a_resnet((1, 2, 1), CLASSES),
    16,
  ),
  "wrn10_1": (
    functools.partial(models.wrn.WideResNet, depth=10, width=1, num_classes=CLASSES),
    lambda: references.WideResNet(10, 1, CLASSES),
    16,
  ),
  "vgg11, fourth pool, feature layer": (
    by_name("vgg11", feature_dim=3),
    lambda: references.VGG((1, 1, 2, 2, 2), CLASSES, feature_dim=3),
    64,
  ),
  "shufflenet_v2, ImageNet": (
    by_name("shufflenet_v2", image_size=72),
    lambda: references.ShuffleNetV2(CLASSES),
    72,
  ),
  "mobilenet_v2, ImageNet": (
    by_name("mobilenet_v2", image_size=72),
    lambda: references.MobileNetV2(CLASSES),
    72,
  ),
  "alexnet, ImageNet": (
    by_name("alexnet", image_size=127),
    lambda: references.AlexNet(False, CLASSES),
    127,
  ),
  "resnet18": (
    imagenet_resnet(BasicBlock, (1, 2, 1, 1)),
    lambda: references.imagenet_resnet(references.BasicBlock, (1, 2, 1, 1), CLASSES),
    65,
  ),
  "resnet50, CIFAR": (
    functools.partial(
      RepDistillerResNet,
      block=Bottleneck,
      block_options={},
      planes=(64, 128, 256, 512),
      depths=(1, 2, 1, 1),
      imagenet_stem=False,
      num_classes=CLASSES,
    ),
    lambda: references.toolkit_resnet50((1, 2, 1, 1), CLASSES),
    16,
  ),
  "resnet50": (
    imagenet_resnet(Bottleneck, (1, 2, 1, 1)),
    lambda: references.imagenet_resnet(references.Bottleneck, (1, 2, 1, 1), CLASSES),
    64,
  ),
  "wide_resnet50_2": (
    imagenet_resnet(Bottleneck, (1, 1, 1, 1), base_width=128),
    lambda: references.imagenet_resnet(
      references.Bottleneck, (1, 1, 1, 1), CLASSES, base_width=128
    ),
    64,
  ),
  "resnext50_32x4d": (
    imagenet_resnet(Bottleneck, (1, 1, 1, 1), groups=32, base_width=4),
    lambda: references.imagenet_resnet(
      references.Bottleneck, (1, 1, 1, 1), CLASSES, groups=32, base_width=4
    ),
    64,
  ),
  "mlp, feature layer": (
    by_name("mlp", image_size=8, depth=1, width=16, feature_dim=2),
    lambda: references.MLP(8 * 8 * 3, 1, 16, CLASSES, feature_dim=2),
    8,
  ),
}


def randomize(network):
  """Draws the parameters and running averages of all batch normalisations."""
  generator = torch.Generator().manual_seed(0)

  def fill(tensor, low, high):
    with torch.no_grad():
      tensor.uniform_(low, high, generator=generator)

  for module in network.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      fill(module.weight, 0.5, 1.5)
      fill(module.bias, -0.5, 0.5)
      fill(module.running_mean, -0.5, 0.5)
      fill(module.running_var, 0.5, 2.0)


def disable_dropout(model, network):
  """Turns dropout off: its masks differ between JAX and PyTorch."""
  for _, module in nnx.iter_modules(model):
    if isinstance(module, nnx.Dropout):
      module.rate, module.rngs = 0.0, nnx.data(None)
  for module in network.modules():
    if isinstance(module, torch.nn.Dropout):
      module.p = 0.0


@jax.jit(static_argnums=0)
def run(graphdef, state, x):
  model = nnx.merge(graphdef, state, copy=True)
  return model.outputs(x), nnx.state(model)


def assert_close(ours, theirs, what):
  theirs = np.moveaxis(theirs.numpy(), min(1, theirs.ndim - 1), -1)
  scale = max(1.0, np.abs(theirs).max())
  difference = np.abs(ours - theirs).max() / scale
  assert difference < 1e-4, f"{what}: {difference:.1e} of {scale:.1e}"


@pytest.fixture
def few_blocks(monkeypatch):
  """Limits both networks to two blocks a stage; further blocks repeat the second."""
  depths = (2, 2, 2)
  groups = tuple((*group[:2], min(group[2], 2), group[3]) for group in references.MOBILE_V2)
  monkeypatch.setattr(shufflenet.ShuffleNetV1, "depths", depths)
  monkeypatch.setattr(shufflenet.ShuffleNetV2, "depths", depths)
  monkeypatch.setattr(references, "SHUFFLE_DEPTHS", depths)
  monkeypatch.setattr(mobilenet_v2, "_GROUPS", groups)
  monkeypatch.setattr(references, "MOBILE_V2", groups)


@pytest.mark.parametrize("case", CASES)
def test_a_network_equals_its_pytorch_reference(case, few_blocks):
  build, build_reference, image_size = CASES[case]
  torch.manual_seed(0)
  network = build_reference()
  randomize(network)
  # Shapes suffice: all weights are overwritten.
  model = models.abstract(lambda rngs: build(rngs=rngs))
  tensors = {k: v.numpy() for k, v in weights_of(network).items()}
  nnx.update(model, *weights.from_torch(model, tensors))
  disable_dropout(model, network)
  x = np.random.default_rng(0).normal(size=(4, 3, image_size, image_size))
  x = x.astype(np.float32)

  for mode in ("eval", "train"):
    getattr(network, mode)()
    getattr(model, mode)()
    ours, state = run(*nnx.split(model), jnp.moveaxis(x, 1, -1))
    nnx.update(model, state)
    with torch.no_grad():
      logits, features, stages, preactivations = network(torch.from_numpy(x))

    assert_close(ours.logits, logits, f"{mode}: logits")
    assert_close(ours.features, features, f"{mode}: features")
    for i, (a, b) in enumerate(zip(ours.stages, stages, strict=True)):
      assert_close(a, b, f"{mode}: stage {i}")
    for i, (a, b) in enumerate(zip(ours.preactivations, preactivations, strict=True)):
      assert_close(a, b, f"{mode}: preactivation {i}")

  after = weights.to_torch(model)
  for name, tensor in weights_of(network).items():
    if "running" in name:
      assert_close(after[name], tensor, name)
    else:
      np.testing.assert_array_equal(after[name], tensor)


def weights_of(network):
  return {
    name: tensor
    for name, tensor in network.state_dict().items()
    if not name.endswith("num_batches_tracked")
  }


# Transformers and others have timm's names; see `test_timm.py`.
@pytest.mark.parametrize(
  "name", [n for n in models.list_models() if n != "mlp" and n not in timm_values.NAMES]
)
def test_names_and_shapes_of_all_weights_equal_the_reference(name):
  """At full depth, no entry of the reference's state dict is missing or left over."""
  for form in models.list_models()[name].forms:
    classes, size = form.reference.num_classes, form.reference.image_size
    with torch.device("meta"):
      network = references.build(name, classes, size)
    build = functools.partial(models.create, name, num_classes=classes, image_size=size)
    model = models.abstract(lambda rngs, build=build: build(rngs=rngs))
    assert torch_shapes(model) == {
      key: tuple(tensor.shape) for key, tensor in weights_of(network).items()
    }
