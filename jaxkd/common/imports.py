"""Imports the object that an option names as `package.module:attribute`."""

import importlib
from typing import Any

from jaxkd.common.errors import UserError
from jaxkd.common.spelling import nearest


def resolve(reference: str) -> Any:
  """Returns the object that `package.module:attribute` names; the attribute may have dots.

  Raises:
    UserError: the module can't be imported, or has no such attribute.

  Examples:
    >>> resolve("math:sqrt")(4.0)
    2.0
  """
  module, _, attribute = reference.partition(":")
  try:
    thing = importlib.import_module(module)
  except (ImportError, TypeError, ValueError) as error:
    raise UserError(
      f"{reference!r}: can't import {module!r}: {error}; is its folder in PYTHONPATH?"
    ) from error
  for part in attribute.split("."):
    if not hasattr(thing, part):
      place = getattr(thing, "__name__", module)
      names = [name for name in dir(thing) if not name.startswith("_")]
      raise UserError(f"{reference!r}: {part!r} is not in {place}, {nearest(part, names)}")
    thing = getattr(thing, part)
  return thing
