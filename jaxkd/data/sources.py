"""Finds a data set's spec and its examples by name."""

import bisect
import hashlib
import itertools

import numpy as np

from jaxkd.common.spelling import nearest
from jaxkd.data import base, folder, specs


def find(name: str, data_dir: str = "") -> specs.Spec:
  """Returns the spec of a data set.

  Args:
    name: a key of `SPECS`, or several of `specs.DIGITS` with `+` in between.
    data_dir: for `folder` the folder.

  Raises:
    DataError: there is no such data set, or no such folder.

  Examples:
    >>> find("mnist+usps").num_classes
    20
  """
  if name == "folder":
    return specs.folder(len(folder.class_names(data_dir)))
  if "+" in name:
    domains = name.split("+")
    if not set(domains) <= set(specs.DIGITS) or len(set(domains)) < len(domains):
      raise base.DataError(
        f"data set {name!r} must join different ones of {', '.join(specs.DIGITS)}"
      )
    return specs.joined(name, [specs.SPECS[domain] for domain in domains])
  if name in specs.OF_TFDS:
    raise base.DataError(f"data set {name!r} is called {specs.OF_TFDS[name]!r} here")
  if name not in specs.SPECS:
    raise base.DataError(f"data set {name!r} is not {nearest(name, specs.SPECS)}")
  return specs.SPECS[name]


def examples(spec: specs.Spec, data_dir: str = "") -> tuple[base.Examples, base.Examples]:
  """Returns the training and the test split, example by example.

  Args:
    spec: the data set.
    data_dir: where TFDS keeps its data, TFDS's own default if empty; for
      `folder` the folder.

  Raises:
    DataError: the data set is not there, or not in a format that can be read.
  """
  if spec.domains:
    parts = [_prepared(part, data_dir, spec.name) for part in spec.domains]
    trains, tests = zip(*parts, strict=True)
    return _Joined(spec, trains), _Joined(spec, tests)
  if spec.builder:
    return _prepared(spec, data_dir, spec.name)
  if spec.name == "folder":
    return folder.open_folder(spec, data_dir)
  return _digits()


def load(spec: specs.Spec, data_dir: str = "") -> tuple[base.Arrays, base.Arrays]:
  """Returns the training and the test split, in memory.

  Args:
    spec: the data set.
    data_dir: as for `examples`.

  Raises:
    DataError: the data set is not there, or an image can't be decoded.

  Examples:
    >>> from jaxkd import data
    >>> train, test = data.load(data.SPECS["digits"])
    >>> train.images.shape, test.labels.shape
    ((1437, 8, 8, 1), (360,))
  """
  train, test = examples(spec, data_dir)
  return train.load(), test.load()


def class_names(spec: specs.Spec, data_dir: str = "") -> tuple[str, ...]:
  """Returns a name for each class.

  Args:
    spec: the data set.
    data_dir: as for `examples`.

  Raises:
    DataError: the data set is not there.

  Examples:
    >>> class_names(find("digits"))[:3]
    ('0', '1', '2')
  """
  return examples(spec, data_dir)[0].class_names


def content(name: str, data_dir: str = "") -> str:
  """Returns what tells data sets of one name apart, in hexadecimal digits.

  A hash of the examples; '' if they are those that were published under the
  name, or are not there.

  Args:
    name: as for `find`.
    data_dir: as for `examples`.

  Raises:
    DataError: there is no such data set, or it can't be read.

  Examples:
    >>> content("digits")
    ''
  """
  if name == "folder":
    return folder.content(data_dir)
  spec = find(name, data_dir)
  parts = [part for part in spec.domains or (spec,) if part.builder]
  contents = [_prepared_content(part, data_dir) for part in parts]
  if not any(contents):
    return ""
  return hashlib.sha256(" ".join(contents).encode()).hexdigest()[:12]


def _prepared_content(spec: specs.Spec, data_dir: str) -> str:
  # TFDS is slow to import.
  from jaxkd.data import prepared

  try:
    return prepared.content(spec, data_dir)
  except base.MissingError:
    return ""


def _prepared(spec: specs.Spec, data_dir: str, prepare: str) -> tuple[base.Examples, base.Examples]:
  # TFDS is slow to import.
  from jaxkd.data import prepared

  return (
    prepared.Prepared(spec, spec.train_split, data_dir, prepare),
    prepared.Prepared(spec, spec.test_split, data_dir, prepare),
  )


class InMemory(base.Examples):
  """A split that a package embeds."""

  def __init__(self, images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]):
    self._images, self._labels = images, labels
    _, height, width, channels = images.shape
    self.shape = height, width, channels
    self._class_names = class_names

  @property
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""
    return self._class_names

  @property
  def labels(self) -> np.ndarray:
    """Labels of all examples."""
    return self._labels

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, index: int) -> base.Example:
    return base.Example(self._images[index], self._labels[index])

  def load(self) -> base.Arrays:
    """Returns the arrays."""
    return base.Arrays(self._images, self._labels)


class _Joined(base.Examples):
  """Splits one after another, the classes of each after those before."""

  def __init__(self, spec: specs.Spec, parts: tuple[base.Examples, ...]):
    self._parts = parts
    self.shape = parts[0].shape
    self._class_names = tuple(
      f"{domain.name.upper().replace('_', '')}@{name}"
      for domain, part in zip(spec.domains, parts, strict=True)
      for name in part.class_names
    )
    self._ends = list(itertools.accumulate(map(len, parts)))
    counts = [domain.num_classes for domain in spec.domains]
    self._offsets = list(itertools.accumulate(counts, initial=0))

  @property
  def class_names(self) -> tuple[str, ...]:
    """A name for each class."""
    return self._class_names

  @property
  def labels(self) -> np.ndarray:
    """Labels of all examples."""
    return self._among_all([part.labels for part in self._parts])

  def __len__(self) -> int:
    return self._ends[-1]

  def __getitem__(self, index: int) -> base.Example:
    number = bisect.bisect_right(self._ends, index)
    part = self._parts[number]
    example = part[index - self._ends[number] + len(part)]
    return example._replace(label=np.int32(example.label + self._offsets[number]))

  def load(self) -> base.Arrays:
    """Returns all examples."""
    loaded = [part.load() for part in self._parts]
    return base.Arrays(
      np.concatenate([arrays.images for arrays in loaded]),
      self._among_all([np.asarray(arrays.labels) for arrays in loaded]),
    )

  def _among_all(self, labels: list[np.ndarray]) -> np.ndarray:
    """Returns the domains' own labels as those of the joined classes."""
    return np.concatenate(
      [own + np.int32(offset) for own, offset in zip(labels, self._offsets, strict=False)]
    )


def _digits() -> tuple[InMemory, InMemory]:
  from sklearn import datasets, model_selection

  digits = datasets.load_digits()
  # 17 grey levels, 0 to 16.
  images = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
  labels = digits.target.astype(np.int32)
  names = tuple(map(str, digits.target_names))
  train, test = model_selection.train_test_split(
    np.arange(len(labels)), test_size=360, stratify=labels, random_state=0
  )
  return (
    InMemory(images[train], labels[train], names),
    InMemory(images[test], labels[test], names),
  )


def identity(name: str, data_dir: str = "") -> dict:
  """Returns everything of a data set that determines results, as JSON holds it."""
  spec = find(name, data_dir)
  fields = [
    "name",
    "num_classes",
    "image_size",
    "channels",
    "mean",
    "std",
    "padding",
    "flip",
    "resize",
  ]
  found = {f: getattr(spec, f) for f in fields}
  if name == "folder":
    found["class_names"] = list(class_names(spec, data_dir))
  if digest := content(name, data_dir):
    found["content"] = digest
  return found
