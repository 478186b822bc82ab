"""Ends a process cleanly after Ctrl-C or SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import jax

from jaxkd.common.errors import UserError


class Stopped(UserError):
  """The run was asked to stop, and has stopped."""


@contextlib.contextmanager
def exit_when_terminated() -> Iterator[None]:
  """Makes SIGTERM raise SystemExit, so that the process cleans up.

  It changes nothing in a run of several processes, outside of the main thread, or where SIGTERM
  already has a handler.
  """

  def leave(number, _):
    raise SystemExit(128 + number)

  default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
  with contextlib.ExitStack() as before:
    if default and _in_main_thread() and not jax.distributed.is_initialized():
      signal.signal(signal.SIGTERM, leave)
      before.callback(signal.signal, signal.SIGTERM, signal.SIG_DFL)
    yield


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
  """Yields an event that the first SIGINT (Ctrl-C) or SIGTERM sets; the second ends the process.

  It changes nothing in a run of several processes, since processes that stop at different steps
  can't write a checkpoint together, nor outside of the main thread.
  """
  event, before = threading.Event(), contextlib.ExitStack()

  def request(*_):
    event.set()
    before.close()

  with before:
    if jax.process_count() == 1 and _in_main_thread():
      for number in (signal.SIGINT, signal.SIGTERM):
        before.callback(signal.signal, number, signal.getsignal(number))
      for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, request)
    yield event


def _in_main_thread() -> bool:
  return threading.current_thread() is threading.main_thread()
