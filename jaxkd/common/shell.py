"""Commands that a message names, to be pasted into the shell that this process was started from."""

import os
import re
import shlex
import sys

DISTRIBUTION = "jaxkd-distill"
"""The name under which jaxkd is installed."""


def launcher() -> str:
  """Returns `launch.sh` as it was called, '' if it did not start this process."""
  return os.environ.get("JAXKD_LAUNCHER", "")


def command(name: str, *words: str) -> str:
  """Returns a command of jaxkd, which runs in the environment of this process."""
  start = [launcher(), name] if launcher() else [sys.executable, "-m", f"jaxkd.{name}"]
  return shlex.join([*start, *words])


def install(extra: str) -> str:
  """Returns the command that installs an extra into the environment of this process."""
  if launcher():
    return f"JAXKD_EXTRAS={extra} {shlex.quote(launcher())} setup"
  return f"{shlex.quote(sys.executable)} -m pip install '{DISTRIBUTION}[{extra}]'"


def as_started(text: str) -> str:
  """Returns a text whose commands `python -m jaxkd.COMMAND` are as this process was started."""
  if not launcher():
    return text
  return re.sub(r"python -m jaxkd\.(\w+)", lambda found: command(found[1]), text)
