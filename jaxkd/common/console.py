"""The one way to print to stderr."""

import sys

import jax


def tell(text: str) -> None:
  """Prints a line to stderr, from the first process of a run only."""
  if jax.process_index() == 0:
    print(text, file=sys.stderr, flush=True)
