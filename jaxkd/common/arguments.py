"""Arguments of the commands that read no config."""

import argparse
import os
import re
import sys
from collections.abc import Collection, Sequence

from jaxkd.common import signals
from jaxkd.common.errors import end
from jaxkd.common.shell import as_started
from jaxkd.common.spelling import nearest

HELP = frozenset(("-h", "--help", "help"))
"""Words that ask for help."""


def show(text: str) -> None:
  """Prints a text; it is no error if nobody reads its end, as in `jaxkd help | head`."""
  try:
    print(text, flush=True)
  except BrokenPipeError:
    # Python flushes once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Parser(argparse.ArgumentParser):
  """Parses the arguments of a command; a mistake ends the process with one line."""

  def __init__(self, **settings):
    # The description has examples, a line each.
    super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

  def format_help(self):
    """Returns the help, with commands as this one was started."""
    return as_started(super().format_help())

  def print_help(self, file=None):
    """Prints the help."""
    show(self.format_help().rstrip())

  def parse_args(self, args=None, namespace=None):
    """Returns the arguments; an unknown flag gets the nearest one."""
    signals.end_with_cleanup()
    args = sys.argv[1:] if args is None else args
    if HELP.intersection(args[:1]):
      args = ["--help"]
    flags = [name for name in self._option_string_actions if name.startswith("--")]
    for word in args:
      flag = word.partition("=")[0]
      if flag.startswith("--") and flag not in flags:
        self.error(f"the flag is {flag}, must be {nearest(flag, flags)}")
    return super().parse_args(args, namespace)

  def error(self, message):
    """Ends the process."""
    end(re.sub("^argument (.*): invalid int value: (.*)", r"\1 is \2, must be an integer", message))


def split(
  words: Sequence[str], positional: int, commands: Collection[str]
) -> tuple[list[str], list[str]]:
  """Splits words before the command that they run: flags and a number of other words come first.

  Examples:
    >>> split(["--dry-run", "pod", "zone", "main", "--config=FILE"], 2, ["main"])
    (['--dry-run', 'pod', 'zone'], ['main', '--config=FILE'])
  """
  others = [index for index, word in enumerate(words) if not word.startswith("-")]
  if len(others) <= positional:
    end("the command to run is missing, such as main --config=FILE")
  if (name := words[others[positional]]) not in commands:
    end(
      f"the command to run is {name!r}, must be {nearest(name, commands)}; flags before it are "
      "written --FLAG=VALUE"
    )
  return [*words[: others[positional]]], [*words[others[positional] :]]
