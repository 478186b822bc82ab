"""The one way to print to stderr."""

import sys

import jax

from jaxkd.common.errors import one_line


def tell(text: str) -> None:
  """Prints a line to stderr, from the first process of a run only."""
  if jax.process_index() == 0:
    print(one_line(text), file=sys.stderr, flush=True)
