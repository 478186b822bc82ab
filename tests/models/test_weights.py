"""Weights are read from PyTorch's files and written as safetensors."""

import argparse
import collections
import json
import pathlib
import pickle
import sys
import zipfile

import hypothesis
import hypothesis.strategies as st
import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from flax import nnx
from foreign_files import assert_one_line, assert_read_or_refused, damaged, fuzzed
from weight_shapes import torch_shapes

from jaxkd import models
from jaxkd.common import files
from jaxkd.common.errors import FileError, UserError
from jaxkd.models import weights


def make(num_classes=10, **options):
  return models.create("resnet8", num_classes=num_classes, rngs=nnx.Rngs(0), **options)


@pytest.fixture(scope="module")
def tensors():
  """A state dict of random values."""
  random = np.random.default_rng(0)
  return {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in torch_shapes(make()).items()
  }


def test_weights_survive_a_round_trip(tensors):
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


def test_kernels_are_transposed_to_the_layout_of_flax(tensors):
  params, stats = weights.from_torch(make(), tensors)
  kernel = params["layer2"][0]["conv1"]["kernel"][...]
  np.testing.assert_array_equal(kernel[0, 2, 3, 5], tensors["layer2.0.conv1.weight"][5, 3, 0, 2])
  np.testing.assert_array_equal(params["fc"]["kernel"][...], tensors["fc.weight"].T)
  np.testing.assert_array_equal(stats["bn1"]["var"][...], tensors["bn1.running_var"])


def test_another_number_of_classes_keeps_the_initial_classifier(tensors, capsys):
  model = make(num_classes=7)
  params, _ = weights.from_torch(model, tensors)
  assert capsys.readouterr().err == (
    "fc keeps its initial values: the weights are for 10 classes, not 7\n"
  )
  np.testing.assert_array_equal(params["fc"]["kernel"][...], model.fc.kernel[...])
  assert (params["conv1"]["kernel"][...] != model.conv1.kernel[...]).all()


def test_all_misfits_are_listed_in_one_line(tensors):
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


# Timm's and torchvision's names of one layer of each kind.
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


def test_timms_names_of_mobilenet_are_read():
  model = models.abstract(
    lambda rngs: models.create("mobilenet_v2", num_classes=5, image_size=224, rngs=rngs)
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


def test_a_classifier_with_inconsistent_shapes_is_refused(tensors):
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


@pytest.mark.parametrize("dtype", [np.int8, np.int64, bool, np.complex64])
def test_values_that_are_not_floating_point_are_refused(tensors, dtype):
  wrong = tensors | {"conv1.weight": np.zeros((16, 3, 3, 3), dtype)}
  with pytest.raises(models.NetworkError, match=r"not floating point: conv1.weight (int|bool|com)"):
    weights.from_torch(make(), wrong)


def test_long_lists_of_names_are_cut(tensors):
  with pytest.raises(
    models.NetworkError, match=r"missing: bn1.bias, .*layer1.0.bn1.bias and 39 others$"
  ) as error:
    weights.from_torch(make(), {})
  assert len(str(error.value)) < 300


PREFIXES = [
  "module.",
  "_orig_mod.",
  "model.",
  "student.",
  "module._orig_mod.",
  "model.student._orig_mod.module.",
  "backbone.",
]


@pytest.fixture(params=["safetensors", "pth"])
def save(request, tmp_path):
  """Writes a state dict as safetensors or by PyTorch, under a name without a suffix."""

  def write(tensors):
    path = tmp_path / "weights"
    if request.param == "safetensors":
      safetensors.numpy.save_file(dict(tensors), path)
    else:
      torch = pytest.importorskip("torch", reason="it writes .pth files")
      torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, path)
    return path

  return write


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_common_prefix_of_all_names_is_removed(tensors, save, prefix):
  read = weights.read(save({prefix + name: tensor for name, tensor in tensors.items()}))
  model = weights.network_of("resnet8", read)
  nnx.update(model, *weights.from_torch(model, read))
  for name, tensor in weights.to_torch(model).items():
    np.testing.assert_array_equal(tensor, tensors[name])


def test_a_common_prefix_is_reported_if_the_names_still_misfit(tensors, save):
  prefixed = {f"module.{name}": tensor for name, tensor in tensors.items()}
  del prefixed["module.fc.bias"]
  message = r"network; all names begin with 'module\.'; missing: fc.bias$"
  with pytest.raises(models.NetworkError, match=message):
    weights.from_torch(make(), weights.read(save(prefixed)))
  del prefixed["module.conv1.weight"]
  partly = prefixed | {name: tensors[name] for name in ("conv1.weight", "fc.bias")}
  with pytest.raises(models.NetworkError, match="left over: module"):
    weights.from_torch(make(), weights.read(save(partly)))


@pytest.mark.parametrize("suffix", ["", ".pth.tar", ".th", ".bin", ".ckpt", ".safetensors", ".pth"])
def test_the_content_of_a_file_decides_its_type(tensors, save, suffix):
  path = save(tensors)
  path = path.rename(path.with_name(f"weights{suffix}"))
  read = weights.read(path)
  assert read.keys() == tensors.keys()
  np.testing.assert_array_equal(read["fc.weight"], tensors["fc.weight"])


@pytest.mark.parametrize(
  "content", [b"", b"no weights", bytes(100), b"\x89HDF\r\n\x1a\n" + bytes(99)]
)
def test_files_of_other_types_are_refused(tmp_path, content):
  path = tmp_path / "weights.bin"
  path.write_bytes(content)
  with pytest.raises(weights.WeightsError, match="not a safetensors file or a checkpoint of PyT"):
    weights.read(path)
  for absent, reason in ((tmp_path / "absent", "No such file"), (tmp_path, "Is a directory")):
    with pytest.raises(weights.WeightsError, match=f"can't read {absent}: {reason}"):
      weights.read(absent)


def test_dtypes_of_safetensors_are_read_if_numpy_has_them(tmp_path):
  mixed = {
    "half": np.arange(3, dtype=np.float16),
    "bfloat16": np.arange(4).astype(ml_dtypes.bfloat16).reshape(2, 2),
    "scalar": np.asarray(3, np.int64),
    "empty": np.zeros((0, 2), np.float32),
  }
  path = tmp_path / "weights.safetensors"
  safetensors.numpy.save_file(mixed, path)
  read = weights.read(path)
  assert read.keys() == mixed.keys()
  for name, tensor in mixed.items():
    np.testing.assert_array_equal(read[name], tensor, strict=True)
  path.write_bytes(framed(entry(dtype="F8_E4M3", shape=[4])) + bytes(4))
  with pytest.raises(weights.WeightsError, match="has a type that NumPy lacks"):
    weights.read(path)


def test_writing_is_atomic(tmp_path, tensors, full_disk):
  path = tmp_path / "weights.safetensors"
  weights.write(path, tensors)
  before = path.read_bytes()

  with full_disk(), pytest.raises(FileError, match=f"can't write {path}: File too large"):
    weights.write(path, {"a": np.zeros(3, np.float32)})
  assert path.read_bytes() == before
  assert list(tmp_path.iterdir()) == [path]
  for name in ("weights.onnx", "weights.pth", "weights", "safetensors"):
    with pytest.raises(FileError, match=rf"{name}: the name must end with \.safetensors"):
      weights.write(tmp_path / name, tensors)


def framed(header, length=None):
  return (len(header) if length is None else length).to_bytes(8, "little") + header


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
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    entry()[:-1] + b"," + entry()[1:].replace(b'"a"', b'"b"'),
  ],
)
def test_damaged_safetensors_are_refused_in_one_line(tmp_path, header):
  path = tmp_path / "weights.safetensors"
  path.write_bytes(framed(header) + bytes(4))
  with pytest.raises(weights.WeightsError, match="is not a valid safetensors file") as error:
    weights.read(path)
  assert "\n" not in str(error.value)


def test_truncated_safetensors_are_refused_in_one_line(tmp_path, tensors):
  path = tmp_path / "weights.safetensors"
  weights.write(path, tensors)
  data = path.read_bytes()
  longer = [framed(b"{}", length) for length in (3, 2**40, 2**64 - 1)]
  for content in (*(data[:size] for size in (0, 5, 100, len(data) - 1)), *longer):
    path.write_bytes(content)
    with pytest.raises(weights.WeightsError, match="is not a valid safetensors file") as error:
      weights.read(path)
    assert "\n" not in str(error.value)


@pytest.fixture
def torch():
  return pytest.importorskip("torch", reason="it writes and reads .pth files")


@pytest.fixture
def state_dict(torch, tensors):
  """A state dict of parameters that require grad, one of them in bfloat16."""
  made = {name: torch.nn.Parameter(torch.from_numpy(t)) for name, t in tensors.items()}
  made["fc.bias"] = made["fc.bias"].detach().bfloat16()
  return made | {"bn1.num_batches_tracked": torch.tensor(3)}


def assert_read(path, tensors):
  read = weights.read(path)
  assert read.keys() - {"bn1.num_batches_tracked"} == tensors.keys()
  for name, tensor in tensors.items():
    assert read[name].dtype == np.float32
    if name == "fc.bias":
      tensor = tensor.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(read[name], tensor.astype(np.float32))
  params, _ = weights.from_torch(make(), read)
  np.testing.assert_array_equal(params["fc"]["kernel"][...], tensors["fc.weight"].T)


@pytest.mark.parametrize("new_format", [True, False])
def test_parameters_that_require_grad_are_read(tmp_path, torch, state_dict, tensors, new_format):
  path = tmp_path / "weights.pth"
  torch.save(state_dict, path, _use_new_zipfile_serialization=new_format)
  assert_read(path, tensors)
  torch.save(collections.OrderedDict(state_dict), path)
  assert_read(path, tensors)


@pytest.mark.parametrize(
  "key",
  ["net", "state_dict", "state_dict_ema", "model_ema", "model", "model_state_dict", "unheard_of"],
)
def test_the_state_dict_inside_a_checkpoint_is_found(
  tmp_path, torch, state_dict, tensors, capsys, key
):
  path = tmp_path / "checkpoint.pth.tar"
  content = {
    "epoch": 3,
    "best": 91.7,
    "names": ["a", "b"],
    "loss": torch.tensor(0.5),
    key: state_dict,
    "optimizer": {"state": {0: {"step": torch.tensor(1)}}, "param_groups": [{"lr": 0.1}]},
  }
  torch.save(content, path)
  assert_read(path, tensors)
  torch.save({"checkpoint": content}, path)
  assert_read(path, tensors)
  assert not capsys.readouterr().err


def test_the_averaged_state_dict_is_taken_and_reported(
  tmp_path, torch, state_dict, tensors, capsys
):
  path = tmp_path / "checkpoint.pth"
  raw = {name: torch.zeros_like(tensor) for name, tensor in state_dict.items()}
  torch.save({"state_dict": raw, "state_dict_ema": state_dict}, path)
  assert_read(path, tensors)
  assert capsys.readouterr().err == (
    f"{path} holds state_dict, state_dict_ema; state_dict_ema is taken\n"
  )
  torch.save({"a": raw, "b": state_dict}, path)
  with pytest.raises(weights.WeightsError, match="holds several state dicts, a, b; save one of"):
    weights.read(path)


class Malicious:
  def __reduce__(self):
    return exec, ("raise SystemExit('unpickled')",)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize(
  ("other", "found"),
  [
    (argparse.Namespace(lr=0.1), "argparse.Namespace"),
    (np.float64(0.5), r"numpy\S*.multiarray.scalar"),
    (np.ones(3), r"numpy\S*.multiarray._reconstruct"),
    (pathlib.PurePosixPath("a"), "pathlib.*PurePosixPath"),
    (Malicious(), "exec"),
  ],
)
def test_objects_other_than_tensors_are_refused_by_type(
  tmp_path, torch, state_dict, other, found, new_format
):
  path = tmp_path / "checkpoint.pth"
  content = {"args": other, "state_dict": state_dict}
  torch.save(content, path, _use_new_zipfile_serialization=new_format)
  assert_refused(path, f"{path} holds {found}, not only tensors; save its state dict alone")


def assert_refused(path, message):
  with pytest.raises(weights.WeightsError, match=message) as error:
    weights.read(path)
  assert isinstance(error.value, UserError)
  text = str(error.value)
  assert len(text) < 300 + len(str(path))
  assert_one_line(text)


def test_damaged_checkpoints_are_refused(tmp_path, torch, state_dict):
  path = tmp_path / "checkpoint.pth"
  torch.save(state_dict, path)
  whole = path.read_bytes()
  np.savez(tmp_path / "arrays.npz", a=np.ones(3))
  for content in (
    whole[:600],
    whole[: len(whole) // 2],
    pickle.dumps({"a": 1}, protocol=4),
    pickle.dumps({"a": 1}, protocol=2),
    b"\x80\x02",
    (tmp_path / "arrays.npz").read_bytes(),
  ):
    path.write_bytes(content)
    assert_refused(path, "can't be read: it is damaged, or no checkpoint")
  path.write_bytes(pickle.dumps(Malicious(), protocol=2))
  assert_refused(path, "holds exec, not only tensors")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_checkpoints_without_a_state_dict_are_refused(tmp_path, torch):
  path = tmp_path / "checkpoint.pth"
  one = torch.ones(2)
  for content in ([one], {}, {1: one}, {"a": {1: one}}, {"epoch": 3}, {"a": one, "b": 3}, one):
    torch.save(content, path)
    assert_refused(path, "holds no state dict, which has a tensor for each name")
  torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path)
  assert_refused(path, "is a TorchScript program; save its state dict alone")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_without_dense_real_values_are_refused(tmp_path, torch):
  path = tmp_path / "checkpoint.pth"
  for kind, tensor in {
    "sparse": torch.eye(2).to_sparse(),
    "complex": torch.ones(2, dtype=torch.complex64),
    "without values, on the meta device": torch.ones(2, device="meta"),
    "quantised": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
    "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    # 200 terabytes if they were read.
    "expanded, with fewer values than its shape": torch.ones(1, dtype=torch.bfloat16).expand(
      10**7, 10**7
    ),
  }.items():
    torch.save({"a.weight": torch.ones(2), "b.weight": tensor}, path)
    assert_refused(path, f"b.weight is {kind}, must be a dense tensor of real numbers")


def test_checkpoints_with_the_same_dict_at_many_places_are_read_once(tmp_path, torch):
  path = tmp_path / "checkpoint.pth"
  content = {"state": {"a": torch.ones(2)}}
  # A search of every place would take 2**50 steps.
  for _ in range(50):
    content = {"x": content, "y": content}
  content = {"a": content, "b": {"weight": torch.ones(2)}}
  content["itself"] = content
  torch.save(content, path)
  assert weights.read(path).keys() == {"weight"}
  deep = {"a": torch.ones(2)}
  for _ in range(300):
    deep = {"x": deep}
  torch.save(deep, path)
  assert_refused(path, "holds no state dict")


def test_a_checkpoint_that_is_a_bomb_is_refused(tmp_path, torch, monkeypatch):
  monkeypatch.setattr(files, "_BOMB_BYTES", 10_000)
  path, packed = tmp_path / "checkpoint.pth", tmp_path / "packed.pth"
  torch.save({"a": torch.zeros(10**6)}, path)
  with zipfile.ZipFile(path) as stored, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
    for member in stored.infolist():
      out.writestr(member.filename, stored.read(member))
  assert_refused(packed, "packed.pth unpacks to .* bytes, must be under 100 times its size")
  assert weights.read(path)["a"].shape == (10**6,)


def test_a_name_in_a_checkpoint_stays_in_one_line(tmp_path, torch):
  path = tmp_path / "checkpoint.pth"
  torch.save({"a\nb\x1b[2J": torch.ones(2, dtype=torch.complex64)}, path)
  assert_refused(path, r"a b\\x1b\[2J is complex")


def test_text_is_no_checkpoint(tmp_path):
  path = tmp_path / "checkpoint.pth"
  path.write_text("Not found: the file has moved to another server.")
  assert_refused(path, "is not a safetensors file or a checkpoint of PyTorch")


@pytest.mark.parametrize("new_format", [True, False])
def test_damaged_checkpoints_are_read_or_refused(tmp_path, torch, new_format):
  path = tmp_path / "checkpoint.pth"
  content = {"epoch": 3, "state_dict": {"a.weight": torch.ones(2), "a.bias": torch.zeros(1)}}
  torch.save(content, path, _use_new_zipfile_serialization=new_format)

  @fuzzed(60)
  @hypothesis.given(damaged(path.read_bytes()))
  def check(content):
    path.write_bytes(content)
    assert_read_or_refused(lambda: weights.read(path), weights.WeightsError)

  check()


def _entry(dtype="F32", shape=(1,), offsets=(0, 4)):
  return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def _safetensors(header, body=bytes(4), length=None):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  return (len(text) if length is None else length).to_bytes(8, "little") + text + body


@pytest.mark.parametrize(
  "content",
  [
    _safetensors(b'{"a":' + b"[" * 10**5 + b"]" * 10**5 + b"}"),
    _safetensors({"a": _entry(), "b": _entry()}),
    _safetensors({"a": _entry(offsets=(4, 8))}, bytes(8)),
    _safetensors({"a": _entry()}, length=10**6),
    _safetensors({"a": _entry()}, length=2**63),
    _safetensors({"a": _entry("F99")}),
    _safetensors({"a": _entry("F8_E8M0", (4,))}),
    _safetensors({"a": _entry("F6_E2M3", (16,), (0, 12))}, bytes(12)),
    _safetensors({"a": _entry(shape=(2**40, 2**40))}),
    _safetensors({"a": _entry(shape=(0, 2**40, 2**40), offsets=(0, 0))}, b""),
    _safetensors({"a": _entry(shape=(1,) * 99)}),
    _safetensors(b'{"\xff": 1}'),
    _safetensors([1]),
    _safetensors({"a": _entry()}, bytes(9)),
  ],
)
def test_unsound_safetensors_are_refused(tmp_path, content):
  path = tmp_path / "weights.safetensors"
  path.write_bytes(content)
  assert_refused(path, "weights.safetensors ")


_JSON = st.recursive(
  st.none() | st.integers() | st.text(max_size=3),
  lambda values: st.lists(values) | st.dictionaries(st.text(max_size=3), values),
  max_leaves=5,
)
_ENTRIES = st.fixed_dictionaries(
  {
    "dtype": st.sampled_from(["F32", "BF16", "F8_E4M3", "F4", "I64", "BOOL", "C64"]),
    "shape": st.lists(st.integers(0, 4) | st.just(2**40), max_size=3),
    "data_offsets": st.tuples(st.integers(0, 8), st.integers(0, 8)),
  }
)
_HEADERS = _JSON | st.dictionaries(st.text(max_size=3), _ENTRIES | _JSON, max_size=3)


@fuzzed(150)
@hypothesis.given(
  st.builds(_safetensors, _HEADERS, st.binary(max_size=16))
  | damaged(_safetensors({"a": _entry(), "b": _entry("BF16", (2,), (4, 8))}, bytes(8)))
)
def test_damaged_safetensors_are_read_or_refused(tmp_path, content):
  path = tmp_path / "weights.safetensors"
  path.write_bytes(content)
  assert_read_or_refused(lambda: weights.read(path), weights.WeightsError)


def test_a_checkpoint_without_torch_names_the_extra(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "torch", None)
  path = tmp_path / "weights"
  path.write_bytes(b"PK\x03\x04")
  with pytest.raises(weights.WeightsError, match=r"pip install 'jaxkd-distill\[torch\]'; or"):
    weights.read(path)


FORMS = [
  (name, form.reference)
  for name in ("mobilenet_v2", "mlp")
  for form in models.list_models()[name].forms
]


@pytest.mark.parametrize(("name", "reference"), FORMS)
def test_classes_and_form_are_inferred_from_the_weights(name, reference):
  def shapes_of(build):
    return torch_shapes(nnx.eval_shape(build))

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
