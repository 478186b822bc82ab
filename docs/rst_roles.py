"""Turns docstrings into Markdown for MkDocs: math, roles, examples, indented code."""

import builtins
import re
import textwrap

import griffe

_BLOCK = re.compile(r"^( *)\.\. math::\n((?:(?:\1 +.*)?\n?)+)", re.MULTILINE)

# Outside of sections: an example, and an indented block after a colon and an empty line.
_DOCTEST = re.compile(r"^>>> .*\n(?:.+\n)*", re.MULTILINE)
_INDENTED = re.compile(r"^(\S.*:\n\n)(?=  [^ >])((?:  .+\n|\n)+)", re.MULTILINE)


def to_markdown(text: str, room: str) -> str:
  """Returns a docstring in Markdown.

  Args:
    text: the docstring.
    room: the package that has the names without a dot, e.g. `jaxkd.losses`.
  """

  def block(match: re.Match[str]) -> str:
    lines = textwrap.dedent(match[2]).strip()
    return textwrap.indent(f"$$\n{lines}\n$$\n\n", match[1])

  def reference(match: re.Match[str]) -> str:
    name, target = match[1], match[2] or match[1]
    if hasattr(builtins, target):
      return f"`{name}`"
    return f"[`{name}`][{target if '.' in target else f'{room}.{target}'}]"

  text = _BLOCK.sub(block, text + "\n")
  text = _DOCTEST.sub(lambda match: f"```pycon\n{match[0]}```\n", text)
  text = _INDENTED.sub(lambda match: f"{match[1]}{textwrap.indent(match[2], '  ')}\n", text)
  text = re.sub(r":math:`([^`]*)`", r"$\1$", text)
  text = text.replace(":mod:`", "`")
  return re.sub(r":(?:func|class|data):`([^`<]*?)(?: <([^`>]*)>)?`", reference, text)


class RstRoles(griffe.Extension):
  """Converts every docstring when it is read."""

  def on_object(self, *, obj: griffe.Object, **_: object) -> None:
    """Converts the object's docstring."""
    if obj.docstring:
      room = ".".join(obj.path.split(".")[:2])
      obj.docstring.value = to_markdown(obj.docstring.value, room)
