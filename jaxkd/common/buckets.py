"""Stores in buckets: `gs://BUCKET/FOLDER`, reached by etils.epath and gcsfs."""

import functools
import importlib.util
import os
import pathlib
from typing import Any, TypeAlias

from etils import epath

from jaxkd.common.errors import UserError, explained
from jaxkd.common.extras import advice

AnyPath: TypeAlias = pathlib.Path | epath.Path
_SECONDS = 30
"""A server that sends nothing for this time has failed, and the request is repeated."""


class BucketError(UserError):
  """A bucket can't be used."""


def in_bucket(path: str | os.PathLike[str]) -> bool:
  """Returns whether a path is a URL."""
  return "://" in os.fspath(path)


def located(path: str | os.PathLike[str]) -> AnyPath:
  """Returns the path of a folder or file, local or in a bucket, or raises a BucketError.

  Examples:
    >>> located("s3://bucket/runs")
    Traceback (most recent call last):
    jaxkd.common.buckets.BucketError: s3://bucket/runs is not a local path or gs://BUCKET/FOLDER...
  """
  if not in_bucket(path):
    return pathlib.Path(path)
  if not os.fspath(path).startswith("gs://"):
    raise BucketError(
      f"{path} is not a local path or gs://BUCKET/FOLDER; Orbax writes checkpoints to no other URL"
    )
  _set_up()
  return epath.Path(path)


def absolute(path: str | os.PathLike[str]) -> AnyPath:
  """Returns an absolute path; a URL is absolute."""
  found = located(path)
  return found.absolute() if isinstance(found, pathlib.Path) else found


def errors(path: str | os.PathLike[str]) -> type[Exception]:
  """Returns the type of the errors of reading and writing a path.

  The libraries for buckets raise errors of many types.
  """
  return Exception if in_bucket(path) else OSError


def check(path: str | os.PathLike[str]) -> None:
  """Makes sure that the bucket of a path can be read, if it has one, or raises a BucketError."""
  if not in_bucket(path):
    return
  names = located(path).parts[2:]
  if len(names) < 2:
    raise BucketError("must be a folder in a bucket, gs://BUCKET/FOLDER")
  with explained(BucketError, "can't read the bucket"):
    found = epath.Path(f"gs://{names[0]}").exists()
  if not found:
    raise BucketError(f"there is no bucket {names[0]}, or no right to list it")


@functools.cache
def _set_up() -> None:
  """Sets up the libraries: several processes write a store, and a server may stall."""
  if importlib.util.find_spec("gcsfs") is None:
    raise BucketError(advice(ModuleNotFoundError(name="gcsfs"), "bucket"))
  import fsspec

  options = {"use_listings_cache": False, "requests_timeout": timeout(_SECONDS)}
  fsspec.config.conf["gcs"] = options | fsspec.config.conf.get("gcs", {})
  # epath prefers TensorFlow, which reads its credentials in another way.
  os.environ.setdefault("EPATH_USE_TF", "false")
  os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_TIME_SECONDS", str(_SECONDS))
  os.environ.setdefault("TENSORSTORE_CURL_LOW_SPEED_LIMIT_BYTES", "1")


def timeout(seconds: float) -> Any:
  """Returns gcsfs's limit of the time in which nothing arrives; transfers may take longer."""
  import aiohttp

  return aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
