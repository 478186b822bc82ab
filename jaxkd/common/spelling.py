"""Spelling suggestions for wrong names."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
  """Returns which names there are, and the one that was probably meant.

  Examples:
    >>> nearest("isat", ("ats", "isats"))
    "one of ats, isats; did you mean 'isats'?"
  """
  names = list(names)
  return "one of " + ", ".join(names) + hint(name, names)


def hint(name: str, names: Iterable[str]) -> str:
  """Returns which of the names was probably meant; empty if none is near.

  Examples:
    >>> hint("isat", ("ats", "isats"))
    "; did you mean 'isats'?"
  """
  close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
  return f"; did you mean {close[0]!r}?" if close else ""
