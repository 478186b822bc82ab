"""Weights from PyTorch and back, under the reference's names.

The names are torchvision's or timm's for the ImageNet forms and the authors'
for the CIFAR forms; see `Network.reference_name` and `Network.timm_name`. What
is written has torchvision's or the authors'.

  python -m jaxkd.convert SRC.pth --model=resnet50 --out=OUT.safetensors

checks a file against a network and writes what `config.teacher.init_from` can
read. The number of classes is the file's, and so is the form, for CIFAR or for
ImageNet, where the network has both. A `.pth` needs PyTorch, a `.safetensors`
needs nothing. Tensors are all that is ever unpickled.
"""

import argparse
import functools
import json
import logging
import math
import os
import pathlib
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import ml_dtypes
import numpy as np
from flax import nnx

from jaxkd import models
from jaxkd.models import Network

logger = logging.getLogger(__name__)

# From a layer's path in a network to its name in a state dict.
Naming = Callable[[str], str]

_LEAVES = {
  "kernel": "weight",
  "scale": "weight",
  "bias": "bias",
  "mean": "running_mean",
  "var": "running_var",
}

# Where PyTorch's axes are in ours, by rank: OIHW in HWIO, OI in IO.
_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}

_DTYPES = {
  "F64": np.dtype(np.float64),
  "F32": np.dtype(np.float32),
  "F16": np.dtype(np.float16),
  "BF16": np.dtype(ml_dtypes.bfloat16),
  "I64": np.dtype(np.int64),
  "I32": np.dtype(np.int32),
  "I16": np.dtype(np.int16),
  "I8": np.dtype(np.int8),
  "U8": np.dtype(np.uint8),
  "BOOL": np.dtype(np.bool_),
}


def from_torch(model: Network, tensors: Mapping[str, np.ndarray]) -> tuple[nnx.State, nnx.State]:
  """Takes a state dict's weights for a network, which stays as it is.

  A classifier for another number of classes is not taken: the network's own
  initial values stay, and that is logged.

  Args:
    model: the network.
    tensors: arrays by the reference's names or by timm's;
      `num_batches_tracked` is ignored.

  Returns:
    The parameters and the batch statistics, to be given to `nnx.update`.

  Raises:
    ValueError: names are missing or left over, or shapes differ; the message
      lists them all.
  """
  fit = _fit(model, tensors)
  fit.check()
  state = []
  for path, name, variable in _variables(model, fit.naming):
    tensor = tensors[name]
    # Only a classifier's shape may be another.
    if tensor.shape == _torch_shape(variable):
      axes = np.argsort(_AXES[tensor.ndim])
      value = np.transpose(tensor, axes).astype(np.float32)
      variable = variable.replace(jnp.asarray(value))
    state.append((path, variable))
  classes = getattr(model, model.classifier_name).kernel.shape[-1]
  if fit.classes != classes:
    logger.warning(
      "%s keeps its initial values: the weights are for %d classes, not %d",
      fit.naming(model.classifier_name),
      fit.classes,
      classes,
    )
  params, stats = nnx.split_state(nnx.from_flat_state(state), nnx.Param, nnx.BatchStat)
  return params, stats


def to_torch(model: Network) -> dict[str, np.ndarray]:
  """A network's weights and running averages as a state dict of its reference.

  Args:
    model: the network.

  Returns:
    Float32 arrays by the reference's names, in PyTorch's layout.
  """
  return {
    name: np.ascontiguousarray(np.transpose(variable.get_value(), _AXES[variable.ndim]))
    for _, name, variable in _variables(model, model.reference_name)
  }


def torch_shapes(model: Network) -> dict[str, tuple[int, ...]]:
  """What `from_torch` expects: names and shapes; the model may be abstract."""
  return {
    name: _torch_shape(variable) for _, name, variable in _variables(model, model.reference_name)
  }


class _Fit(NamedTuple):
  """How a state dict goes with a network.

  Attributes:
    naming: how it names the network's layers.
    classes: number of classes of its classifier; 0 without one.
    problems: the names that are wrong, by what is wrong with them.
  """

  naming: Naming
  classes: int
  problems: Mapping[str, Sequence[str]]

  @property
  def misfits(self) -> int:
    """How many names are wrong."""
    return sum(map(len, self.problems.values()))

  def check(self) -> None:
    """Raises a ValueError that lists all problems, if there are any."""
    problems = [f"{what}: {', '.join(names)}" for what, names in self.problems.items() if names]
    if problems:
      raise ValueError(f"weights don't fit the network; {'; '.join(problems)}")


def _fit(model: Network, tensors: Mapping[str, np.ndarray]) -> _Fit:
  """Compares names and shapes, but for the classifier's number of classes."""
  naming = max(
    (model.reference_name, model.timm_name),
    key=lambda naming: sum(name in tensors for _, name, _ in _variables(model, naming)),
  )
  classifier = naming(model.classifier_name)
  weight = tensors.get(f"{classifier}.weight")
  classes = weight.shape[0] if weight is not None and weight.ndim else 0
  missing, misshaped = [], []
  left = {name for name in tensors if not name.endswith("num_batches_tracked")}
  for _, name, variable in _variables(model, naming):
    if name not in left:
      missing.append(name)
      continue
    left.remove(name)
    shape, expected = tensors[name].shape, _torch_shape(variable)
    if classes and name.startswith(f"{classifier}."):
      expected = classes, *expected[1:]
    if shape != expected:
      misshaped.append(f"{name} {list(shape)}, not {list(expected)}")
  problems = {
    "missing": missing,
    "left over": sorted(left),
    "of another shape": misshaped,
  }
  return _Fit(naming, classes, problems)


def _torch_shape(variable: nnx.Variable) -> tuple[int, ...]:
  return tuple(variable.shape[axis] for axis in _AXES[variable.ndim])


def _variables(
  model: Network, naming: Naming
) -> Iterator[tuple[tuple[Any, ...], str, nnx.Variable]]:
  """Yields path, name in a state dict and variable of every weight."""
  weights = nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))
  for path, variable in nnx.to_flat_state(weights):
    *layer, leaf = map(str, path)
    name = naming(".".join(layer))
    yield path, f"{name}.{_LEAVES[leaf]}", variable


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads the tensors of a `.safetensors` file, or of a `.pth` with PyTorch.

  Raises:
    ValueError: the file is neither or damaged, or PyTorch is needed and absent.
    OSError: the file can't be read.
  """
  path = pathlib.Path(path)
  if path.suffix == ".safetensors":
    return _read_safetensors(path)
  if path.suffix in (".pth", ".pt"):
    return _read_pth(path)
  raise ValueError(f"{path}: expected a .safetensors, .pth or .pt file")


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
  data = memoryview(path.read_bytes())
  try:
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:start]))
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
      begin, end = entry["data_offsets"]
      dtype, shape = _DTYPES[entry["dtype"]], entry["shape"]
      if begin < 0 or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} is in the wrong place")
      tensors[name] = np.frombuffer(data[start + begin : start + end], dtype).reshape(shape)
  except (ValueError, KeyError, TypeError, AttributeError) as error:
    raise ValueError(f"{path} is no valid safetensors file: {error}") from error
  return tensors


def _read_pth(path: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    import torch
  except ImportError as error:
    raise ValueError(
      f"{path} needs PyTorch: install the extra `torch`, or convert the file "
      "to .safetensors where PyTorch is"
    ) from error
  try:
    # Anything but tensors and plain containers is refused, not unpickled.
    tensors = torch.load(path, map_location="cpu", weights_only=True)
  except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
    reason = str(error).partition("\n")[0]
    raise ValueError(f"{path} can't be read: {reason}") from error
  # Training scripts keep the state dict beside their own state.
  for key in ("state_dict", "model"):
    if isinstance(tensors, dict) and isinstance(tensors.get(key), dict):
      tensors = tensors[key]
  if not isinstance(tensors, dict) or not all(
    isinstance(tensor, torch.Tensor) for tensor in tensors.values()
  ):
    raise ValueError(f"{path} can't be read: it holds no state dict")
  return {name.removeprefix("module."): tensor.float().numpy() for name, tensor in tensors.items()}


def write(path: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
  """Writes float32 tensors as a `.safetensors` file."""
  header, end = {}, 0
  for name, tensor in tensors.items():
    begin, end = end, end + tensor.size * 4
    header[name] = {
      "dtype": "F32",
      "shape": tensor.shape,
      "data_offsets": (begin, end),
    }
  encoded = json.dumps(header).encode()
  # The data has to start at a multiple of 8 bytes.
  encoded += b" " * (-len(encoded) % 8)
  with open(path, "wb") as file:
    file.write(len(encoded).to_bytes(8, "little") + encoded)
    for tensor in tensors.values():
      file.write(tensor.astype("<f4").tobytes())


def network_of(
  name: str,
  tensors: Mapping[str, np.ndarray],
  *,
  num_classes: int | None = None,
  image_size: int | None = None,
  in_channels: int | None = None,
) -> Network:
  """Makes the network that a state dict is of.

  Args:
    name: one of `models.list_models()`.
    tensors: arrays by the reference's names or by timm's.
    num_classes: number of classes; by default as many as the tensors are for.
    image_size: height and width of the images; by default those that the
      network's form for CIFAR or for ImageNet has in the literature, whichever
      of the forms the tensors fit.
    in_channels: channels of the images; by default the literature's.

  Returns:
    The network, at its initial values.

  Raises:
    ValueError: the tensors don't fit, or there is no such network.
  """
  fits = []
  for form in models.find(name).forms:
    reference = form.reference
    make = functools.partial(
      models.create,
      name,
      image_size=reference.image_size if image_size is None else image_size,
      in_channels=reference.in_channels if in_channels is None else in_channels,
    )
    model = nnx.eval_shape(lambda make=make: make(num_classes=2, rngs=nnx.Rngs(0)))
    fits.append((_fit(model, tensors), make))
  fit, make = min(fits, key=lambda pair: pair[0].misfits)
  fit.check()
  return make(
    num_classes=fit.classes if num_classes is None else num_classes,
    rngs=nnx.Rngs(0),
  )


def main(argv: Sequence[str] | None = None) -> None:
  """Checks a file of weights against a network, and writes it anew."""
  parser = argparse.ArgumentParser(prog="python -m jaxkd.convert")
  parser.add_argument("src", help=".safetensors, .pth or .pt file")
  parser.add_argument("--model", required=True, help="name of the network")
  parser.add_argument("--out", required=True, help=".safetensors file")
  parser.add_argument(
    "--num_classes",
    type=int,
    help="initialises the classifier anew where the file has another number",
  )
  parser.add_argument(
    "--image_size",
    type=int,
    help="chooses the form for CIFAR or for ImageNet (default: what fits)",
  )
  parser.add_argument("--in_channels", type=int, help="default: 3, and 1 of an mlp")
  flags = parser.parse_args(argv)
  try:
    tensors = read(flags.src)
    model = network_of(
      flags.model,
      tensors,
      num_classes=flags.num_classes,
      image_size=flags.image_size,
      in_channels=flags.in_channels,
    )
    nnx.update(model, *from_torch(model, tensors))
    write(flags.out, to_torch(model))
  except (ValueError, OSError) as error:
    sys.exit(f"{parser.prog}: {error}")


if __name__ == "__main__":
  logging.basicConfig(format="%(message)s")
  main()
