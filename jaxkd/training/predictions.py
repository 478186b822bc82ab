"""A folder of a teacher's predictions: its outputs on every training example under every view.

`predictions.json` describes the folder. A part is a view, `view-000` and so on, or `clean`, the
images without augmentation. A part has shards of consecutive examples, named after the first one,
`view-000-00000000.safetensors`, and `view-000.json` with their checksums, which is written last.
"""

import dataclasses
import functools
import json
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
from safetensors import numpy as tensors

from jaxkd import losses
from jaxkd.common.buckets import located
from jaxkd.common.errors import UserError
from jaxkd.common.files import (
  StrPath,
  exists,
  make_folder,
  read,
  read_json,
  write_atomically,
  write_json,
)
from jaxkd.models import Outputs
from jaxkd.training import sharding

ABOUT_FILE = "predictions.json"
"""The file that describes a folder of predictions."""
CLEAN = "clean"
"""The part of the images without augmentation."""
DTYPES = ("float32", "float16")

_REMEDY = "remove the folder and write it again"
_SHARD_BYTES = 2**27
_TAUS = (1.0, 4.0)  # of the labels whose error is measured

Packed = dict[str, np.ndarray]


class PredictionsError(UserError):
  """Predictions can't be written, read or used; the message is one line."""


def part_of(view: int) -> str:
  """Returns the name of a view's part."""
  return f"view-{view:03d}"


def differing(about: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
  """Returns the keys in which two descriptions differ."""
  return [key for key in sorted(about.keys() | found.keys()) if about.get(key) != found.get(key)]


@dataclasses.dataclass(frozen=True)
class Storage:
  """How outputs are stored.

  Attributes:
    classes: C, the number of logits of an example.
    dtype: of logits and features, 'float32' or 'float16'.
    top: how many of the largest logits are stored, with the mass of the rest; 0: all logits.
    features: width of the penultimate features, 0 if they are not stored.
  """

  classes: int
  dtype: str = "float32"
  top: int = 0
  features: int = 0

  @property
  def exact(self) -> bool:
    """Whether all logits are stored as they were computed."""
    return self.dtype == "float32" and not self.top

  @property
  def arrays(self) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape, of one example, and dtype of each stored array."""
    dtype = np.dtype(self.dtype)
    if self.top:
      small = np.dtype(np.uint16 if self.classes <= 2**16 else np.uint32)
      found: dict[str, Any] = {"logits": ((self.top,), dtype), "classes": ((self.top,), small)}
      found["rest"] = (), np.dtype(np.float32)
    else:
      found = {"logits": ((self.classes,), dtype)}
    return found | ({"features": ((self.features,), dtype)} if self.features else {})

  @property
  def example_bytes(self) -> int:
    """Bytes of an example under one view."""
    return sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in self.arrays.values())

  def pack(self, logits: np.ndarray, features: np.ndarray | None) -> Packed:
    """Returns the arrays `[N, ...]` to store, of logits `[N, C]` and features `[N, D]`."""
    values: dict[str, Any] = {"logits": logits, "features": features}
    if self.top:
      order = np.argsort(-logits, axis=1, kind="stable")
      rest = np.take_along_axis(logits, order[:, self.top :], axis=1).astype(np.float64)
      largest = rest.max(axis=1)
      values["classes"] = order[:, : self.top]
      values["logits"] = np.take_along_axis(logits, values["classes"], axis=1)
      values["rest"] = largest + np.log(np.exp(rest - largest[:, None]).sum(axis=1))
    with np.errstate(over="ignore"):
      packed = {name: values[name].astype(dtype) for name, (_, dtype) in self.arrays.items()}
    for name, array in packed.items():
      if not np.isfinite(array).all():
        hint = "" if self.dtype == "float32" else "; float16 ends at 65504, float32 does not"
        raise PredictionsError(f"the teacher's {name} are not finite{hint}")
    return packed

  def unpack(self, arrays: Mapping[str, Any]) -> Outputs:
    """Returns the outputs of stored arrays `[B, ...]`, float32.

    The classes that are not stored share the mass of the rest equally.
    """
    logits = jnp.asarray(arrays["logits"]).astype(jnp.float32)
    if self.top:
      each = jnp.asarray(arrays["rest"])[:, None] - np.float32(np.log(self.classes - self.top))
      dense = jnp.broadcast_to(each, (len(logits), self.classes))
      places = jnp.asarray(arrays["classes"]).astype(jnp.int32)
      logits = jax.vmap(lambda row, place, own: row.at[place].set(own))(dense, places, logits)
    features = jnp.asarray(arrays["features"]).astype(jnp.float32) if self.features else None
    return Outputs(logits, features)

  def errors(self, logits: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the total variation `[N]` between labels of logits and of their stored form."""
    stored = self.unpack(self.pack(logits, np.zeros((len(logits), self.features), np.float32)))
    return {
      f"tau {tau:g}": np.asarray(_total_variation(jnp.asarray(logits), stored.logits, tau))
      for tau in _TAUS
    }


def _total_variation(first: jax.Array, second: jax.Array, tau: float) -> jax.Array:
  difference = losses.softmax(first, tau) - losses.softmax(second, tau)
  return jnp.sum(jnp.abs(difference), axis=-1) / 2


class Predictions:
  """A folder of predictions, which may lack parts; `about` is its description.

  Raises:
    PredictionsError: it is not a folder of predictions.
    FileError: it can't be read.
  """

  def __init__(self, path: StrPath):
    self.path = located(path)
    if not exists(self.path / ABOUT_FILE):
      raise PredictionsError(f"{path} has no {ABOUT_FILE}: not a folder of predictions")
    self.about = read_json(self.path / ABOUT_FILE, _REMEDY)
    self.storage = Storage(**self.about["storage"])
    self.views, self.examples = self.about["views"], self.about["examples"]
    self._lock = threading.Lock()
    self._read = functools.lru_cache(maxsize=2)(self._read_part)

  @classmethod
  def create(cls, path: StrPath, about: Mapping[str, Any]) -> "Predictions":
    """Makes a folder without parts, or opens the one that is there.

    Raises:
      PredictionsError: it has another description.
    """
    path = located(path)
    make_folder(path)
    if not exists(path / ABOUT_FILE):
      write_json(path / ABOUT_FILE, about)
    found = cls(path)
    for key in differing(about, found.about):
      raise PredictionsError(f"{path} has other predictions: they differ in {key!r}")
    return found

  @property
  def finished(self) -> list[str]:
    """Names of the finished parts."""
    return [part for part in (*map(part_of, range(self.views)), CLEAN) if self.has(part)]

  def has(self, part: str) -> bool:
    """Returns whether a part is finished."""
    return exists(self.path / f"{part}.json")

  def require(self, parts: Iterable[str]) -> None:
    """Raises a PredictionsError that names the first part that is not finished."""
    for part in parts:
      if not self.has(part):
        raise PredictionsError(
          f"{self.path} is not finished: {part!r} is missing; run the command that writes it again"
        )

  def shards(self, batch_size: int) -> list[tuple[int, int]]:
    """Returns the first and the last example of each shard, whole batches but for the end."""
    # Top-k logits come from all logits.
    each = max(self.storage.example_bytes, 4 * self.storage.classes)
    rows = max(_SHARD_BYTES // (each * batch_size), 1) * batch_size
    return [(start, min(start + rows, self.examples)) for start in range(0, self.examples, rows)]

  def write_part(
    self,
    part: str,
    batch_size: int,
    outputs: Callable[[int, int], tuple[np.ndarray, np.ndarray | None]],
    labels: np.ndarray,
  ) -> None:
    """Writes the shards that a part lacks, then their checksums: from then on it is finished.

    `outputs(start, stop)` are logits and features of these rows. Every process computes them, and
    the first one writes.
    """
    found: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    correct = 0
    for start, stop in self.shards(batch_size):
      # Another batch size may have other shards, so a number would not tell their examples.
      file = f"{part}-{start:08d}.safetensors"
      packed = self._sound(file, stop - start)
      if not sharding.agreed(packed is not None):
        logits, features = outputs(start, stop)
        packed = self.storage.pack(logits, features)
        if jax.process_index() == 0:
          lost = {} if self.storage.exact else self.storage.errors(logits)
          notes = {name: f"{np.sum(each)} {np.max(each)}" for name, each in lost.items()}
          ordered = {name: np.ascontiguousarray(array) for name, array in packed.items()}
          write_atomically(self.path / file, tensors.save(ordered, notes))
      if jax.process_index() == 0 and packed is not None:
        content = read(self.path / file)
        found.append({"file": file, "start": start, "stop": stop, "crc32": zlib.crc32(content)})
        errors.append(_notes(content))
        predicted = packed["classes"][:, 0] if self.storage.top else packed["logits"].argmax(axis=1)
        correct += int(np.sum(predicted == labels[start:stop]))
    if jax.process_index() == 0:
      facts = {"accuracy": correct / self.examples, "errors": self._together(errors)}
      write_json(self.path / f"{part}.json", {**facts, "shards": found})

  def _together(self, errors: Iterable[Mapping[str, str]]) -> dict[str, dict[str, float]]:
    """Returns mean and largest total variation over all shards, by temperature."""
    sums: dict[str, list[tuple[float, float]]] = {}
    for notes in errors:
      for name, text in notes.items():
        total, largest = map(float, text.split())
        sums.setdefault(name, []).append((total, largest))
    return {
      name: {"mean": sum(t for t, _ in own) / self.examples, "largest": max(m for _, m in own)}
      for name, own in sums.items()
    }

  def facts(self, part: str) -> dict[str, Any]:
    """Returns what is known of a finished part: `accuracy`, `errors` of its labels, `shards`."""
    return read_json(self.path / f"{part}.json", _REMEDY)

  def arrays(self, part: str) -> Packed:
    """Returns the stored arrays `[N, ...]` of a part; the last two are kept in memory.

    Raises:
      PredictionsError: the part is not finished, or damaged.
    """
    # Threads that read ahead.
    with self._lock:
      return self._read(part)

  def _read_part(self, part: str) -> Packed:
    self.require([part])
    found = {
      name: np.empty((self.examples, *shape), dtype)
      for name, (shape, dtype) in self.storage.arrays.items()
    }
    place = 0
    for shard in self.facts(part)["shards"]:
      file, rows = shard["file"], shard["stop"] - shard["start"]
      content = read(self.path / file)
      packed = self._sound(file, rows, content)
      if shard["start"] != place or zlib.crc32(content) != shard["crc32"] or packed is None:
        raise PredictionsError(f"{self.path / file} is damaged; {_REMEDY}")
      for name, array in packed.items():
        found[name][place : shard["stop"]] = array
      place = shard["stop"]
    if place != self.examples:
      raise PredictionsError(f"{self.path} has {place} examples of {self.examples} in {part!r}")
    return found

  def _sound(self, file: str, rows: int, content: bytes | None = None) -> Packed | None:
    """Returns the arrays of a shard; None if it is missing or its arrays are not as described."""
    if content is None:
      if not exists(self.path / file):
        return None
      content = read(self.path / file)
    try:
      packed = tensors.load(content)
    except safetensors.SafetensorError:
      return None
    expected = {
      name: ((rows, *shape), dtype) for name, (shape, dtype) in self.storage.arrays.items()
    }
    found = {name: (array.shape, array.dtype) for name, array in packed.items()}
    return packed if found == expected else None


def _notes(content: bytes) -> dict[str, str]:
  """Returns the metadata of a safetensors file."""
  length = int.from_bytes(content[:8], "little")
  return json.loads(content[8 : 8 + length]).get("__metadata__", {})
