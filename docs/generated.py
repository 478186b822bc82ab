"""Fills the pages with text of the package and of CONTRIBUTING.md when MkDocs builds them."""

import dataclasses
import inspect
import pathlib
import re
import typing
from collections.abc import Iterator
from typing import Any

from mkdocs.exceptions import PluginError
from rst_roles import to_markdown

from jaxkd import data, methods, models
from jaxkd.methods.options import allowed

_ROOT = pathlib.Path(__file__).parent.parent


def on_page_markdown(markdown: str, **_: Any) -> str:
  """Replaces each comment of a page that names a list or a section of CONTRIBUTING.md."""
  for name, lines in {"methods": _methods, "networks": _networks, "data": _data}.items():
    markdown = markdown.replace(f"<!-- {name} -->", "\n".join(lines()))
  return re.sub(r"<!-- CONTRIBUTING.md: (.*) -->", _section, markdown)


def _section(match: re.Match[str]) -> str:
  """Returns a section of CONTRIBUTING.md with its heading."""
  text = (_ROOT / "CONTRIBUTING.md").read_text()
  found = re.search(rf"^## {re.escape(match[1])}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
  if not found:
    raise PluginError(f"CONTRIBUTING.md has no section {match[1]!r}")
  return found[0]


def _methods() -> Iterator[str]:
  for name, method in sorted(methods.all_methods().items()):
    module = inspect.getmodule(method)
    yield f"### {name}\n\n*{_prose(module).splitlines()[0]}*\n\n{_prose(method)}\n"
    fields = dataclasses.fields(method)
    if fields:
      kinds = typing.get_type_hints(method)
      yield "| option | default | values | source |\n| --- | --- | --- | --- |"
      yield from (_row(field, kinds[field.name]) for field in fields)
      yield ""
    if method.search:
      tried = (
        f"`{option}` {', '.join(map(str, tries))}" for option, tries in method.search.items()
      )
      yield f"`jaxkd tune` tries {'; '.join(tried)}.\n"


def _networks() -> Iterator[str]:
  yield "| name | family | parameters | classes | image size |\n| --- | --- | --- | --- | --- |"
  for name, (family, forms) in models.list_models().items():
    for known in (form.reference for form in forms if form.reference):
      size = f"{known.image_size}x{known.image_size}x{known.in_channels}"
      yield f"| `{name}` | {family} | {known.parameters:,} | {known.num_classes} | {size} |"


def _data() -> Iterator[str]:
  yield "| name | classes | image size | examples | TFDS builder |\n| --- | --- | --- | --- | --- |"
  for spec in data.SPECS.values():
    sizes = f"{spec.sizes[0]:,} + {spec.sizes[1]:,}" if spec.sizes else ""
    size = f"{spec.image_size}x{spec.image_size}x{spec.channels}"
    builder = f"`{spec.builder}`" if spec.builder else ""
    yield f"| `{spec.name}` | {spec.num_classes or ''} | {size} | {sizes} | {builder} |"


def _prose(documented: Any) -> str:
  return to_markdown(inspect.getdoc(documented) or "", "jaxkd.methods").strip()


def _row(field: dataclasses.Field, kind: Any) -> str:
  """Returns an option as a line of a table."""
  value = field.default
  default = f"{value:.4g}" if isinstance(value, float) else repr(value)
  values = allowed(kind, field.metadata["within"])
  cells = (f"`{field.name}`", f"`{default}`", values, field.metadata["source"])
  return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
