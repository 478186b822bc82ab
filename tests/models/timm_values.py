"""Values of timm's networks that our networks equal: `python tests/models/timm_values.py`.

The command needs timm and PyTorch. It writes `timm_values.json`: for each case the outputs of a
small network of timm with the weights of `drawn`, and for each name of timm a digest of the names
and shapes of its weights. The tests need neither timm nor PyTorch.
"""

import functools
import hashlib
import json
import pathlib
import re

import numpy as np

FILE = pathlib.Path(__file__).with_name("timm_values.json")
CLASSES = 5
IMAGE_SIZES = {"vit": 8, "deit_distilled": 8, "swin": 16, "regnety": 64}  # others: 32
NAMES = (
  *(f"{kind}_{size}_patch16_224" for kind in ("vit", "deit") for size in ("tiny", "small", "base")),
  *(f"deit_{size}_distilled_patch16_224" for size in ("tiny", "small", "base")),
  *("vit_tiny_patch4_32", "vit_small_patch4_32", "deit_tiny_distilled_patch4_32"),
  *(f"convnext_{size}" for size in ("atto", "tiny", "small", "base")),
  *("efficientnet_b0", "efficientnet_b1", "mobilenetv3_small_100", "mobilenetv3_large_100"),
  *(f"regnety_{size}" for size in ("002", "004", "008", "016")),
  "swin_tiny_patch4_window7_224",
)


def drawn(shapes):
  """Returns weights for the names and shapes of a state dict, drawn in the names' order."""
  random = np.random.default_rng(0)
  tensors = {}
  for name, shape in sorted(shapes.items()):
    leaf = name.rpartition(".")[2]
    if leaf in ("running_var", "gamma") or (leaf == "weight" and len(shape) == 1):
      tensor = random.uniform(0.5, 1.5, shape)
    elif leaf == "weight":
      tensor = random.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    else:
      tensor = random.normal(size=shape) / 2
    tensors[name] = tensor.astype(np.float32)
  return tensors


def images(size):
  """Returns images `[B, H, W, channels]`."""
  return np.random.default_rng(1).normal(size=(2, size, size, 3)).astype(np.float32)


def described(array):
  """Returns the norm of an array and eight of its numbers, channels last."""
  array = np.asarray(array, np.float64)
  some = array.ravel()[np.linspace(0, array.size - 1, 8).astype(int)]
  return [float(f"{number:.6g}") for number in (np.linalg.norm(array), *some)]


def digest(shapes):
  """Returns a digest of names and shapes."""
  lines = sorted(f"{name} {tuple(shape)}" for name, shape in shapes.items())
  return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def small_networks():
  """Returns timm's networks with few blocks, and the modules whose outputs are stages."""
  import timm
  from timm.models import _efficientnet_blocks, _efficientnet_builder, efficientnet, mobilenetv3
  from timm.models.regnet import RegNet, RegNetCfg
  from torch import nn

  blocks = ["blocks.0", "blocks.1", "blocks.2", "blocks.3"]
  vit = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
  convnext = {"depths": (1, 1, 2, 1), "dims": (8, 16, 24, 32)}
  stages = ["stages.0", "stages.1", "stages.2", "stages.3"]
  effnet = (
    ["ds_r1_k3_s1_e1_c8_se0.25"],
    ["ir_r2_k5_s2_e6_c16_se0.25"],
    ["ir_r1_k3_s1_e6_c24_se0.25"],
  )
  mobile = (
    ["ds_r1_k3_s2_e1_c8_se0.25_nre"],
    ["ir_r1_k3_s2_e4.5_c16_nre", "ir_r2_k5_s1_e3_c16_se0.25"],
  )
  squeeze = functools.partial(
    _efficientnet_blocks.SqueezeExcite,
    gate_layer="hard_sigmoid",
    force_act_layer=nn.ReLU,
    rd_round_fn=_efficientnet_builder.round_channels,
  )

  def make(name, **options):
    return timm.create_model(name, num_classes=CLASSES, **options)

  def rows(*groups):
    return _efficientnet_builder.decode_arch_def([list(group) for group in groups])

  return {
    "vit": (make("vit_tiny_patch16_224", **vit), blocks),
    "deit_distilled": (make("deit_tiny_distilled_patch16_224", **vit), blocks),
    "convnext_atto": (make("convnext_atto", **convnext), stages),
    "convnext": (make("convnext_tiny", **convnext), stages),
    "efficientnet": (
      efficientnet.EfficientNet(
        rows(*effnet), CLASSES, num_features=40, stem_size=8, act_layer=nn.SiLU
      ),
      ["blocks.2"],
    ),
    "mobilenetv3": (
      mobilenetv3.MobileNetV3(
        rows(*mobile, ["cn_r1_k1_s1_c24"]),
        CLASSES,
        num_features=32,
        stem_size=8,
        act_layer=nn.Hardswish,
        se_layer=squeeze,
      ),
      ["blocks.0", "blocks.1"],
    ),
    "regnety": (
      RegNet(
        RegNetCfg(w0=16, wa=16, wm=2, group_size=8, depth=6, se_ratio=0.25), num_classes=CLASSES
      ),
      ["s1", "s2", "s3", "s4"],
    ),
    "swin": (
      make(
        "swin_tiny_patch4_window7_224",
        img_size=16,
        patch_size=1,
        window_size=4,
        embed_dim=8,
        depths=(2, 1, 1, 1),
        num_heads=(1, 2, 2, 4),
      ),
      ["layers.0", "layers.1", "layers.2", "layers.3"],
    ),
  }


def weights_of(network):
  """Returns a state dict without counters of batches."""
  return {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}


def outputs(network, places, x):
  """Returns logits, features, stages (channels last, without first tokens) and running averages."""
  import torch

  found = {}
  hooks = [
    network.get_submodule(place).register_forward_hook(
      lambda module, given, output, place=place: found.__setitem__(place, output)
    )
    for place in places
  ]
  with torch.no_grad():
    tokens = network.forward_features(torch.from_numpy(np.moveaxis(x, -1, 1).copy()))
    features = network.forward_head(tokens, pre_logits=True)
    stages = [found[place] for place in places]
    logits = network.forward_head(tokens)
  for hook in hooks:
    hook.remove()
  stages = [np.moveaxis(s.numpy(), 1, -1) if s.ndim == 4 else s.numpy() for s in stages]
  first = getattr(network, "num_prefix_tokens", 0)
  if type(network).__name__ == "SwinTransformer":
    stages = [np.moveaxis(s, -1, 1) for s in stages]
  stages = [s[:, first:] if s.ndim == 3 else s for s in stages]
  averages = {k: v.numpy() for k, v in weights_of(network).items() if "running" in k}
  return logits.numpy(), features.numpy(), stages, averages


def record():
  """Writes the file."""
  import timm
  import torch

  values = {"timm": timm.__version__, "outputs": {}, "names": {}}
  for name, (network, places) in small_networks().items():
    tensors = drawn({k: v.shape for k, v in weights_of(network).items()})
    network.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=False)
    kinds = ("eval", "train") if any("running" in k for k in tensors) else ("eval",)
    values["outputs"][name] = {}
    for mode in kinds:
      getattr(network, mode)()
      logits, features, stages, averages = outputs(
        network, places, images(IMAGE_SIZES.get(name, 32))
      )
      values["outputs"][name][mode] = {
        "logits": described(logits),
        "features": described(features),
        "stages": [described(stage) for stage in stages],
        "averages": {k: described(v) for k, v in averages.items() if k.endswith("var")},
      }
  for name in NAMES:
    # Timm has no name for CIFAR's form, but its options.
    options = {"img_size": 32, "patch_size": 4, "num_classes": 100} if "patch4_32" in name else {}
    with torch.device("meta"):
      network = timm.create_model(name.replace("patch4_32", "patch16_224"), **options)
    values["names"][name] = digest({k: v.shape for k, v in weights_of(network).items()})
  text = json.dumps(values, indent=1)
  # One line for each array.
  text = re.sub(r"\[\s+([^][]+?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
  FILE.write_text(f"{text}\n")


if __name__ == "__main__":
  record()
