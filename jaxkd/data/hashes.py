"""Hashes of many images, which take time, are computed once."""

import contextlib
import pathlib
from collections.abc import Callable

from jaxkd.data import cache


def kept(path: pathlib.Path, compute: Callable[[], str]) -> str:
  """Returns a SHA-256, from a file or computed.

  Where nothing can be written, nothing is kept.

  Args:
    path: the folder of the file; its name must change whenever what is hashed
      does.
    compute: returns the hash, 64 hexadecimal digits.
  """
  with contextlib.suppress(OSError):
    known = (path / "sha256").read_text()
    if len(known) == 64:
      return known
  found = compute()
  with contextlib.suppress(OSError), cache.whole_or_nothing(path) as folder:
    (folder / "sha256").write_text(found)
  return found
