"""Imports things that an option names as `package.module:attribute`."""

import importlib
from typing import Any

from jaxkd.common.errors import UserError
from jaxkd.common.spelling import nearest


def resolve(reference: str) -> Any:
  """Returns the attribute of a module that `package.module:attribute` names, or raises a UserError.

  Examples:
    >>> resolve("math:sqrt")(4.0)
    2.0
  """
  module, _, attribute = reference.partition(":")
  try:
    imported = importlib.import_module(module)
  except (ImportError, ValueError) as error:
    reason = f"can't import {module!r}: {error}; is its folder in PYTHONPATH?"
    raise UserError(f"{reference!r}: {reason}") from error
  if not hasattr(imported, attribute):
    names = [name for name in vars(imported) if not name.startswith("_")]
    raise UserError(f"{reference!r}: {attribute!r} is not in {module}, {nearest(attribute, names)}")
  return getattr(imported, attribute)
