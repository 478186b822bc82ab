"""What to say of a name that nothing has."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
  """Returns which names there are, and the one that was probably meant.

  Examples:
    >>> nearest("isat", ("ats", "isats"))
    "one of ats, isats; did you mean 'isats'?"
  """
  names = list(names)
  allowed = "one of " + ", ".join(names)
  close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
  return f"{allowed}; did you mean {close[0]!r}?" if close else allowed
