"""Lists the options of a config: value, allowed values, meaning and source."""

import dataclasses
import inspect
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from jaxkd import methods
from jaxkd.common.errors import ConfigError
from jaxkd.common.spelling import hint
from jaxkd.methods.options import allowed
from jaxkd.runs import planning
from jaxkd.runs.config import SHARED, default, network
from jaxkd.runs.validation import BOUNDS

_WIDTH = 100


# Types of the elements of tuples that are empty by default, where they are not texts.
_ELEMENTS = {"mean": float, "std": float, "seeds": int}


class Listed(NamedTuple):
  """An option of a config."""

  name: str
  value: Any
  default: Any
  allowed: str
  meaning: str  # the comment in the code, or the source of a method's option

  @property
  def section(self) -> str:
    """The first word of its name."""
    return self.name.partition(".")[0]

  def __str__(self) -> str:
    changed = f"  (default {_as_flag(self.default)})" if self.value != self.default else ""
    text = ". ".join(text[0].upper() + text[1:] for text in (self.allowed, self.meaning))
    lines = textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([f"--config.{self.name}={_as_flag(self.value)}{changed}", *lines])


def _as_flag(value: Any) -> str:
  """Returns a value as it is given on the command line."""
  if isinstance(value, ConfigDict):
    return str(value.to_dict())
  return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def comments(*sources: Callable[..., Any]) -> dict[str, str]:
  """Returns the comment above each line `config.OPTION = ...` of functions, by option."""
  found, lines = {}, list[str]()
  for line in "".join(map(inspect.getsource, sources)).splitlines():
    text = line.strip()
    if text.startswith("# "):
      lines.append(text[2:])
      continue
    if option := re.match(r"config\.([\w.]+) = ", text):
      found[option[1]] = " ".join(lines)
    lines = []
  return found


def options(config: ConfigDict, *sources: Callable[..., Any]) -> list[Listed]:
  """Returns all options of a config, in the order of the code, those of methods last.

  Args:
    config: the config.
    sources: the functions that add sections to `config.default()`, with a comment on each option.
  """
  known = comments(default, *sources)
  order = {name: place for place, name in enumerate(known)}
  # The factor of a method follows its own options.
  order["combined"] = len(order) + 1
  for section in planning.NETWORKS:
    known |= {f"{section}.{key}": text for key, text in comments(network).items()}
  usual = {name: value for name, value, _ in _leaves(default())}
  found = [
    Listed(name, value, usual.get(name, value), *_described(name, value, kind, known))
    for name, value, kind in _leaves(config)
  ]
  return sorted(found, key=lambda each: order.get(each.section, len(order)))


def _leaves(config: ConfigDict, prefix: str = "") -> Iterator[tuple[str, Any, type]]:
  """Yields name, value and type of each option; a section without options is one."""
  for key, value in config.items():
    if isinstance(value, ConfigDict) and value:
      yield from _leaves(value, f"{prefix}{key}.")
    else:
      yield f"{prefix}{key}", value, config.get_type(key)


def _described(name: str, value: Any, kind: Any, known: dict[str, str]) -> tuple[str, str]:
  """Returns the allowed values of an option, and its meaning."""
  section, _, key = name.partition(".")
  method = methods.all_methods().get(section)
  for field in dataclasses.fields(method) if method else ():
    if field.name == key:
      values = allowed(typing.get_type_hints(method)[key], field.metadata["within"])
      shared = f"; None: config.{key}" if key in SHARED else ""
      return values, f"{field.metadata['source']}{shared}"
  if kind is tuple:
    element = type(value[0]) if value else _ELEMENTS.get(name.rpartition(".")[2], str)
    kind = types.GenericAlias(tuple, (element, ...))
  if value is None:
    kind = kind | None
  values = "set in a config file" if kind is ConfigDict else allowed(kind, BOUNDS.get(name))
  # An option that only a file has, such as teacher.options.width, belongs to the one above it.
  while name not in known and "." in name:
    name = name.rpartition(".")[0]
  return values, known.get(name, "an option of the config file alone")


def matching(found: list[Listed], word: str) -> list[Listed]:
  """Returns the options of a section or name, or else those whose names or texts have the word.

  A row such as `crd+kd` has those of its methods.

  Raises:
    ConfigError: there is none.
  """
  words = methods.members(word)
  chosen = [each for each in found if any(f".{one}." in f".{each.name}." for one in words)]
  if chosen := chosen or [each for each in found if word.lower() in str(each).lower()]:
    return chosen
  names = {part for each in found for part in each.name.split(".")}
  raise ConfigError(f"no option has the word {word!r}{hint(word, names)}")


def as_text(found: list[Listed]) -> str:
  """Returns options as text for a terminal; a method's begin with its description."""
  lines = []
  for section, own in itertools.groupby(found, lambda each: each.section):
    if method := methods.all_methods().get(section):
      summary = (inspect.getdoc(method) or "").partition("\n")[0]
      lines.append(f"\n{section}: {summary}")
    lines += map(str, own)
  return "\n".join(lines)
