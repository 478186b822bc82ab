"""Short digests of texts."""

import hashlib


def digest(text: str) -> str:
  """Returns eight hexadecimal digits of the hash of a text.

  Examples:
    >>> digest("kd ats isats")
    'b162915b'
  """
  return hashlib.sha256(text.encode()).hexdigest()[:8]
