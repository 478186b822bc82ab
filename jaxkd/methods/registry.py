"""Methods by name: `register`, `find`, `create`, `list_methods`."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

from jaxkd.common.errors import ConfigError
from jaxkd.common.imports import resolve
from jaxkd.common.source import source_digest
from jaxkd.common.spelling import nearest
from jaxkd.methods import options as method_options
from jaxkd.methods.base import Method
from jaxkd.methods.combined import Combined

M = TypeVar("M", bound=type[Method])

_METHODS: dict[str, type[Method]] = {}
_OBJECTIVES_ONLY: set[str] = set()


@dataclass_transform(frozen_default=True, field_specifiers=(method_options.option,))
def register(name: str, *, row: bool = True) -> Callable[[M], M]:
  """Gives a method its name, for `config.rows` and for the section of its options.

  Args:
    name: letters, digits and _; it becomes the section of the config that has the options.
    row: whether it can be a row of a table; otherwise it is an objective for other methods.

  Returns:
    A decorator of a class that extends `Method`. It makes the class a frozen dataclass.

  Raises:
    ConfigError: another class has the name, or the name is no identifier.

  Examples:
    >>> @register("doubled_kd")
    ... class DoubledKD(Method):
    ...   tau: float = 4.0
    >>> find("doubled_kd")(tau=2).tau
    2.0
    >>> unregister("doubled_kd")
  """
  if not name.isidentifier():
    raise ConfigError(f"the method's name is {name!r}, must be letters, digits and _")

  def named(method: Any) -> Any:
    known = _METHODS.get(name)
    if known and _address(known) != _address(method):
      raise ConfigError(f"the method {name!r} is registered already, as {known.__module__}")
    method = _frozen(method)
    method.name = name
    _METHODS[name] = method
    if not row:
      _OBJECTIVES_ONLY.add(name)
    return method

  return named


def _address(method: type[Method]) -> tuple[str, str]:
  return method.__module__, method.__qualname__


def _frozen(method: type[Method]) -> type[Method]:
  """Makes a class a frozen dataclass, unless it is one."""
  own = "__dataclass_params__" in vars(method)
  return method if own else dataclasses.dataclass(frozen=True)(method)


def unregister(name: str) -> None:
  """Forgets a registered method."""
  _METHODS.pop(name, None)
  _OBJECTIVES_ONLY.discard(name)


def find(name: str) -> type[Method]:
  """Returns the method of a name, or of `module:class`, which is imported.

  Raises:
    ConfigError: there is none; the message has the nearest name.

  Examples:
    >>> find("isat")
    Traceback (most recent call last):
      ...
    jaxkd.common.errors.ConfigError: there is no method 'isat'; must be one of ... mean 'isats'?
  """
  if ":" in name:
    return _imported(name)
  if name not in _METHODS:
    raise ConfigError(f"there is no method {name!r}; must be {nearest(name, _METHODS)}")
  return _METHODS[name]


def _imported(name: str) -> type[Method]:
  found = resolve(name, "method", ConfigError)
  if not (isinstance(found, type) and issubclass(found, Method)):
    raise ConfigError(f"{name!r} is not a subclass of jaxkd.methods.Method")
  found = _frozen(found)
  # A method that is not registered has its address as its name.
  if "name" not in vars(found):
    found.name = name
  return found


def list_methods() -> dict[str, type[Method]]:
  """Returns every method that can be a row, by name.

  Examples:
    >>> [name for name in list_methods() if name.endswith("ats")]
    ['ats', 'isats']
  """
  return {name: m for name, m in sorted(_METHODS.items()) if name not in _OBJECTIVES_ONLY}


def all_methods() -> dict[str, type[Method]]:
  """Returns every method by name, also those that are objectives only."""
  return dict(_METHODS)


def members(row: str) -> list[str]:
  """Returns the names of the methods that a row combines, or of its only one.

  Examples:
    >>> members("crd+kd")
    ['crd', 'kd']
  """
  return row.split("+")


def objective(options: Mapping[str, Any] | str) -> Method:
  """Returns a method with an objective, from its name and the options that differ from defaults.

  Args:
    options: `name` and options of the method; an option that is not named has its default. A name
      alone stands for all defaults. The options of `crd+kd` are dicts `crd`, `kd` and `weights`.

  Raises:
    ConfigError: the method or an option is unknown, or a value is out of bounds.

  Examples:
    >>> objective({"name": "isats", "lam": 0.3}).gap
    1.0
    >>> objective({"name": "crd+kd", "kd": {"lam": 1.0}, "weights": {"crd": 0.5}}).weights
    (0.5, 1.0)
  """
  options = {"name": options} if isinstance(options, str) else dict(options)
  name = options.pop("name", "")
  if len(names := members(name)) > 1:
    return _combined_objective(names, options)
  method = create(name, options)
  if method.loss is None:
    raise ConfigError(f"the method {method.name!r} has no objective of its own")
  return method


def create(name: str, options: Mapping[str, Any]) -> Method:
  """Returns a method with the given options, and defaults for the others.

  Raises:
    ConfigError: as for `objective`.
  """
  method = find(name)
  known = {field.name for field in dataclasses.fields(method)}
  for option in options:
    if option not in known:
      raise ConfigError(
        f"the method {name!r} has no option {option!r}; must be {nearest(option, known)}"
      )
  return method(**options)


def _combined_objective(names: list[str], options: dict[str, Any]) -> Method:
  weights = options.pop("weights", {})
  for given in (options, weights):
    for name in given:
      if name not in names:
        raise ConfigError(
          f"the method {'+'.join(names)!r} has no {name!r}; must be {nearest(name, names)}"
        )
  return Combined(
    tuple(objective({"name": name, **options.get(name, {})}) for name in names),
    tuple(weights.get(name, 1.0) for name in names),
  )


def of_identity(identity: Mapping[str, Any]) -> Method:
  """Returns the method with an objective that has an identity."""
  return objective(_without_definitions(identity))


def _without_definitions(identity: Mapping[str, Any]) -> dict[str, Any]:
  return {
    key: _without_definitions(value) if isinstance(value, Mapping) else value
    for key, value in identity.items()
    if key not in ("version", "source")
  }


def identity(method: Method) -> dict[str, Any]:
  """Returns everything that determines what a method computes, as JSON holds it.

  For a method of this package its version stands for its definition; for any other its source, with
  the versions of the package's methods that it extends. The versions of its `parts` follow. That of
  a combined method has the identities of its members, by name.
  """
  if isinstance(method, Combined):
    each = {member.name: identity(member) for member in method.members}
    return {"name": method.name, "weights": dict(zip(each, method.weights, strict=True)), **each}
  bases = [c for c in type(method).__mro__ if c.__module__.startswith("jaxkd.methods.")]
  parts = [part.version for part in method.parts()]
  definition: dict[str, Any] = {"version": [method.version, *parts] if parts else method.version}
  if type(method) not in bases:
    versions = [getattr(base, "version", 0) for base in bases]
    definition = {"version": [*versions, *parts], "source": source_digest(type(method))}
  options = {}
  for field in dataclasses.fields(method):
    value = getattr(method, field.name)
    unused = field.metadata.get("extension") and value == field.default
    if not unused and not field.metadata.get("selects"):
      options[field.name] = value
  return {"name": method.name, **options, **definition}
