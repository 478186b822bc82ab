"""Prepares data sets with TFDS, from archives at hand or from the network."""

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator

import tensorflow_datasets as tfds
import tqdm  # type: ignore[import-untyped]

from jaxkd.data import builders, prepared, registry
from jaxkd.data.base import DataError
from jaxkd.data.specs import Spec

_OWN = {getattr(builders, name).name for name in builders.__all__}


def prepare(name: str, data_dir: str = "", archives: str = "") -> None:
  """Prepares a data set, or all that it joins.

  Args:
    name: as in `config.data.name`.
    data_dir: the folder of TFDS's data; TFDS's own default if empty.
    archives: folder of the archives; if empty, they are downloaded.

  Raises:
    DataError: there is no such data set, or an archive or TensorFlow is missing, or damaged.
  """
  if archives and not os.path.isdir(archives):
    raise DataError(f"--archives={archives} is not a folder")
  spec = registry.find(name, data_dir)
  for part in spec.domains or (spec,):
    if not part.builder:
      print(f"{part.name} needs no preparation")
      continue
    try:
      _describe(part, name, data_dir)
    except DataError:
      _build(part, name, data_dir, archives)
      _describe(part, name, data_dir)


def _describe(spec: Spec, name: str, data_dir: str) -> None:
  """Prints what is prepared; raises a DataError if it is not."""
  names = (spec.train_split, spec.test_split)
  splits = [prepared.Prepared(spec, split, data_dir, name) for split in names]
  for split, examples in zip(names, splits, strict=True):
    print(f"{spec.name}, {split}: {len(examples)} images, {len(examples.class_names)} classes")
  if how := registry.difference(spec, *splits):
    print(f"{spec.name} has {how}")
  print(f"{spec.name} is prepared in {prepared.root(data_dir) / spec.builder}")


def _build(spec: Spec, name: str, data_dir: str, archives: str) -> None:
  own = spec.builder.split("/")[0] in _OWN
  if not own and importlib.util.find_spec("tensorflow") is None:
    install = f"{sys.executable} -m pip install tensorflow-cpu"
    raise DataError(f"preparing {spec.name!r} needs TensorFlow: {install}")
  try:
    root = prepared.root(data_dir)
    builder = tfds.builder(spec.builder, data_dir=root, file_format="array_record")

    def before_download(url, size, name):
      if archives:
        several = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
        lacks = f"none of {several}" if several else f"no {name}"
        raise DataError(f"{archives} has {lacks}")
      # Above TFDS's progress bars.
      tqdm.tqdm.write(f"downloading {url} ({size})", file=sys.stderr)

    options = tfds.download.DownloadConfig(manual_dir=archives or None, try_download_gcs=False)
    with _told_of_downloads(before_download):
      builder.download_and_prepare(download_config=options)
  except DataError:
    raise
  # TFDS, and the code that it calls to download and unpack, have no common class.
  except Exception as error:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, AssertionError):
      # TFDS misses archives that it can't download.
      command = prepared.command(name, data_dir)
      reason = f"{error}; with them in a folder: {command} --archives=FOLDER"
    raise DataError(f"data set {spec.name!r} can't be prepared: {reason}") from error


@contextlib.contextmanager
def _told_of_downloads(tell: Callable[[str, str, str], None]) -> Iterator[None]:
  """Calls `tell` with URL, size and file name before anything is downloaded."""
  # TFDS has no other way.
  manager = tfds.download.DownloadManager
  download = manager._download

  def told(self, resource):
    info = self._url_infos.get(resource.url)
    size, name = (info.size, info.filename) if info else ("unknown size", "")
    tell(resource.url, str(size), name or os.path.basename(resource.url))
    return download(self, resource)

  manager._download = told
  try:
    yield
  finally:
    manager._download = download
