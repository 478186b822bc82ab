"""Locks: files on a disk, leases in a bucket."""

import contextlib
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import filelock

from jaxkd.common.buckets import AnyPath, in_bucket, located
from jaxkd.common.console import tell
from jaxkd.common.errors import FileError, explained
from jaxkd.common.files import StrPath

LEASE_SECONDS = 60.0
"""A lease that is not renewed for this time is free."""
RENEWAL_SECONDS = 15.0

# Leases of other processes, with the generation of their objects and the time of its first reading.
_seen: dict[bytes, tuple[bytes, float]] = {}


class HeldError(Exception):
  """Another process holds the lock."""


@contextlib.contextmanager
def held(path: StrPath, *, wait: float = 0) -> Iterator[None]:
  """Holds a lock. Raises a HeldError if another process still holds it after `wait` seconds.

  The lock is free once its holder has ended, in whatever way. A bucket's lock can't be told from
  that of a dead process at once: whatever `wait` is, this takes up to `LEASE_SECONDS`. A living
  holder shows itself when it renews the lock, about every `RENEWAL_SECONDS`.
  """
  with contextlib.ExitStack() as stack:
    if not in_bucket(path):
      try:
        stack.enter_context(filelock.FileLock(path, timeout=wait))
      except filelock.Timeout as error:
        raise HeldError(f"another process holds {path}") from error
    else:
      lease, end = _Lease(located(path)), time.monotonic() + wait
      while True:
        try:
          stack.enter_context(lease)
          break
        except HeldError:
          if time.monotonic() >= end:
            raise
    yield


def notice(path: StrPath) -> None:
  """Begins to watch a bucket's lock, so that `held` finds a dead holder sooner."""
  if in_bucket(path):
    _Lease(located(path)).notice()


class _Lease:
  """An object that its holder writes again every `RENEWAL_SECONDS`.

  Each write demands the object that was read before, so only one process gets a free lease. Clocks
  of several machines are not compared: an object is free if it does not change while a process
  watches it for `LEASE_SECONDS`.
  """

  def __init__(self, path: AnyPath):
    import tensorstore

    self._path = path
    self._own = f"{socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex}".encode()
    bucket, *parts = path.parts[2:]
    retries = {"max_retries": 5, "initial_delay": "1s", "max_delay": "8s"}
    spec = {"driver": "gcs", "bucket": bucket, "context": {"gcs_request_retries": retries}}
    with self._explained():
      self._store = tensorstore.KvStore.open(spec).result()
    self._key = "/".join(parts)
    self._generation = b""

  def notice(self) -> None:
    """Remembers the object as it is now."""
    with self._explained():
      found = self._read()
    if found.state == "value":
      self._first_seen(found)

  def __enter__(self) -> None:
    with self._explained():
      found = self._read()
      if found.state == "value":
        self._watch(found)
      if not self._write(found.stamp.generation):
        raise HeldError(f"another process holds {self._path}")
    self._done = threading.Event()
    self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
    self._thread.start()

  def __exit__(self, *_: object) -> None:
    self._done.set()
    self._thread.join()
    # If it fails, the lease ends by itself.
    with contextlib.suppress(ValueError, OSError):
      self._store.write(self._key, None, if_equal=self._generation).result(RENEWAL_SECONDS)

  def _explained(self) -> contextlib.AbstractContextManager[None]:
    return explained(FileError, f"can't lock {self._path}", (ValueError, OSError))

  def _read(self, timeout: float | None = None) -> Any:
    return self._store.read(self._key).result(timeout)

  def _watch(self, found: Any) -> None:
    """Raises a HeldError as soon as the holder renews its lease or gives it up."""
    end = self._first_seen(found) + LEASE_SECONDS
    while time.monotonic() < end:
      time.sleep(min(1.0, RENEWAL_SECONDS))
      if self._read().stamp.generation != found.stamp.generation:
        raise HeldError(f"{_holder(found)} holds {self._path}")

  def _first_seen(self, found: Any) -> float:
    """Returns when this process first read the object in its present state; names new holders."""
    generation, seen = _seen.get(found.value, (b"", 0.0))
    if not generation:
      limit = f"{LEASE_SECONDS:g} s"
      tell(f"{self._path} is held by {_holder(found)}; looking for up to {limit} if it is alive")
    if generation != found.stamp.generation:
      seen = time.monotonic()
      _seen[found.value] = found.stamp.generation, seen
    return seen

  def _write(self, expected: bytes, timeout: float | None = None) -> bool:
    """Writes the object if it is the expected one; returns whether the lease is this process's."""
    written = self._store.write(self._key, self._own, if_equal=expected).result(timeout)
    if not written.generation:
      # A repeated request may have found what its first attempt wrote.
      found = self._read(timeout)
      if found.value != self._own:
        return False
      written = found.stamp
    self._generation = written.generation
    return True

  def _renew(self) -> None:
    """Renews the lease until it is given up; ends the process if that fails for too long."""
    renewed, problem = time.monotonic(), ""
    while not self._done.wait(RENEWAL_SECONDS):
      started = time.monotonic()
      try:
        # Two failures must end before the lease does.
        if self._write(self._generation, RENEWAL_SECONDS / 3):
          renewed = started
          continue
        problem = "another process took it"
      except (ValueError, OSError) as error:
        problem = f"the bucket does not answer ({type(error).__name__} {error})"
        if started - renewed < LEASE_SECONDS - 2 * RENEWAL_SECONDS:
          continue
      # The main thread may be in the midst of a checkpoint, which nobody must write now.
      print(f"jaxkd: lost the lock {self._path}: {problem}", file=sys.stderr, flush=True)
      os._exit(2)


def _holder(found: Any) -> str:
  return found.value.decode(errors="replace").rpartition(", ")[0]
