"""The command `jaxkd`: lists the commands and runs one of them."""

import ast
import os
import pathlib
import runpy
import sys

import jaxkd
from jaxkd.common import extras, signals
from jaxkd.common.arguments import HELP, show
from jaxkd.common.errors import end
from jaxkd.common.spelling import nearest


def commands() -> dict[str, str]:
  """Returns every command with the first line of its docstring, read without importing JAX."""
  found = {}
  for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
    source = path.read_text(encoding="utf-8")
    if path.stem != "__main__" and 'if __name__ == "__main__":' in source:
      found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
  return found


def main() -> None:
  """Runs `jaxkd COMMAND ...` as `python -m jaxkd.COMMAND ...` does; the default is `main`."""
  found = commands()
  name, *words = sys.argv[1:] or ["help"]
  if name == "help" and words:
    name, words = words[0], ["--help"]
  if name == "--version":
    print(jaxkd.__version__)
    return
  if name in HELP:
    width = max(map(len, found))
    lines = [f"  {command:{width}}  {summary}" for command, summary in found.items()]
    flags = "`jaxkd COMMAND --help` lists the flags of a command; the default command is main."
    show("\n".join(["usage: jaxkd COMMAND [...]", "", "commands:", *lines, "", flags]))
    return
  if name.startswith("--processes"):
    end("--processes is an option of ./launch.sh; here it is a command: jaxkd processes 2 COMMAND")
  if name.startswith("-"):
    name, words = "main", [name, *words]
  if name not in found:
    end(f"the command is {name!r}, must be {nearest(name, found)}")
  extras.report_missing_extras()
  signals.end_at_once()
  sys.argv[1:] = words
  # `python -m` finds a user's own modules in the working directory.
  if not sys.flags.safe_path and os.getcwd() not in sys.path:
    sys.path.insert(0, os.getcwd())
  runpy.run_module(f"jaxkd.{name}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
  main()
