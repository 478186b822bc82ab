"""Reads weights from files of PyTorch and writes them, under the reference's names.

The names are torchvision's or timm's for the ImageNet forms and the authors' for the CIFAR forms;
see `Network.reference_name` and `Network.timm_name`. Torchvision's or the authors' are written. A
network from outside of the package has Flax's names and layout: `Conv_0.kernel`.
"""

import functools
import json
import math
import pathlib
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax import nnx

from jaxkd.common import shell
from jaxkd.common.console import tell
from jaxkd.common.digests import crc32, digest
from jaxkd.common.errors import FileError, described, explained
from jaxkd.common.files import StrPath, check_zip, write_atomically
from jaxkd.models.base import Network, NetworkError
from jaxkd.models.registry import Reference, create, find
from jaxkd.models.shapes import abstract

_LEAVES = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
# Where PyTorch's axes are in ours, by rank: OIHW in HWIO, OI in IO.
_AXES = {4: (3, 2, 0, 1), 2: (1, 0)}
# The first of these is taken if a file has several state dicts.
_CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model", "net", "student")
_LISTED = 8  # names in a message for each kind of fault
_DEPTH = 8  # of dicts in a checkpoint that are searched


class WeightsError(FileError, ValueError):
  """A file of weights can't be read or written; the message names it."""


def from_torch(
  model: Network, tensors: Mapping[str, np.ndarray], *, exact: bool = False
) -> tuple[nnx.State, nnx.State]:
  """Returns parameters and batch statistics for `nnx.update`; the network stays as it is.

  A classifier for another number of classes is not taken: the network's own initial values stay.
  Position embeddings for another image size are interpolated. A line on stderr says so; with
  `exact` both are refused. The state dict has the reference's names or timm's, with or without a
  common prefix as `module.`; its `num_batches_tracked` are ignored.

  Raises:
    NetworkError: names are missing or left over, shapes differ, or values are not floating point;
      the message lists the names.
  """
  fit = _fit(model, tensors)
  fit.check()
  if fit.resized:
    if exact:
      raise NetworkError(fit.resized)
    tell(fit.resized)
  state = []
  for path, name, variable, axes, shape in _variables(model, fit.naming):
    tensor = fit.tensors[name]
    # Only a classifier's shape may differ.
    if tensor.shape == shape:
      value = np.transpose(tensor, np.argsort(axes))
      variable = variable.replace(jnp.asarray(value.astype(variable.dtype)))
    state.append((path, variable))
  classes = fit.classes and getattr(model, model.classifier_name).kernel.shape[-1]
  if fit.classes != classes:
    differ = f"the weights are for {fit.classes} classes, not {classes}"
    if exact:
      raise NetworkError(differ)
    names = _classifiers(model, fit.naming)
    keep = "keep their" if names[1:] else "keeps its"
    tell(f"{' and '.join(names)} {keep} initial values: {differ}")
  params, stats = nnx.split_state(nnx.from_flat_state(state), nnx.Param, nnx.BatchStat)
  return params, stats


def to_torch(model: Network) -> dict[str, np.ndarray]:
  """Returns a network's weights and running averages as a state dict of its reference."""
  return {
    name: np.ascontiguousarray(np.transpose(variable.get_value(), axes))
    for _, name, variable, axes, _ in _variables(model, model.reference_name)
  }


class _Fit(NamedTuple):
  """The fit of a state dict to a network."""

  misfits: int  # the number of wrong names
  message: str  # lists them
  tensors: Mapping[str, np.ndarray]  # without a prefix of all names
  naming: Callable[[str], str]  # from a layer's path in the network to its name in the state dict
  classes: int  # of the state dict's classifier; 0 without one
  resized: str  # says which tensor is interpolated; or empty

  def check(self) -> None:
    """Raises a NetworkError if a name is wrong."""
    if self.misfits:
      raise NetworkError(f"weights don't fit the network; {self.message}")


def _variables(
  model: Network, naming: Callable[[str], str]
) -> Iterator[tuple[tuple[Any, ...], str, nnx.Variable, Sequence[int], tuple[int, ...]]]:
  """Yields path, name in a state dict, variable, order of axes and shape there of every weight."""
  weights = nnx.state(model, nnx.Any(nnx.Param, nnx.BatchStat))
  for path, variable in nnx.to_flat_state(weights):
    *layer, leaf = map(str, path)
    name = ".".join([*layer[1:], leaf])
    axes: Sequence[int] = range(variable.ndim)
    if model.follows_torch:
      leaf = _LEAVES.get(leaf, leaf)
      name = f"{naming('.'.join(layer))}.{leaf}" if layer else leaf
      axes = _AXES.get(variable.ndim, axes)
    yield path, name, variable, axes, tuple(variable.shape[axis] for axis in axes)


def _fit(model: Network, tensors: Mapping[str, np.ndarray]) -> _Fit:
  """Compares names and shapes, with the naming and the prefix that fit best."""
  parts = next(iter(tensors), "").split(".")[:-1]
  prefixes = ["".join(f"{part}." for part in parts[:n]) for n in range(len(parts) + 1)]
  prefixes = [prefix for prefix in prefixes if all(name.startswith(prefix) for name in tensors)]
  fits = [
    _compare(model, {name.removeprefix(prefix): t for name, t in tensors.items()}, naming)
    for prefix in prefixes
    for naming in (model.reference_name, model.timm_name)
  ]
  fit = min(fits, key=lambda fit: fit.misfits)
  if prefixes[-1]:
    fit = fit._replace(message=f"all names begin with {prefixes[-1]!r}; {fit.message}")
  return fit


def _classifiers(model: Network, naming: Callable[[str], str]) -> list[str]:
  """Returns the classifiers' names in a state dict."""
  return [naming(name) for name in (model.classifier_name, model.second_classifier) if name]


def _compare(
  model: Network, tensors: Mapping[str, np.ndarray], naming: Callable[[str], str]
) -> _Fit:
  """Compares all but the classifier's number of classes."""
  tensors, resized = model.resized(tensors)
  classifiers = _classifiers(model, naming)
  weight = tensors.get(f"{classifiers[0]}.weight") if classifiers else None
  classes = weight.shape[0] if weight is not None and weight.ndim else 0
  missing, misshaped, whole = [], [], []
  left = {name for name in tensors if not name.endswith("num_batches_tracked")}
  for _, name, _, _, expected in _variables(model, naming):
    if name not in left:
      missing.append(name)
      continue
    left.remove(name)
    shape = tensors[name].shape
    if classes and name.rpartition(".")[0] in classifiers:
      expected = classes, *expected[1:]
    if shape != expected:
      misshaped.append(f"{name} {list(shape)}, not {list(expected)}")
    # A whole number is a quantised weight, whose scale is elsewhere.
    if not jnp.issubdtype(tensors[name].dtype, jnp.floating):
      whole.append(f"{name} {tensors[name].dtype}")
  problems = {"missing": missing, "left over": sorted(left)}
  problems |= {"of another shape": misshaped, "not floating point": whole}
  listed = []
  for problem, names in problems.items():
    listed += [f"{problem}: {_listed(names)}"] if names else []
  misfits = sum(map(len, problems.values()))
  return _Fit(misfits, "; ".join(listed), tensors, naming, classes, resized)


def _listed(names: Sequence[str]) -> str:
  others = f" and {len(names) - _LISTED} others" if len(names) > _LISTED else ""
  return f"{', '.join(names[:_LISTED])}{others}"


def read(path: StrPath) -> dict[str, np.ndarray]:
  """Reads the tensors of a safetensors file, or with PyTorch of a checkpoint of PyTorch.

  The content decides which it is, not the suffix. Of a checkpoint, the state dict in a container
  such as `{"state_dict": ...}` is taken. Only tensors and plain containers are ever unpickled.

  Raises:
    WeightsError: the file is neither, damaged or can't be read, holds more than tensors, or PyTorch
      is needed and absent.
  """
  path = pathlib.Path(path)
  with explained(WeightsError, f"can't read {path}", OSError), open(path, "rb") as file:
    start = file.read(9)
  # A safetensors file begins with the length of its header, which is JSON; its length can look like
  # the start of a pickle.
  if start[8:] != b"{" and start.startswith((b"PK\x03\x04", b"\x80")):
    return _read_torch(path)
  try:
    with safetensors.safe_open(path, framework="np") as file:
      return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
  except AttributeError as error:
    raise WeightsError(f"{path} has a type that NumPy lacks: {error.name}") from error
  # Headers that fit no array raise other errors than SafetensorError.
  except Exception as error:
    valid, other = "a valid safetensors file", "a safetensors file or a checkpoint of PyTorch"
    kind = valid if path.suffix == ".safetensors" else other
    reason = described(error).partition(", expected one of")[0]
    raise WeightsError(f"{path} is not {kind}: {reason[:200]}") from error


def metadata(path: StrPath) -> dict[str, str]:
  """Returns the texts in the header of a safetensors file, or raises a WeightsError."""
  with (
    explained(WeightsError, f"can't read {path}"),
    safetensors.safe_open(path, framework="np") as file,
  ):
    return file.metadata() or {}


def _read_torch(path: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    import torch
  except ImportError as error:
    raise WeightsError(
      f"{path} needs PyTorch: {shell.install('torch')}; or convert the file to .safetensors on a "
      "machine with PyTorch"
    ) from error
  alone = "save its state dict alone: torch.save(model.state_dict(), FILE)"
  try:
    if zipfile.is_zipfile(path):
      check_zip(path)
    # PyTorch looks at the suffix of a path. It warns of files that are refused below.
    with open(path, "rb") as file, warnings.catch_warnings(action="ignore"):
      content = torch.load(file, map_location="cpu", weights_only=True)
  except FileError as error:
    raise WeightsError(str(error)) from error
  except Exception as error:
    # A damaged file raises anything; PyTorch's messages have many lines and advise to trust it.
    other = re.search(r"GLOBAL (\S+)", str(error))
    if other:
      raise WeightsError(f"{path} holds {other[1]}, not only tensors; {alone}") from error
    if "TorchScript" in str(error):
      raise WeightsError(f"{path} is a TorchScript program; {alone}") from error
    raise WeightsError(f"{path} can't be read: it is damaged, or no checkpoint") from error
  found = dict(_state_dicts(content, torch.Tensor))
  if not found:
    raise WeightsError(f"{path} holds no state dict, which has a tensor for each name; {alone}")
  place = next(iter(found))
  if len(found) > 1:
    known = [place for key in _CONTAINERS for place in found if key in place]
    listed = _listed(["/".join(place) for place in found])
    if not known:
      raise WeightsError(f"{path} holds several state dicts, {listed}; save one of them alone")
    place = known[0]
    tell(f"{path} holds {listed}; {'/'.join(place)} is taken")
  tensors = {}
  for name, tensor in found[place].items():
    if kind := _unfit(tensor):
      raise WeightsError(f"{path}: {name} is {kind}, must be a dense tensor of real numbers")
    # NumPy has no bfloat16.
    tensor = tensor.detach()
    tensors[name] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
  return tensors


def _unfit(tensor: Any) -> str:
  """Returns the reason why a tensor of PyTorch has no array of real numbers; '' if it has one."""
  import torch

  if tensor.layout != torch.strided:
    return "sparse"
  if tensor.is_nested:
    return "nested"
  if tensor.is_quantized:
    return "quantised"
  if tensor.is_complex():
    return "complex"
  if tensor.is_meta:
    return "without values, on the meta device"
  # A file of a few bytes can expand one number to terabytes.
  if tensor.nbytes > tensor.untyped_storage().nbytes():
    return "expanded, with fewer values than its shape"
  return ""


def _state_dicts(content: Any, tensor: type) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
  """Yields the places and contents of all dicts of names and tensors, each dict once."""
  # A foreign file can have a dict that contains itself, or one dict at many places.
  seen: set[int] = set()

  def search(found: Any, place: tuple[str, ...]) -> Iterator:
    if not isinstance(found, dict) or len(place) > _DEPTH or id(found) in seen:
      return
    seen.add(id(found))
    if not all(isinstance(key, str) for key in found):
      return
    if found and all(isinstance(value, tensor) for value in found.values()):
      yield place, found
    else:
      for key, value in found.items():
        yield from search(value, (*place, key))

  return search(content, ())


def check_output(path: StrPath) -> None:
  """Raises a WeightsError if `write` can't write files of this suffix."""
  if pathlib.Path(path).suffix != ".safetensors":
    raise WeightsError(f"can't write {path}: the name must end with .safetensors")


def write(
  path: StrPath, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
  """Writes a `.safetensors` file, whole or not at all."""
  check_output(path)
  write_atomically(pathlib.Path(path), content(tensors, metadata))


def content(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
  """Returns the bytes of a `.safetensors` file; equal arguments give equal bytes."""
  texts = {"format": "pt", **(metadata or {})}
  made = safetensors.numpy.save(dict(tensors), metadata=texts)
  # The library writes the metadata in random order.
  start = 8 + int.from_bytes(made[:8], "little")
  header = json.loads(made[8:start]) | {"__metadata__": texts}
  text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
  text += b" " * (-len(text) % 8)  # tensors are aligned
  return len(text).to_bytes(8, "little") + text + made[start:]


def checksum(tensors: Mapping[str, np.ndarray]) -> str:
  """Returns a digest of the names, shapes, types and values of tensors."""
  lines = (f"{name} {x.dtype} {x.shape} {crc32(x)}" for name, x in sorted(tensors.items()))
  return digest("\n".join(lines))


def network_of(
  name: str,
  tensors: Mapping[str, np.ndarray],
  *,
  num_classes: int | None = None,
  image_size: int | None = None,
  in_channels: int | None = None,
) -> Network:
  """Makes the network that a state dict belongs to, with initial values.

  By default the number of classes is the tensors'; size and channels of the images are those that
  the network's form for CIFAR or for ImageNet, whichever the tensors fit, has in the literature. Of
  an mlp the size is the tensors'.

  Raises:
    NetworkError: the tensors don't fit, or there is no such network.
  """
  if name == "mlp" and image_size is None:
    # The pixels are what the first layer takes and no layer gives.
    layers = [tensor.shape for tensor in tensors.values() if tensor.ndim == 2]
    pixels = max({size for _, size in layers} - {size for size, _ in layers}, default=0)
    image_size = math.isqrt(pixels // max(in_channels or 1, 1)) or None
  fits = []
  for form in find(name).forms:
    if form.reference is None and num_classes is None:
      raise NetworkError(f"num_classes is missing: {name} doesn't tell which layer is the last")
    reference = form.reference or Reference(0, 32, 0)
    size = reference.image_size if image_size is None else image_size
    channels = reference.in_channels if in_channels is None else in_channels
    settings = {"image_size": size, "in_channels": channels}

    def make(classes, rngs, settings=settings):
      return create(name, num_classes=classes, rngs=rngs, **settings)

    model = abstract(functools.partial(make, 2 if form.reference else num_classes))
    fits.append((_fit(model, tensors), make))
  fit, make = min(fits, key=lambda pair: pair[0].misfits)
  fit.check()
  return make(fit.classes if num_classes is None else num_classes, nnx.Rngs(0))
