"""Files, local or in a bucket: written whole, JSON with a checksum, hashes of contents."""

import contextlib
import fcntl
import functools
import glob
import hashlib
import json
import os
import pathlib
import stat
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from jaxkd.common.buckets import errors, in_bucket, located
from jaxkd.common.errors import FileError, explained

StrPath = str | os.PathLike[str]
_CHECKSUM = "crc32"  # key of a JSON object's checksum

# A ZIP archive that unpacks to more bytes, and to more times its size, is a bomb: deflate packs
# zeros 1000 times, but numbers rarely 10 times.
_BOMB_BYTES, _BOMB_RATIO = 2**30, 100


class DamagedError(FileError):
  """A file's content is not as it was written."""


def write_atomically(path: StrPath, content: str | bytes) -> None:
  """Writes a file whole or not at all, or raises a FileError.

  If several processes write it at once, the content of the last one stays. Temporary files of the
  same name that killed processes left are removed.
  """
  if in_bucket(path):
    # An object is whole, or does not exist.
    with _explained("write", path):
      located(path).write_bytes(content.encode() if isinstance(content, str) else content)
    return
  write_together({pathlib.Path(path): content})


def write_together(contents: Mapping[pathlib.Path, str | bytes]) -> None:
  """Writes local files: all of them as temporary files first, then they get their names in order.

  An error before, such as that of a full disk, leaves the earlier files as they were.
  """
  with contextlib.ExitStack() as stack:
    made = {path: temporary_path(path, uuid.uuid4().hex) for path in contents}
    for path, content in contents.items():
      # After a failed write, closing fails, too.
      stack.enter_context(_explained("write", path))
      file = stack.enter_context(temporary(made[path]))
      file.write(content.encode() if isinstance(content, str) else content)
      file.flush()
      os.fsync(file.fileno())
    for path in contents:
      with _explained("write", path):
        os.replace(made[path], path)
  for path in contents:
    remove_leftovers(path.parent, path.name)


def check_target(path: StrPath, command: str, own: Callable[[pathlib.Path], bool]) -> None:
  """Raises a FileError if a command can't write a file, or would replace one that isn't its own.

  `own(path)` tells whether the command wrote a file. An object in a bucket is not checked.
  """
  if in_bucket(path):
    return
  path, reason = pathlib.Path(path), ""
  if path.is_dir():
    reason = "it is a folder"
  elif not path.parent.is_dir():
    reason = f"there is no folder {path.parent}"
  elif not os.access(path.parent, os.W_OK | os.X_OK):
    reason = f"the folder {path.parent} is read-only"
  elif path.exists() and not own(path):
    reason = f"it exists, and {command} did not write it; choose another name"
  if reason:
    raise FileError(f"can't write {path}: {reason}")


def remove_leftovers(folder: StrPath, name: str = "") -> None:
  """Removes the temporary files that killed processes left, by default of all files in a folder."""
  if in_bucket(folder):
    return
  pattern = f"{glob.escape(name) or '*'}.{'[0-9a-f]' * 32}.tmp"
  for left in pathlib.Path(folder).glob(pattern):
    # The process that writes the file holds its lock.
    with contextlib.suppress(OSError), open(left, "rb") as file:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      # After another removal, the process has perhaps created it anew, with a lock of its own.
      if os.path.samestat(os.fstat(file.fileno()), left.stat()):
        left.unlink()


def temporary_path(path: pathlib.Path, digits: str) -> pathlib.Path:
  """Returns the name of a temporary file beside `path`, from 32 hexadecimal digits."""
  return path.with_name(f"{path.name}.{digits}.tmp")


@contextlib.contextmanager
def temporary(path: pathlib.Path) -> Iterator[BinaryIO]:
  """Creates a temporary file, and removes it; until then other processes leave it alone."""
  try:
    while True:
      with open(path, "wb") as file:
        # Some network file systems have no locks. There, leftovers stay.
        with contextlib.suppress(OSError):
          fcntl.flock(file, fcntl.LOCK_EX)
        # Another process may have removed the file before it was locked.
        if path.exists():
          yield file
          return
  finally:
    path.unlink(missing_ok=True)


def read(path: StrPath) -> bytes:
  """Returns the content of a file, or raises a FileError."""
  with _explained("read", path):
    return located(path).read_bytes()


def exists(path: StrPath) -> bool:
  """Returns whether there is a file or folder, or raises a FileError."""
  with _explained("read", path):
    return located(path).exists()


class Usage(NamedTuple):
  """The files of a folder together."""

  bytes: int
  changed: float  # the time of the newest change, in seconds since 1970; 0 in a bucket


def usage(folder: StrPath) -> Usage:
  """Returns size and age of a folder, or raises a FileError; files may come and go meanwhile."""
  with _explained("read", folder):
    if in_bucket(folder):
      import fsspec

      found = fsspec.filesystem("gcs").find(os.fspath(folder), detail=True)
      return Usage(sum(each["size"] for each in found.values()), 0.0)
    stats = [os.stat(folder)]
    for path in pathlib.Path(folder).rglob("*"):
      with contextlib.suppress(FileNotFoundError):
        stats.append(os.lstat(path))
  size = sum(each.st_size for each in stats if stat.S_ISREG(each.st_mode))
  return Usage(size, max(each.st_mtime for each in stats))


def make_folder(path: StrPath) -> None:
  """Makes a folder unless it exists, or raises a FileError; a bucket has no folders to make."""
  if not in_bucket(path):
    with _explained("write to", path):
      pathlib.Path(path).mkdir(parents=True, exist_ok=True)


def rename(path: StrPath, name: str) -> None:
  """Gives a file another name in its folder, or raises a FileError."""
  found = located(path)
  if in_bucket(path):
    # gcsfs would first try for half a minute, on servers that can't rename.
    write_atomically(found.with_name(name), read(path))
    with _explained("remove", path):
      found.unlink()
  else:
    with _explained("rename", path):
      os.replace(found, found.with_name(name))


def _explained(action: str, path: StrPath) -> contextlib.AbstractContextManager[None]:
  return explained(FileError, f"can't {action} {path}", errors(path))


def write_json(path: StrPath, value: Mapping[str, Any]) -> None:
  """Writes an object and its checksum atomically, for `read_json`."""
  write_atomically(path, json.dumps(_sealed(value), indent=2) + "\n")


def read_json(path: StrPath, remedy: str) -> dict[str, Any]:
  """Returns the object of a file.

  Raises:
    DamagedError: the checksum is wrong or missing; the message ends with the remedy.
    FileError: the file can't be read.
  """
  content = read(path)
  try:
    return _unsealed(content)
  except ValueError as error:
    message = f"{path} is damaged, or of another version of jaxkd; {remedy}"
    raise DamagedError(message) from error


def write_json_lines(path: StrPath, values: Iterable[Mapping[str, Any]]) -> None:
  """Writes a line for each object atomically, for `read_json_lines`."""
  write_atomically(path, "".join(map(_line, values)))


def append_json_line(path: StrPath, value: Mapping[str, Any]) -> None:
  """Appends an object and syncs it to disk, or raises a FileError."""
  if in_bucket(path):
    # Objects can't grow.
    write_atomically(path, (read(path) if exists(path) else b"") + _line(value).encode())
    return
  with _explained("write", path), open(path, "a") as file:
    file.write(_line(value))
    file.flush()
    os.fsync(file.fileno())


def read_json_lines(path: StrPath) -> tuple[list[dict[str, Any]], int]:
  """Returns the sound objects of a file, and the number of damaged lines, or raises a FileError."""
  lines = read(path).splitlines()
  found = []
  for line in lines:
    with contextlib.suppress(ValueError):
      found.append(_unsealed(line))
  return found, len(lines) - len(found)


def _line(value: Mapping[str, Any]) -> str:
  return json.dumps(_sealed(value)) + "\n"


def _sealed(value: Mapping[str, Any]) -> dict[str, Any]:
  return {**value, _CHECKSUM: zlib.crc32(json.dumps(value).encode())}


def _unsealed(text: bytes) -> dict[str, Any]:
  """Returns an object without its checksum; a ValueError if that is wrong."""
  try:
    value = json.loads(text)
  except RecursionError as error:
    raise ValueError("too deeply nested") from error
  found = value.pop(_CHECKSUM, None) if isinstance(value, dict) else None
  if found is None or _sealed(value)[_CHECKSUM] != found:
    raise ValueError("the checksum is wrong")
  return value


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
