"""`jaxkd.convert` checks weights and writes them as safetensors."""

import os
import subprocess
import sys

import numpy as np
import pytest
from flax import nnx
from weight_shapes import torch_shapes

from jaxkd import convert, models
from jaxkd.models import weights


@pytest.fixture(scope="module")
def tensors():
  """A state dict of random values."""
  random = np.random.default_rng(0)
  model = nnx.eval_shape(lambda: models.create("resnet8", num_classes=10, rngs=nnx.Rngs(0)))
  return {
    name: random.normal(size=shape).astype(np.float32)
    for name, shape in torch_shapes(model).items()
  }


def test_weights_are_checked_and_written(tmp_path, tensors, capsys):
  src, out = tmp_path / "src.safetensors", tmp_path / "out.safetensors"
  weights.write(src, tensors)
  arguments = [str(src), "--model=resnet8", f"--out={out}"]
  convert.main(arguments)
  written = weights.read(out)
  assert written.keys() == tensors.keys()
  for name, tensor in tensors.items():
    np.testing.assert_array_equal(written[name], tensor)
  convert.main([*arguments, "--num_classes=7"])
  assert "fc keeps its initial values" in capsys.readouterr().err
  written = weights.read(out)
  assert written["fc.weight"].shape == (7, 64)
  np.testing.assert_array_equal(written["conv1.weight"], tensors["conv1.weight"])
  for wrong, message in (
    (
      [*arguments, "--num_classes=-1"],
      "--model is 'resnet8': num_classes must be at least 2, got -",
    ),
    (
      [*arguments, "--in_channels=-1"],
      "--model is 'resnet8': in_channels must be at least 1, got -",
    ),
    ([*arguments, "--image_size=-1"], "--model is 'resnet8': resnet8 needs images of at least 4 "),
    ([*arguments, "--num_classes=ten"], "--num_classes is 'ten', must be an integer"),
    ([str(src)], "the following arguments are required: --model, --out"),
    ([str(src), "--modle=resnet8", f"--out={out}"], "the flag is --modle, must be one of --help, "),
    ([str(src), "--model=resnet9", f"--out={out}"], "--model is 'resnet9': unknown network "),
    ([str(src), "--model=resnet14", f"--out={out}"], "--model is 'resnet14': weights don't fit "),
    (
      [str(src), "--model=math:sqrt", f"--out={out}", "--num_classes=5"],
      "--model is 'math:sqrt': ",
    ),
    ([str(src), "--model=resnet8", "--out=a.pth"], "can't write a.pth: the name must end with .s"),
    (["absent", *arguments[1:]], "can't read absent: No such file or directory"),
  ):
    with pytest.raises(SystemExit) as error:
      convert.main(wrong)
    assert error.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(f"jaxkd: {message}")
    assert told.count("\n") == 1


def test_stderr_reports_only_the_kept_classifier(tmp_path, tensors):
  src = tmp_path / "src.safetensors"
  weights.write(src, tensors)
  arguments = [src, "--model=resnet8", f"--out={src}", "--num_classes=7"]
  process = subprocess.run(
    [sys.executable, "-m", "jaxkd.convert", *arguments],
    # JAX then looks for accelerators, and logs each one that is missing.
    env={**os.environ, "JAX_PLATFORMS": ""},
    capture_output=True,
    text=True,
    check=True,
  )
  assert process.stderr == ("fc keeps its initial values: the weights are for 10 classes, not 7\n")


@pytest.mark.parametrize("legacy", [True, False])
def test_a_teacher_of_repdistiller_is_read(tmp_path, legacy):
  torch = pytest.importorskip("torch", reason="the checkpoint is PyTorch's")
  src, out = tmp_path / "ckpt_epoch_240.pth", tmp_path / "out.safetensors"
  shapes = {}
  for size in (32, 224):
    model = models.abstract(
      lambda rngs, size=size: models.create("resnet50", num_classes=100, image_size=size, rngs=rngs)
    )
    shapes[size] = torch_shapes(model)
  state = {name: torch.full(shape, 0.5) for name, shape in shapes[32].items()}
  # Its names, which differ from torchvision's.
  assert state.keys() - shapes[224].keys() > {"linear.weight", "layer1.0.shortcut.0.weight"}
  content = {
    "epoch": 240,
    "model": state | {"bn1.num_batches_tracked": torch.tensor(7)},
    "accuracy": torch.tensor(79.34),
    "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]},
  }
  torch.save(content, src, _use_new_zipfile_serialization=not legacy)
  convert.main([str(src), "--model=resnet50", f"--out={out}"])
  written = weights.read(out)
  assert {name: tensor.shape for name, tensor in written.items()} == shapes[32]
  assert (written["layer4.0.shortcut.0.weight"] == 0.5).all()


@pytest.mark.parametrize(("size", "flags"), [(8, []), (28, []), (32, ["--in_channels=3"])])
def test_an_mlp_tells_the_size_of_its_images(tmp_path, size, flags):
  src, out = tmp_path / "src.safetensors", tmp_path / "out.safetensors"
  settings = {"image_size": size, "in_channels": 3 if flags else 1}
  model = models.create("mlp", num_classes=10, rngs=nnx.Rngs(0), **settings)
  weights.write(src, weights.to_torch(model))
  convert.main([str(src), "--model=mlp", f"--out={out}", *flags])
  assert out.read_bytes() == src.read_bytes()
