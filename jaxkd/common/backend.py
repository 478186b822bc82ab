"""The kind of device that programs are traced for: 'cpu', 'gpu' or 'tpu'."""

import contextlib
import contextvars
from collections.abc import Iterator

import jax

_TRACED_FOR: contextvars.ContextVar[str | None] = contextvars.ContextVar("traced_for", default=None)


def backend() -> str:
  """Returns the kind of the devices, or the kind that `traced_for` names.

  Examples:
    >>> with traced_for("tpu"):
    ...   backend()
    'tpu'
  """
  return _TRACED_FOR.get() or jax.default_backend()


@contextlib.contextmanager
def traced_for(kind: str) -> Iterator[None]:
  """Traces programs for devices that this machine lacks."""
  token = _TRACED_FOR.set(kind)
  try:
    yield
  finally:
    _TRACED_FOR.reset(token)
