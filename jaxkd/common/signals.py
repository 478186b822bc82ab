"""Ends a process cleanly after Ctrl-C (SIGINT), SIGTERM or SIGHUP."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from jaxkd.common.errors import STOPPED, UserError, end

# Windows has no SIGHUP.
SIGNALS = tuple(
  getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(UserError):
  """The run was asked to stop, and has stopped."""

  status = STOPPED


def _stopped(number: int) -> Stopped:
  return Stopped(f"stopped by {signal.Signals(number).name}; run the same command again")


def _end_at_once(number: int, _) -> None:
  # An exception in the middle of an import may become another one.
  with contextlib.suppress(SystemExit):
    end(_stopped(number))
  os._exit(STOPPED)


def _end(number: int, _) -> NoReturn:
  end(_stopped(number))


def end_at_once() -> None:
  """Makes the signals end this process with one line and no cleanup, during the imports.

  A signal that is ignored, as SIGHUP is under nohup, stays ignored.
  """
  for number in SIGNALS:
    if signal.getsignal(number) is not signal.SIG_IGN:
      signal.signal(number, _end_at_once)


def end_with_cleanup() -> None:
  """Makes the signals of `end_at_once` raise SystemExit from now on."""
  for number in SIGNALS:
    if signal.getsignal(number) is _end_at_once:
      signal.signal(number, _end)
      sys.unraisablehook = _raise_again


def _raise_again(unraisable: Any) -> None:
  """Raises SystemExit once more where it was dropped, as callbacks of the garbage collector do."""
  if not isinstance(unraisable.exc_value, SystemExit):
    sys.__unraisablehook__(unraisable)
  elif in_main_thread():
    # The line has been printed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGTERM)).start()


@contextlib.contextmanager
def exit_when_terminated() -> Iterator[None]:
  """Makes SIGTERM raise SystemExit, so that the process cleans up.

  It changes nothing in a run of several processes, outside of the main thread, or where SIGTERM
  already has a handler.
  """
  # Commands set their handlers before they import JAX, which takes a second.
  import jax

  default = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
  with contextlib.ExitStack() as before:
    if default and in_main_thread() and not jax.distributed.is_initialized():
      signal.signal(signal.SIGTERM, _end)
      before.callback(signal.signal, signal.SIGTERM, signal.SIG_DFL)
    yield


@contextlib.contextmanager
def handled(
  handler: Callable[[], None], numbers: Sequence[signal.Signals] = SIGNALS
) -> Iterator[None]:
  """Calls a handler at the first of the signals; the second has the effect that it had before.

  It changes nothing outside of the main thread, and an ignored signal stays ignored.
  """
  with contextlib.ExitStack() as before:

    def handle(*_):
      before.close()
      handler()

    if in_main_thread():
      for number in numbers:
        known = signal.getsignal(number)
        if known is not signal.SIG_IGN:
          before.callback(signal.signal, number, known)
          signal.signal(number, handle)
    yield


def in_main_thread() -> bool:
  """Whether this is the thread that may set handlers of signals."""
  return threading.current_thread() is threading.main_thread()
