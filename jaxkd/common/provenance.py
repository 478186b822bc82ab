"""The command, versions, date and hardware of a run, for reports."""

import datetime
import importlib.metadata
import os
import pathlib
import shlex
import subprocess
import sys
import time

import jax

import jaxkd
from jaxkd.common.console import clock
from jaxkd.common.cores import cores
from jaxkd.common.shell import as_started, launcher

_STARTED = time.monotonic()


def command() -> str:
  """Returns the command line of this process, to be pasted into a shell.

  A module of jaxkd that runs as a command becomes `python -m jaxkd.<module>`, or what `launch.sh`
  was called with, in the number of processes that `jaxkd.processes` started.
  """
  program, *arguments = sys.argv
  path = pathlib.Path(program)
  if path.parent != pathlib.Path(jaxkd.__file__).parent:
    return shlex.join([path.name, *arguments])
  if "JAXKD_SUPERVISOR" not in os.environ:
    return as_started(shlex.join(["python", "-m", f"jaxkd.{path.stem}", *arguments]))
  count = os.environ["JAX_NUM_PROCESSES"]
  several = ["python", "-m", "jaxkd.processes", count]
  if launcher():
    several = [launcher(), f"--processes={count}"]
  return shlex.join([*several, path.stem, *arguments])


def versions() -> str:
  """Returns the versions of jaxkd, with its commit where it is known, and of JAX and Python."""
  names = ("jax", "jaxlib", "flax", "optax")
  others = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
  commit = _commit()
  own = f"jaxkd {jaxkd.__version__}{f' (commit {commit})' if commit else ''}"
  return f"{own}, {others}, Python {'.'.join(map(str, sys.version_info[:3]))}"


def _commit() -> str:
  """Returns the commit of a checkout that this package is in, '' if there is none."""
  root = pathlib.Path(jaxkd.__file__).parents[1]
  if not (root / ".git").exists():
    return ""
  ask = ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
  try:
    return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
  except (OSError, subprocess.CalledProcessError):
    return ""


def hardware() -> str:
  """Returns the devices that JAX computes on, e.g. '2 CPU cores' or '8 x NVIDIA H100'."""
  if jax.default_backend() == "cpu":
    count = len(cores())
    return f"{count} CPU core{'s' if count > 1 else ''}"
  return f"{jax.device_count()} x {jax.devices()[0].device_kind}"


def today() -> str:
  """Returns the date, in UTC."""
  return str(datetime.datetime.now(datetime.UTC).date())


def elapsed() -> str:
  """Returns for how long this process has run, as hours, minutes and seconds."""
  return clock(time.monotonic() - _STARTED)
