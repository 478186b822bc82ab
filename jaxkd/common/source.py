"""Digests of source code: they identify classes and functions from outside of jaxkd."""

import ast
import functools
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from jaxkd.common.errors import UserError

_INSTALLED = tuple(map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")))
_VALUES = bool | int | float | complex | str | bytes | tuple | frozenset


def source_digest(thing: Any) -> str:
  """Returns 16 hexadecimal digits for the source of a class or function and of what it uses.

  An instance stands for its class. Base classes and the globals that the source names are followed,
  unless they belong to jaxkd or to another installed package. So a changed helper changes the
  digest; a changed comment, docstring or layout does not. Plain values (globals, closures, bound
  arguments) count by their `repr`. Unreadable source, as typed at a prompt, is a UserError.
  """
  home = getattr(thing, "__module__", type(thing).__module__).partition(".")[0]
  texts = dict(_sources(thing, home, set()))
  joined = "\n".join(f"{name}\n{text}" for name, text in sorted(texts.items()))
  return hashlib.sha256(joined.encode()).hexdigest()[:16]


def _sources(thing: Any, home: str, visited: set[int]) -> Iterator[tuple[str, str]]:
  """Yields names and texts of what a class or function is made of."""
  if isinstance(thing, functools.partial):
    bound = repr((thing.args, sorted(thing.keywords.items())))
    name = getattr(thing.func, "__qualname__", repr(thing.func))
    yield f"partial of {name} with {bound}", ""
    thing = thing.func
  thing = inspect.unwrap(thing) if callable(thing) else thing
  thing = getattr(thing, "__func__", thing)
  if not isinstance(thing, type | types.FunctionType):
    thing = type(thing)
  if id(thing) in visited or not _is_followed(thing, home):
    return
  visited.add(id(thing))
  name = f"{thing.__module__}.{thing.__qualname__}"
  try:
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
  except (OSError, TypeError, SyntaxError) as error:
    reason = f"can't read the source of {name}, which identifies its results"
    raise UserError(f"{reason}; put it into a file") from error
  for node in ast.walk(tree):
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
      node.body = node.body[1:] or [ast.Pass()]
  yield name, ast.dump(tree)
  mentioned = {base.__qualname__: base for base in getattr(thing, "__bases__", ())}
  if isinstance(thing, types.FunctionType):
    mentioned |= inspect.getclosurevars(thing).nonlocals
  space = vars(sys.modules[thing.__module__])
  mentioned |= {
    n.id: space[n.id] for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in space
  }
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
      module = space.get(node.value.id)
      if isinstance(module, types.ModuleType) and hasattr(module, node.attr):
        mentioned[f"{node.value.id}.{node.attr}"] = getattr(module, node.attr)
  for key, value in mentioned.items():
    if isinstance(value, type | types.FunctionType | functools.partial):
      yield from _sources(value, home, visited)
    elif isinstance(value, _VALUES):
      yield f"{name}: {key}", repr(value)


def _is_followed(thing: type | types.FunctionType, home: str) -> bool:
  package = thing.__module__.partition(".")[0]
  if package in ("jaxkd", "builtins"):
    return False
  file = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
  return package == home or not file.startswith(_INSTALLED)
