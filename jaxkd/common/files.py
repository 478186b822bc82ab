"""Atomic writes and content hashes of files."""

import contextlib
import functools
import hashlib
import os
import pathlib
import uuid
import zipfile

from jaxkd.common.errors import FileError, explained

StrPath = str | os.PathLike[str]

# A ZIP archive that unpacks to more bytes, and to more times its size, is a bomb: deflate packs
# zeros 1000 times, but numbers rarely 10 times.
_BOMB_BYTES, _BOMB_RATIO = 2**30, 100


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
  """Writes a file whole or not at all, or raises a FileError.

  If several processes write it at once, the content of the last one stays.
  """
  temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
  try:
    with open(temporary, "wb") as file:
      file.write(content.encode() if isinstance(content, str) else content)
      file.flush()
      os.fsync(file.fileno())
    os.replace(temporary, path)
  except OSError as error:
    with contextlib.suppress(OSError):
      temporary.unlink(missing_ok=True)
    raise FileError(f"can't write {path}: {error.strerror}") from error


def check_zip(path: StrPath) -> None:
  """Raises a FileError if a ZIP archive unpacks to far more than its size."""
  with zipfile.ZipFile(path) as archive:
    unpacked = sum(member.file_size for member in archive.infolist())
  if unpacked > max(_BOMB_BYTES, _BOMB_RATIO * os.path.getsize(path)):
    raise FileError(
      f"{path} unpacks to {unpacked:,} bytes, must be under {_BOMB_RATIO} times its size"
    )


def file_hash(path: str) -> str:
  """Returns the SHA-256 of a file's content, or raises a FileError."""
  with explained(FileError, f"can't read {path}", OSError):
    found = os.stat(path)
    return _file_hash(path, found.st_mtime_ns, found.st_size)


@functools.cache
def _file_hash(path: str, modified: int, size: int) -> str:
  """Hashes a file once for each time that it was written."""
  with open(path, "rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()
