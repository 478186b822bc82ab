"""Lets a process end in order after Ctrl-C or SIGTERM."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import jax

from jaxkd.common.errors import UserError


class Stopped(UserError):
  """The run was asked to stop, and did."""


@contextlib.contextmanager
def exit_when_terminated() -> Iterator[None]:
  """Makes SIGTERM raise SystemExit, so that the process tidies up.

  It changes nothing in a run of several processes, outside of the main thread, or where SIGTERM
  already has a handler.
  """
  if (
    jax.distributed.is_initialized()
    or threading.current_thread() is not threading.main_thread()
    or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
  ):
    yield
    return

  def leave(number, _):
    raise SystemExit(128 + number)

  signal.signal(signal.SIGTERM, leave)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
  """Gives an event that the first SIGINT (Ctrl-C) or SIGTERM sets; the second ends the process.

  It changes nothing in a run of several processes, since processes that stop at different steps
  can't write a checkpoint together, nor outside of the main thread.
  """
  event = threading.Event()
  if jax.process_count() > 1 or threading.current_thread() is not threading.main_thread():
    yield event
    return
  numbers = (signal.SIGINT, signal.SIGTERM)
  with contextlib.ExitStack() as before:

    def request(*_):
      event.set()
      before.close()

    for number in numbers:
      before.callback(signal.signal, number, signal.getsignal(number))
    for number in numbers:
      signal.signal(number, request)
    yield event
