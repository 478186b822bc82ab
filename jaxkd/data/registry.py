"""Data sets by name: their facts, examples and identities; registers a user's data sets."""

import bisect
import dataclasses
import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxkd.common.buckets import in_bucket
from jaxkd.common.imports import resolve
from jaxkd.common.spelling import nearest
from jaxkd.data import cache, digits, folder, own, specs
from jaxkd.data.base import Arrays, DataError, Example, Examples, MissingError, tell_once
from jaxkd.data.specs import Spec

_FIELDS = ("name", "num_classes", "image_size", "channels", "padding", "flip", "resize")
_OWN: dict[str, own.Own] = {}
_IMPORTED: dict[str, Any] = {}  # attributes of modules that are in `_OWN`, by `module:attribute`


def register(
  name: str,
  load: Callable[[], Any] | Sequence[Any],
  *,
  class_names: Sequence[str] | None = None,
  mean: Sequence[float] | float | None = None,
  std: Sequence[float] | float | None = None,
  padding: int = 0,
  flip: bool = False,
) -> own.Own:
  """Registers a data set of your own, for `config.data.name` and everything in `jaxkd.data`.

  Call it in a config file or in any imported module. `--config.data.name=package.module:attribute`
  works without registration, where the attribute is a function `load` or what `register` returned.

  The hash of images and labels identifies a data set: results are never reused because of a name.

  Args:
    name: letters, digits, `_`, `-` and `.`. A second registration replaces the first; a name of
      jaxkd's own data sets is a DataError.
    load: a function that returns `(train, test)`, or that pair itself. A split is a pair of arrays
      `(images, labels)`, uint8 `[N, S, S, C]` and integer `[N]`; or a source with `len(source)`
      and `source[i]`, a dict of an `image` `[S, S, C]` and a `label`, such as a Grain or a TFDS
      data source. Several threads may read a source at once.
    class_names: a name for each class in the order of the labels. Without them the classes are
      those of the training labels, which must be 0 to C-1.
    mean: per channel, of pixels scaled to [0, 1]. The default is ImageNet's for three channels,
      and otherwise measured on the training split.
    std: as `mean`.
    padding: zero pixels around a training image before a random crop back to its size.
    flip: whether training images are flipped horizontally, half of the time.

  Examples:
    >>> import numpy as np
    >>> from jaxkd import data
    >>> labels = np.arange(80) % 2
    >>> noise = np.random.default_rng(0).integers(0, 100, (80, 8, 8, 3))
    >>> images = (noise + 100 * labels[:, None, None, None]).astype(np.uint8)
    >>> load = lambda: ((images[:64], labels[:64]), (images[64:], labels[64:]))
    >>> _ = data.register("brightness", load, class_names=("dark", "bright"), flip=True)
    >>> spec = data.find("brightness")
    >>> spec.num_classes, spec.image_size, spec.channels
    (2, 8, 3)
    >>> train, test = data.read(spec)
    >>> train.images.shape, test.labels.shape
    ((64, 8, 8, 3), (16,))
  """
  if name in specs.SPECS or name in specs.OF_TFDS or not re.fullmatch(r"[\w.-]+", name):
    reason = "the name must be new, of letters, digits, '_', '-' and '.'"
    raise DataError(f"a data set can't be registered as {name!r}: {reason}")
  _OWN[name] = own.Own(name, load, class_names, mean, std, padding, flip)
  return _OWN[name]


def find(name: str, data_dir: str = "") -> Spec:
  """Returns the spec of a data set; an unknown or faulty data set is a DataError.

  Args:
    name: a key of `SPECS`, several of `specs.DIGITS` with `+` in between, a registered name, or
      `package.module:attribute` (see `register`).
    data_dir: for `folder`, the path of the folder.

  Examples:
    >>> find("mnist+usps").num_classes
    20
  """
  if in_bucket(data_dir):
    raise DataError(
      f"{data_dir!r} is a URL, but data sets are read from disks, as ArrayRecord reads no URLs: "
      f"gcloud storage cp -r {data_dir} FOLDER"
    )
  if name == "folder":
    return specs.folder(len(folder.classes(data_dir)))
  if ":" in name:
    _import(name)
  if name in _OWN:
    return _OWN[name].spec
  if "+" in name:
    domains = name.split("+")
    if not set(domains) <= set(specs.DIGITS) or len(set(domains)) < len(domains):
      parts = ", ".join(specs.DIGITS)
      raise DataError(f"data set {name!r} must join different sets of {parts}")
    return specs.joined(name, map(specs.SPECS.__getitem__, domains))
  if name in specs.OF_TFDS:
    raise DataError(f"data set {name!r} is called {specs.OF_TFDS[name]!r} here")
  if name not in specs.SPECS:
    raise DataError(f"data set {name!r} is not {nearest(name, (*specs.SPECS, *_OWN))}")
  return specs.SPECS[name]


def is_own(name: str) -> bool:
  """Whether a known data set is a user's: a folder of images, or registered from outside.

  Examples:
    >>> is_own("folder"), is_own("cifar100")
    (True, False)
  """
  return name == "folder" or name in _OWN


def _import(name: str) -> None:
  """Registers the object that `package.module:attribute` names, once unless it is reloaded."""
  thing = resolve(name, "data set", DataError)
  if name in _OWN and _IMPORTED.get(name) is thing:
    return
  found = own.Own(name, thing) if callable(thing) else thing
  if not isinstance(found, own.Own):
    wanted = "a function load() -> (train, test) or what jaxkd.data.register returned"
    raise DataError(f"data set {name!r} is a {type(thing).__name__}, must be {wanted}")
  _OWN[name], _IMPORTED[name] = dataclasses.replace(found, name=name), thing


def examples(spec: Spec, data_dir: str = "") -> tuple[Examples, Examples]:
  """Returns the training and the test split, example by example.

  `data_dir` is the folder of TFDS's data, TFDS's own default if empty; for `folder` the folder. A
  data set that is missing or can't be read is a DataError.
  """
  if spec.domains:
    parts = (prepared_splits(part, data_dir, spec.name) for part in spec.domains)
    train, test = (_Joined(spec, splits) for splits in zip(*parts, strict=True))
    return train, test
  if spec.builder:
    return prepared_splits(spec, data_dir, spec.name)
  if spec.name == "folder":
    return folder.open_folder(spec, data_dir)
  if spec.name == "digits":
    return digits.load()
  find(spec.name)
  return _OWN[spec.name].splits


def load(spec: Spec, data_dir: str = "") -> tuple[Arrays, Arrays]:
  """Returns the training and the test split, in memory; otherwise as `examples`.

  Examples:
    >>> from jaxkd import data
    >>> train, test = data.load(data.SPECS["digits"])
    >>> train.images.shape, test.labels.shape
    ((1437, 8, 8, 1), (360,))
  """
  train, test = examples(spec, data_dir)
  return train.load(), test.load()


def class_names(spec: Spec, data_dir: str = "") -> tuple[str, ...]:
  """Returns a name for each class; otherwise as `examples`.

  Examples:
    >>> class_names(find("digits"))[:3]
    ('0', '1', '2')
  """
  return examples(spec, data_dir)[0].class_names


def content(name: str, data_dir: str = "") -> str:
  """Returns the `content` of `identity`."""
  return identity(name, data_dir)["content"]


def identity(name: str, data_dir: str = "") -> dict[str, Any]:
  """Returns everything of a data set that determines results, JSON-able.

  Each call looks at all files of a folder, and notices a changed image. Arguments are as for `find`
  and `examples`.

  Returns:
    `name`, `num_classes`, `image_size`, `channels`, `mean`, `std`, `padding`, `flip`, `resize` as
    of `Spec`; `content`, a hash of images and labels, '' where the data is as published under the
    name or missing; `class_names` in the order of the labels, None where the published name
    stands for them or the user gave none; `decoding`, the version of jaxkd's image decoding.

  Examples:
    >>> identity("digits")["class_names"] is None, identity("digits")["mean"]
    (True, [0.305])
  """
  spec = find(name, data_dir)
  parts = [_content(part, data_dir) for part in spec.domains or (spec,)]
  hashes, names = zip(*parts, strict=True)
  its = hashlib.sha256(" ".join(hashes).encode()).hexdigest()[:12] if any(hashes) else ""
  fields = {field: getattr(spec, field) for field in _FIELDS}
  fields |= {"mean": list(spec.mean), "std": list(spec.std)}
  known = None if spec.domains else names[0]
  return fields | {"class_names": known, "content": its, "decoding": cache.VERSION}


def _content(spec: Spec, data_dir: str) -> tuple[str, list[str] | None]:
  """Returns a hash, '' for data as published, and class names where they are known."""
  if spec.name == "digits":
    return "", None
  try:
    train, test = examples(spec, data_dir)
  except MissingError:
    return "", None
  if spec.sizes:
    if not (how := difference(spec, train, test)):
      return "", None
    tell_once(f"{spec.name} has {how}")
  given = spec.name not in _OWN or _OWN[spec.name].class_names is not None
  return f"{train.content} {test.content}", list(train.class_names) if given else None


def difference(spec: Spec, train: Examples, test: Examples) -> str:
  """Describes how a data set differs from the published one; '' if it doesn't."""
  classes, sizes = len(train.class_names), (len(train), len(test))
  if not spec.sizes or (classes, sizes) == (spec.num_classes, spec.sizes):
    return ""
  return (
    f"{classes} of {spec.num_classes} classes, {sizes[0]:,} of {spec.sizes[0]:,} images to train "
    f"on, {sizes[1]:,} of {spec.sizes[1]:,} to test on: not the published set"
  )


def prepared_splits(spec: Spec, data_dir: str, prepare: str) -> tuple[Examples, Examples]:
  """Returns both splits of a data set that TFDS has prepared; for `prepare` see `Prepared`."""
  # TFDS is slow to import.
  from jaxkd.data.prepared import Prepared

  train, test = spec.train_split, spec.test_split
  return Prepared(spec, train, data_dir, prepare), Prepared(spec, test, data_dir, prepare)


class _Joined(Examples):
  """Splits joined into one; the classes of each come after those of the split before."""

  def __init__(self, spec: Spec, parts: tuple[Examples, ...]):
    self._parts, self.shape = parts, parts[0].shape
    domains = [domain.name.upper().replace("_", "") for domain in spec.domains]
    pairs = zip(domains, parts, strict=True)
    self.class_names = tuple(f"{name}@{own}" for name, part in pairs for own in part.class_names)
    self._ends = list(itertools.accumulate(map(len, parts)))
    counts = [domain.num_classes for domain in spec.domains]
    self._offsets = np.cumsum([0, *counts[:-1]], dtype=np.int32)

  @functools.cached_property
  def labels(self) -> np.ndarray:
    """Labels of all examples."""
    return self._among_all([part.labels for part in self._parts])

  def __len__(self) -> int:
    return self._ends[-1]

  def __getitem__(self, index: int) -> Example:
    number = bisect.bisect_right(self._ends, index)
    part = self._parts[number]
    example = part[index - self._ends[number] + len(part)]
    return example._replace(label=example.label + self._offsets[number])

  def load(self) -> Arrays:
    """Returns all examples."""
    parts = [part.load() for part in self._parts]
    images = np.concatenate([part.images for part in parts])
    return Arrays(images, self._among_all([np.asarray(part.labels) for part in parts]))

  def _among_all(self, labels: Sequence[np.ndarray]) -> np.ndarray:
    """Returns the labels of the domains as labels of the joined classes."""
    return np.concatenate([its + o for its, o in zip(labels, self._offsets, strict=True)])
