"""Prepares data sets with TFDS, from local archives or from downloads."""

import contextlib
import importlib.util
import os
import pathlib
import shutil
import sys
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
import tqdm  # type: ignore[import-untyped]
from tensorflow_datasets.core.download import downloader

from jaxkd.common import shell
from jaxkd.data import builders, contents, prepared, registry
from jaxkd.data.base import DataError
from jaxkd.data.specs import Spec

_OWN = {getattr(builders, name).name for name in builders.__all__}


def prepare(name: str, data_dir: str = "", archives: str = "") -> None:
  """Prepares a data set, or all sets that it joins, from a folder of archives or from downloads.

  A DataError names an unknown data set, or a missing or damaged file.
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
      with _without_empty_folders(prepared.root(data_dir)):
        _build(part, name, data_dir, archives)
      _describe(part, name, data_dir)


def _describe(spec: Spec, name: str, data_dir: str) -> None:
  """Prints the splits of a prepared data set; raises a DataError if it is not prepared."""
  splits = registry.prepared_splits(spec, data_dir, name)
  for split, examples in zip((spec.train_split, spec.test_split), splits, strict=True):
    print(f"{spec.name}, {split}: {len(examples)} images, {len(examples.class_names)} classes")
  if how := registry.difference(spec, *splits):
    print(f"{spec.name} has {how}")
  print(f"{spec.name} is prepared in {prepared.root(data_dir) / spec.builder}")


def _build(spec: Spec, name: str, data_dir: str, archives: str) -> None:
  own = spec.builder.split("/")[0] in _OWN
  if not own and importlib.util.find_spec("tensorflow") is None:
    remedy = shell.install("tensorflow")
    if sys.version_info >= (3, 14):
      remedy = f"use Python 3.13, as JAXKD_PYTHON=3.13 ./launch.sh prepare {name} does"
    raise DataError(f"preparing {spec.name!r} needs TensorFlow: {remedy}")
  try:
    root = prepared.root(data_dir)
    builder = tfds.builder(spec.builder, data_dir=root, file_format="array_record")
    options = tfds.download.DownloadConfig(manual_dir=archives or None, try_download_gcs=False)
    # TFDS reports a download even where it reads local archives.
    builder._log_download_bytes = builder._log_download_done = lambda: None
    with _downloads_told(builder.name, archives, builder.MANUAL_DOWNLOAD_INSTRUCTIONS):
      builder.download_and_prepare(download_config=options)
  except DataError:
    raise
  # Errors of TFDS, and of the code that it downloads and unpacks with, have no common class.
  except Exception as error:
    reason = f"{type(error).__name__}: {error}"
    # TFDS asserts that there are archives which it can't download.
    if isinstance(error, AssertionError):
      command = prepared.command(name, data_dir)
      reason = f"{error}; put them into a folder and run: {command} --archives=FOLDER"
    raise DataError(f"data set {spec.name!r} can't be prepared: {reason}") from error


@contextlib.contextmanager
def _without_empty_folders(root: pathlib.Path) -> Iterator[None]:
  """Removes folders that a failure leaves empty, unless they were there before."""

  def folders() -> set[pathlib.Path]:
    found = {root, *root.parents, *root.glob("*"), *root.glob("*/*")}
    return {path for path in found if path.is_dir()}

  before = folders()
  try:
    yield
  except BaseException:
    for path in sorted(folders() - before, reverse=True):
      # TFDS describes the variants of a data set in .config.
      with contextlib.suppress(OSError):
        if {own.name for own in path.iterdir()} <= {".config"}:
          shutil.rmtree(path)
    raise


@contextlib.contextmanager
def _downloads_told(name: str, archives: str, manual: str | None) -> Iterator[None]:
  """Prints each download; with a folder of archives, refuses it, and checks their contents."""
  # TFDS has no hooks for this.
  manager = tfds.download.DownloadManager
  download = manager._download

  def told(self, resource):
    info = self._url_infos.get(resource.url)
    if archives:
      file = (info and info.filename) or os.path.basename(resource.url)
      raise DataError(f"{archives} has {f'none of {manual}' if manual else f'no {file}'}")
    # Above TFDS's progress bars.
    size = info.size if info else "unknown size"
    tqdm.tqdm.write(f"downloading {resource.url} ({size})", file=sys.stderr)
    return download(self, resource)

  def check(self, url, url_info, path):
    self._recorded_url_infos[url] = url_info
    expected = self._url_infos.get(url)
    if not expected or expected == url_info:
      return
    if how := contents.difference(name, path):
      raise DataError(
        f"{path} has a wrong checksum, and {how}. The archive has {url_info.size} and "
        f"SHA-256 {url_info.checksum}; published: {expected.size}, {expected.checksum}"
      )
    tqdm.tqdm.write(f"{path} has the published files in another compression", file=sys.stderr)

  replaced: list[tuple[type, str, Any]] = [(manager, "_download", told)]
  if archives:
    replaced += [
      (manager, "_register_or_validate_checksums", check),
      # Progress bars of downloads.
      (manager, "_log_skip_download", lambda *_, **__: None),
      (downloader._Downloader, "tqdm", lambda _: contextlib.nullcontext()),
    ]
  with contextlib.ExitStack() as restored:
    for owner, attribute, value in replaced:
      restored.callback(setattr, owner, attribute, getattr(owner, attribute))
      setattr(owner, attribute, value)
    yield
