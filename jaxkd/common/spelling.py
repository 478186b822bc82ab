"""Spelling suggestions for wrong names."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
  """Returns the list of valid names, and a suggestion.

  Examples:
    >>> nearest("isat", ("ats", "isats"))
    "one of ats, isats; did you mean 'isats'?"
  """
  names = list(names)
  return "one of " + ", ".join(names) + hint(name, names)


def hint(name: str, names: Iterable[str]) -> str:
  """Returns a suggestion of the nearest name; empty if none is near.

  Examples:
    >>> hint("isat", ("ats", "isats"))
    "; did you mean 'isats'?"
  """
  close = closest(name, names)
  return f"; did you mean {close!r}?" if close else ""


def closest(name: str, names: Iterable[str]) -> str:
  """Returns the nearest name, '' if none is near."""
  return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)), "")
