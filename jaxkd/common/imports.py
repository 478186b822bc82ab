"""Imports the object that an option names as `package.module:attribute`."""

import importlib
from typing import Any

from jaxkd.common.errors import UserError, described
from jaxkd.common.spelling import hint


def resolve(reference: str, what: str, kind: type[UserError] = UserError) -> Any:
  """Returns the object that `package.module:attribute` names; the attribute may have dots.

  Messages call it `what`.

  Raises:
    kind: the module can't be imported, or has no such attribute.

  Examples:
    >>> resolve("math:sqrt", "function")(4.0)
    2.0
  """
  module, _, attribute = reference.partition(":")
  if not module or not attribute:
    raise kind(f"{what} {reference!r} must be MODULE:ATTRIBUTE, with both names")
  try:
    thing = importlib.import_module(module)
  except Exception as error:
    advice = "; is its folder in PYTHONPATH?" if isinstance(error, ModuleNotFoundError) else ""
    reason = f"can't import {module!r}: {described(error)}{advice}"
    raise kind(f"{what} {reference!r}: {reason}") from error
  for part in attribute.split("."):
    if not hasattr(thing, part):
      place = getattr(thing, "__name__", module)
      names = [name for name in dir(thing) if not name.startswith("_")]
      raise kind(f"{what} {reference!r}: {part!r} is not in {place}{hint(part, names)}")
    thing = getattr(thing, part)
  return thing
