"""User-correctable errors, shown as one line."""

import contextlib
import pathlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from typing import NoReturn

INSTALLED = tuple(map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")))
"""Folders of the standard library and of installed packages."""

_LIBRARIES = (*INSTALLED, f"{pathlib.Path(__file__).parents[1]}/", "<frozen ")

# Control characters, directions of writing, and bytes of names that are not UTF-8.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_Kinds = type[Exception] | tuple[type[Exception], ...]


STOPPED = 75
"""Exit status after a signal: the same command resumes (EX_TEMPFAIL of sysexits.h)."""


class UserError(Exception):
  """A mistake that a user can correct; commands print its one line and exit with `status`."""

  status = 2

  def __str__(self):
    """Returns one line, whatever names a foreign file has."""
    return one_line(super().__str__())


class FileError(UserError):
  """A file can't be read or written; the message names it."""


class ConfigError(UserError):
  """An option is wrong; the message names it."""


@contextlib.contextmanager
def explained(kind: type[UserError], prefix: str, caught: _Kinds = Exception) -> Iterator[None]:
  """Makes errors, by default all, a `kind` whose one line begins with `prefix`.

  A ConfigError stays as it is: it names an option already.
  """
  try:
    yield
  except ConfigError:
    raise
  except caught as error:
    raise kind(f"{prefix}: {described(error)}") from error


def described(error: BaseException) -> str:
  """Returns an error's message in one line, with type and place if a user's own code raised it."""
  # The prefix of an error of the operating system names the file.
  place, text = place_of(error), getattr(error, "strerror", None) or str(error)
  if not isinstance(error, UserError) and (place or not text or isinstance(error, KeyError)):
    text = f"{place}{type(error).__name__}: {error}"
  return one_line(text)


def one_line(text: str) -> str:
  r"""Returns a text without line breaks; characters that steer a terminal become escapes.

  Examples:
    >>> print(one_line("two\nlines\x1b[2J"))
    two lines\x1b[2J
  """
  return _STEERING.sub(lambda found: ascii(found[0])[1:-1], " ".join(text.split()))


def place_of(error: BaseException) -> str:
  """Returns the file and line of a user's own code that raised an error; '' if none did."""
  frames = [(f.f_code.co_filename, line) for f, line in traceback.walk_tb(error.__traceback__)]
  own = [frame for frame in frames if not frame[0].startswith(_LIBRARIES)]
  return "{}, line {}: ".format(*own[-1]) if own else ""


def end(message: object) -> NoReturn:
  """Ends the process with one line on stderr, and an error's status or 2."""
  print(f"jaxkd: {one_line(str(message))}", file=sys.stderr, flush=True)
  raise SystemExit(getattr(message, "status", 2))
