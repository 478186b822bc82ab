"""Digests of source code: they identify classes and functions from outside of jaxkd."""

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from jaxkd.common.errors import INSTALLED, UserError


def source_digest(thing: Any) -> str:
  """Returns 16 hexadecimal digits for the source of a class or function and of all that it uses.

  Base classes and the globals that the source names are followed, unless they belong to jaxkd or to
  another installed package; a jitted function counts as the function. Numbers, texts, arrays and
  containers of them (globals, closures, bound arguments) count by value. So a changed helper
  changes the digest; a changed comment, docstring or layout does not.

  Args:
    thing: a class, a function, a `functools.partial`, or an instance, which stands for its class.

  Raises:
    UserError: its source can't be read, as when it was typed at a prompt.
  """
  home = getattr(thing, "__module__", type(thing).__module__).partition(".")[0]
  joined = "\n".join(sorted(set(_sources(thing, home, set()))))
  return hashlib.sha256(joined.encode()).hexdigest()[:16]


def _sources(thing: Any, home: str, visited: set[int]) -> Iterator[str]:
  """Yields the texts of a class or function, and of all that it uses."""
  if isinstance(thing, functools.partial):
    bound = [*thing.args, *sorted(thing.keywords.items())]
    yield from _values(f"bound to {getattr(thing.func, '__qualname__', '')}", bound, home, visited)
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
    raise UserError(
      f"can't read the source of {name}, which identifies its results; put it into a file"
    ) from error
  yield f"{name}\n{ast.dump(_without_docstrings(tree))}"
  for base in getattr(thing, "__bases__", ()):
    yield from _sources(base, home, visited)
  if isinstance(thing, types.FunctionType):
    for key, value in inspect.getclosurevars(thing).nonlocals.items():
      yield from _values(f"{name}: {key}", value, home, visited)
  for node in ast.walk(tree):
    if isinstance(node, ast.Name | ast.Attribute):
      value = _resolved(node, vars(sys.modules[thing.__module__]))
      yield from _values(f"{name}: {ast.unparse(node)}", value, home, visited)


def _resolved(node: ast.AST, space: dict[str, Any]) -> Any:
  """Returns the global that a name or an attribute of a module refers to, or None."""
  if isinstance(node, ast.Name):
    return space.get(node.id)
  if not isinstance(node, ast.Attribute):
    return None
  module = _resolved(node.value, space)
  return getattr(module, node.attr, None) if isinstance(module, types.ModuleType) else None


def _values(key: str, value: Any, home: str, visited: set[int]) -> Iterator[str]:
  """Yields the texts of a value that a source names; objects of other kinds don't count."""
  value = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
  if isinstance(value, type | types.FunctionType | functools.partial):
    yield from _sources(value, home, visited)
  elif isinstance(value, dict | list | tuple | set | frozenset):
    items = value.items() if isinstance(value, dict) else value
    # The order of a set differs between processes.
    unordered = isinstance(value, set | frozenset)
    for index, item in enumerate(items):
      yield from _values(f"{key}[{'' if unordered else index}]", item, home, visited)
  elif hasattr(value, "tobytes"):
    yield f"{key} = {value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
  elif isinstance(value, bool | int | float | complex | str | bytes):
    yield f"{key} = {value!r}"


def _is_followed(thing: type | types.FunctionType, home: str) -> bool:
  package = thing.__module__.partition(".")[0]
  if package in ("jaxkd", "builtins"):
    return False
  file = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
  return package == home or not file.startswith(INSTALLED)


def _without_docstrings(tree: ast.AST) -> ast.AST:
  for node in ast.walk(tree):
    if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
      node.body = node.body[1:] or [ast.Pass()]
  return tree
