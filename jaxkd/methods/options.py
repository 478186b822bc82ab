"""The options of methods: their defaults, bounds and sources."""

import dataclasses
import math
import types
import typing
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxkd import losses
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import nearest


class Bound(NamedTuple):
  """An interval of finite numbers; its ends belong to it unless they are open."""

  low: float = -math.inf
  high: float = math.inf
  low_open: bool = False
  high_open: bool = False

  def __contains__(self, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
      return False
    above = value > self.low if self.low_open else value >= self.low
    return above and (value < self.high if self.high_open else value <= self.high)

  def __str__(self) -> str:
    if self.high == math.inf:
      return f"{'>' if self.low_open else '>='} {self.low:g}"
    left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
    high = "2**32" if self.high == 2**32 else f"{self.high:g}"
    return f"in {left}{self.low:g}, {high}{right}"


POSITIVE = Bound(0, low_open=True)
NOT_NEGATIVE = Bound(0)
FRACTION = Bound(0, 1)
TEMPERATURE = Bound(*losses.TAU_RANGE)
SEED = Bound(0, 2**32, high_open=True)


def option(
  default: Any,
  source: str = "",
  within: Bound | Sequence[str] | None = None,
  *,
  selects: bool = False,
  extension: bool = False,
) -> Any:
  """Declares an option of a method: a field of its dataclass.

  Args:
    default: its value where an experiment doesn't set it.
    source: the origin of the default, and other usual values.
    within: the allowed numbers or words; for a tuple, those of each value.
    selects: whether it only names networks and weights, which are identified by their content.
    extension: whether it extends a publication's method: at its default it is not in the identity.
  """
  about = {"source": source, "within": within, "selects": selects, "extension": extension}
  return dataclasses.field(default=default, metadata=about)


def checked(owner: str, field: dataclasses.Field, kind: Any, value: Any) -> Any:
  """Returns the value of a method's option in its type: 1 becomes 1.0 for a float.

  Raises:
    ConfigError: the value is of another type, or out of bounds; `owner` is the method's name.
  """
  within, wanted = field.metadata.get("within"), kind
  kind, optional = _required(kind)
  if value is None and optional:
    return None
  if typing.get_origin(kind) is tuple:
    element = typing.get_args(kind)[0]
    enough = element is str or value != ()
    if isinstance(value, list | tuple) and enough and all(_fits(v, element, within) for v in value):
      return tuple(element(v) for v in value)
  elif _fits(value, kind, within):
    return kind(value)
  raise ConfigError(f"config.{owner}.{field.name} is {value!r}, must be {allowed(wanted, within)}")


def _fits(value: Any, kind: type, within: Bound | Sequence[str] | None) -> bool:
  if kind in (int, float):
    number = type(value) is int or (kind is float and isinstance(value, float))
    return number and value in (within or Bound())
  return isinstance(value, kind) and (within is None or value in within)


def _required(kind: Any) -> tuple[Any, bool]:
  """Returns a type without None, and whether it has None."""
  optional = isinstance(kind, types.UnionType)
  return (typing.get_args(kind)[0] if optional else kind), optional


def allowed(kind: Any, within: Bound | Sequence[str] | None = None) -> str:
  """Describes the values that an option of a type takes.

  Examples:
    >>> allowed(tuple[float, ...], FRACTION)
    'one or more values, each a number in [0, 1]'
    >>> allowed(str | None)
    'a text or None'
  """
  kind, optional = _required(kind)
  several = typing.get_origin(kind) is tuple
  element = typing.get_args(kind)[0] if several else kind
  noun = {int: "an integer", float: "a number", str: "a text", bool: "True or False"}[element]
  if several:
    noun = "texts" if element is str else f"one or more values, each {noun}"
  if isinstance(within, Bound):
    noun = f"{noun} {within}"
  elif within is not None:
    noun = nearest("", within)
  return f"{noun} or None" if optional else noun
