"""Weights from PyTorch and back."""

import json
import os
import pickle
import subprocess
import sys

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx

from jaxkd import models
from jaxkd.models import weights


def make(num_classes=10, **options):
  return models.create("resnet8", num_classes=num_classes, rngs=nnx.Rngs(0), **options)


@pytest.fixture(scope="module")
def tensors():
  """A state dict with a value of its own everywhere."""
  random = np.random.default_rng(0)
  return {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in weights.torch_shapes(make()).items()
  }


def test_round_trip(tensors):
  model = make()
  before = nnx.graphdef(model), jax.tree.leaves(nnx.state(model))
  params, stats = weights.from_torch(model, tensors)
  for a, b in zip(before[1], jax.tree.leaves(nnx.state(model)), strict=True):
    np.testing.assert_array_equal(a, b)
  nnx.update(model, params, stats)
  assert nnx.graphdef(model) == before[0]
  returned = weights.to_torch(model)
  assert returned.keys() == tensors.keys()
  for name, tensor in tensors.items():
    np.testing.assert_array_equal(returned[name], tensor)


def test_layout(tensors):
  params, stats = weights.from_torch(make(), tensors)
  kernel = params["layer2"][0]["conv1"]["kernel"][...]
  np.testing.assert_array_equal(kernel[0, 2, 3, 5], tensors["layer2.0.conv1.weight"][5, 3, 0, 2])
  np.testing.assert_array_equal(params["fc"]["kernel"][...], tensors["fc.weight"].T)
  np.testing.assert_array_equal(stats["bn1"]["var"][...], tensors["bn1.running_var"])


def test_another_number_of_classes_keeps_the_classifier(tensors, caplog):
  model = make(num_classes=7)
  params, _ = weights.from_torch(model, tensors)
  assert caplog.messages == ["fc keeps its initial values: the weights are for 10 classes, not 7"]
  np.testing.assert_array_equal(params["fc"]["kernel"][...], model.fc.kernel[...])
  assert (params["conv1"]["kernel"][...] != model.conv1.kernel[...]).all()


def test_misfits_are_listed_at_once(tensors):
  wrong = dict(tensors)
  del wrong["bn1.weight"], wrong["layer1.0.bn1.running_mean"]
  wrong["head.weight"] = wrong["head.bias"] = np.zeros(1)
  wrong["conv1.weight"] = np.zeros((16, 1, 3, 3), np.float32)
  wrong["fc.weight"] = np.zeros((10, 32), np.float32)
  with pytest.raises(ValueError, match="don't fit") as error:
    weights.from_torch(make(), wrong)
  assert str(error.value) == (
    "weights don't fit the network; "
    "missing: bn1.weight, layer1.0.bn1.running_mean; "
    "left over: head.bias, head.weight; "
    "of another shape: conv1.weight [16, 1, 3, 3], not [16, 3, 3, 3], "
    "fc.weight [10, 32], not [10, 64]"
  )


def timm_mobilenet_v2():
  """Names and shapes of timm's `mobilenetv2_100`."""
  shapes = {}

  def conv_bn(conv, bn, outputs, inputs, size):
    shapes[f"{conv}.weight"] = outputs, inputs, size, size
    for leaf in ("weight", "bias", "running_mean", "running_var"):
      shapes[f"{bn}.{leaf}"] = (outputs,)

  conv_bn("conv_stem", "bn1", 32, 3, 3)
  conv_bn("blocks.0.0.conv_dw", "blocks.0.0.bn1", 32, 1, 3)
  conv_bn("blocks.0.0.conv_pw", "blocks.0.0.bn2", 16, 32, 1)
  inputs = 16
  groups = (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1)
  for i, (outputs, depth) in enumerate(groups):
    for j in range(depth):
      block, middle = f"blocks.{i + 1}.{j}", 6 * inputs
      conv_bn(f"{block}.conv_pw", f"{block}.bn1", middle, inputs, 1)
      conv_bn(f"{block}.conv_dw", f"{block}.bn2", middle, 1, 3)
      conv_bn(f"{block}.conv_pwl", f"{block}.bn3", outputs, middle, 1)
      inputs = outputs
  conv_bn("conv_head", "bn2", 1280, 320, 1)
  return shapes | {"classifier.weight": (5, 1280), "classifier.bias": (5,)}


# Timm's name and torchvision's of a layer of each kind.
TIMM = {
  "conv_stem.weight": "features.0.0.weight",
  "bn1.bias": "features.0.1.bias",
  "blocks.0.0.conv_dw.weight": "features.1.conv.0.0.weight",
  "blocks.0.0.bn1.bias": "features.1.conv.0.1.bias",
  "blocks.0.0.conv_pw.weight": "features.1.conv.1.weight",
  "blocks.0.0.bn2.bias": "features.1.conv.2.bias",
  "blocks.3.1.conv_pw.weight": "features.8.conv.0.0.weight",
  "blocks.3.1.bn1.running_mean": "features.8.conv.0.1.running_mean",
  "blocks.3.1.conv_dw.weight": "features.8.conv.1.0.weight",
  "blocks.3.1.bn2.running_var": "features.8.conv.1.1.running_var",
  "blocks.3.1.conv_pwl.weight": "features.8.conv.2.weight",
  "blocks.3.1.bn3.weight": "features.8.conv.3.weight",
  "conv_head.weight": "features.18.0.weight",
  "bn2.bias": "features.18.1.bias",
  "classifier.weight": "classifier.1.weight",
}


def test_timms_names_of_mobilenet():
  model = nnx.eval_shape(
    lambda: models.create("mobilenet_v2", num_classes=5, image_size=224, rngs=nnx.Rngs(0))
  )
  random = np.random.default_rng(0)
  tensors = {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in timm_mobilenet_v2().items()
  }
  nnx.update(model, *weights.from_torch(model, tensors))
  ours = weights.to_torch(model)
  for timm, torchvision in TIMM.items():
    np.testing.assert_array_equal(ours[torchvision], tensors[timm])
  del tensors["blocks.6.0.bn3.bias"]
  with pytest.raises(ValueError, match=r"network; missing: blocks.6.0.bn3.bia"):
    weights.from_torch(model, tensors)


def test_a_classifier_is_for_one_number_of_classes(tensors):
  with pytest.raises(ValueError, match=r"fc.bias \[3\], not \[10\]"):
    weights.from_torch(make(), tensors | {"fc.bias": np.zeros(3, np.float32)})


def test_counters_of_batches_are_ignored(tensors):
  counter = {"bn1.num_batches_tracked": np.asarray(3)}
  weights.from_torch(make(), tensors | counter)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_other_precisions_become_float32(tensors, dtype):
  lower = {name: tensor.astype(dtype) for name, tensor in tensors.items()}
  params, _ = weights.from_torch(make(), lower)
  bias = params["fc"]["bias"][...]
  assert bias.dtype == np.float32
  np.testing.assert_array_equal(bias, lower["fc.bias"].astype(np.float32))


def test_safetensors_are_the_packages(tmp_path, tensors):
  path = tmp_path / "weights.safetensors"
  weights.write(path, tensors)
  for name, tensor in safetensors.numpy.load_file(path).items():
    np.testing.assert_array_equal(tensor, tensors[name])
  mixed = {
    "half": np.arange(3, dtype=np.float16),
    "scalar": np.asarray(3, np.int64),
    "empty": np.zeros((0, 2), np.float32),
  }
  safetensors.numpy.save_file(mixed, path, metadata={"format": "pt"})
  read = weights.read(path)
  assert read.keys() == mixed.keys()
  for name, tensor in mixed.items():
    np.testing.assert_array_equal(read[name], tensor, strict=True)


def test_bfloat16_files(tmp_path):
  data = np.arange(4).astype(ml_dtypes.bfloat16)
  header = {"a": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
  encoded = json.dumps(header).encode()
  path = tmp_path / "weights.safetensors"
  path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data.tobytes())
  np.testing.assert_array_equal(weights.read(path)["a"], data.reshape(2, 2), strict=True)


def entry(**changes):
  default = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
  return json.dumps({"a": default | changes}).encode()


@pytest.mark.parametrize(
  "header",
  [
    b"not json",
    b"[]",
    b"\xff",
    entry(dtype="F31"),
    entry(shape=[2]),
    entry(data_offsets=[0, 400], shape=[100]),
    entry(data_offsets=[-4, 0]),
    entry(data_offsets=0),
    json.dumps({"a": 1}).encode(),
  ],
)
def test_damaged_safetensors(tmp_path, header):
  path = tmp_path / "weights.safetensors"
  path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
  with pytest.raises(ValueError, match="no valid safetensors file"):
    weights.read(path)


def test_truncated_safetensors(tmp_path, tensors):
  path = tmp_path / "weights.safetensors"
  weights.write(path, tensors)
  data = path.read_bytes()
  for size in (0, 5, 100, len(data) - 1):
    path.write_bytes(data[:size])
    with pytest.raises(ValueError, match="no valid safetensors file"):
      weights.read(path)


def test_unknown_suffix(tmp_path):
  with pytest.raises(ValueError, match=r"expected a \.safetensors, \.pth or"):
    weights.read(tmp_path / "weights.npz")


class Malicious:
  def __reduce__(self):
    return exec, ("raise SystemExit('unpickled')",)


def test_pth(tmp_path, tensors):
  torch = pytest.importorskip("torch", reason="it writes and reads .pth files")
  path = tmp_path / "weights.pth"
  state_dict = {f"module.{k}": torch.from_numpy(v) for k, v in tensors.items()}
  for content in (state_dict, {"epoch": 3, "model": state_dict}):
    torch.save(content, path)
    read = weights.read(path)
    assert read.keys() == tensors.keys()
    np.testing.assert_array_equal(read["fc.weight"], tensors["fc.weight"])
  for bad in (pickle.dumps(Malicious(), protocol=2), b"no pickle", b""):
    path.write_bytes(bad)
    with pytest.raises(ValueError, match="can't be read") as error:
      weights.read(path)
    assert "\n" not in str(error.value)
  for content in ([1, 2], {"net": state_dict}):
    torch.save(content, path)
    with pytest.raises(ValueError, match="no state dict"):
      weights.read(path)


def test_pth_without_torch(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "torch", None)
  with pytest.raises(ValueError, match="install the extra `torch`"):
    weights.read(tmp_path / "weights.pth")


def test_command(tmp_path, tensors):
  src, out = tmp_path / "src.safetensors", tmp_path / "out.safetensors"
  weights.write(src, tensors)
  arguments = [str(src), "--model=resnet8", f"--out={out}"]
  weights.main(arguments)
  written = weights.read(out)
  assert written.keys() == tensors.keys()
  for name, tensor in tensors.items():
    np.testing.assert_array_equal(written[name], tensor)
  weights.main([*arguments, "--num_classes=7"])
  written = weights.read(out)
  assert written["fc.weight"].shape == (7, 64)
  np.testing.assert_array_equal(written["conv1.weight"], tensors["conv1.weight"])
  with pytest.raises(SystemExit, match="convert: num_classes must be at least"):
    weights.main([*arguments, "--num_classes=0"])
  with pytest.raises(SystemExit, match="convert: unknown model 'resnet9'; did"):
    weights.main([str(src), "--model=resnet9", f"--out={out}"])
  with pytest.raises(SystemExit, match="convert: weights don't fit"):
    weights.main([str(src), "--model=resnet14", f"--out={out}"])
  with pytest.raises(SystemExit, match=r"convert: .*No such file"):
    weights.main([*arguments[1:], str(tmp_path / "absent.safetensors")])


def test_command_says_only_what_matters(tmp_path, tensors):
  src = tmp_path / "src.safetensors"
  weights.write(src, tensors)
  arguments = [src, "--model=resnet8", f"--out={src}", "--num_classes=7"]
  process = subprocess.run(
    [sys.executable, "-m", "jaxkd.convert", *arguments],
    # Looking for accelerators, JAX logs each that is not there.
    env={**os.environ, "JAX_PLATFORMS": ""},
    capture_output=True,
    text=True,
    check=True,
  )
  assert "fc keeps its initial values" in process.stderr
  assert "Unable to initialize backend" not in process.stderr


FORMS = [
  (name, form.reference)
  for name in ("mobilenet_v2", "mlp")
  for form in models.list_models()[name].forms
]


@pytest.mark.parametrize(("name", "reference"), FORMS)
def test_classes_and_form_are_those_of_the_weights(name, reference):
  def shapes_of(build):
    return weights.torch_shapes(nnx.eval_shape(build))

  shapes = shapes_of(
    lambda: models.create(
      name,
      num_classes=7,
      image_size=reference.image_size,
      in_channels=reference.in_channels,
      rngs=nnx.Rngs(0),
    )
  )
  tensors = {key: np.zeros(shape) for key, shape in shapes.items()}
  assert shapes_of(lambda: weights.network_of(name, tensors)) == shapes
  other = 224 if reference.image_size < 224 else 32
  with pytest.raises(ValueError, match="don't fit the network"):
    weights.network_of(name, tensors, image_size=other)
