"""Reads the files of an archive, packed or not."""

import contextlib
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator

from jaxkd.data.base import DataError

# These have no common class.
_DAMAGED = (
  EOFError,
  OSError,
  tarfile.TarError,
  zipfile.BadZipFile,
  zlib.error,
)


class Archive:
  """The files below one folder.

  Args:
    path: that folder, or the `.zip` or tar archive that it is in.
    folder: name of the folder in the archive.

  Attributes:
    path: as above.
    names: of all files.

  Raises:
    DataError: it is damaged.
  """

  def __init__(self, path: pathlib.Path, folder: str):
    self.path = path
    self._prefix = f"{folder}/"
    with self._damage_named():
      if path.is_dir():
        files = (file for file in path.rglob("*") if file.is_file())
        self.names = sorted(str(file.relative_to(path)) for file in files)
        return
      if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
          names = packed.namelist()
      else:
        with tarfile.open(path) as tape:
          names = tape.getnames()
      self.names = [name.removeprefix(self._prefix) for name in names]

  def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yields names and contents of files, in the order that is the fastest.

    Raises:
      DataError: one is not there, or damaged.
    """
    if missing := set(names) - set(self.names):
      raise DataError(f"{self.path} lacks {min(missing)}")
    with self._damage_named():
      if self.path.is_dir():
        for name in names:
          yield name, (self.path / name).read_bytes()
      elif self.path.suffix == ".zip":
        with zipfile.ZipFile(self.path) as packed:
          for name in names:
            yield name, packed.read(self._prefix + name)
      else:
        wanted = {self._prefix + name: name for name in names}
        # Going back in what is compressed would be slow.
        with tarfile.open(self.path) as tape:
          for member in tape:
            if member.name in wanted and (file := tape.extractfile(member)):
              yield wanted[member.name], file.read()

  def texts(self, *names: str) -> list[str]:
    """Returns the contents of text files.

    Raises:
      DataError: one is not there, or damaged.
    """
    contents = dict(self.read(names))
    try:
      return [contents[name].decode() for name in names]
    except UnicodeDecodeError as error:
      raise DataError(f"{', '.join(names)} in {self.path} are not all text: {error}") from error

  @contextlib.contextmanager
  def _damage_named(self) -> Iterator[None]:
    try:
      yield
    except _DAMAGED as error:
      raise DataError(f"{self.path} is damaged: {error}") from error
