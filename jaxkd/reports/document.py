"""The one writer of reports: blocks of text, tables and pictures become files."""

import html
import pathlib
import string
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from jaxkd.common.buckets import AnyPath, located
from jaxkd.common.files import StrPath, make_folder, write_atomically
from jaxkd.reports import style, tables
from jaxkd.reports.tables import Lines

# The page of every report: it contains all that it shows, and sorts tables by a click on a head.
_PAGE = string.Template(pathlib.Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


class Heading(NamedTuple):
  """The title of a section."""

  text: str


class Text(NamedTuple):
  """A paragraph."""

  text: str


class Points(NamedTuple):
  """A list."""

  items: Sequence[str]  # a text for each point
  summary: str = ""  # if given, it stands above, and the page shows the list after a click on it


class Links(NamedTuple):
  """A list of folders, which the page shows after a click on the summary above it."""

  folders: Sequence[str]  # beside the report's own
  summary: str


class Table(NamedTuple):
  """A table."""

  name: str  # of its CSV file
  lines: Lines  # for people
  title: str = ""  # stands above it, if given
  data: Lines | None = None  # the content of the CSV file, if it has more than `lines`

  @property
  def csv(self) -> Lines:
    """The content of its CSV file."""
    return self.data or self.lines


class Picture(NamedTuple):
  """A figure with the data that it shows."""

  name: str  # of its files
  figure: Figure
  csv: Lines | None = None  # content of its CSV file; None if a table has the data
  caption: str = ""  # stands below the axes, if given


Block = Heading | Text | Points | Links | Table | Picture


class Report(NamedTuple):
  """A title and the blocks below it."""

  title: str
  blocks: Sequence[Block]


def write(report: Report, folder: StrPath, name: str = "report") -> AnyPath:
  """Writes `<name>.md`, `<name>.html` with the pictures in it, and files of tables and pictures.

  Every file is written atomically, those with all blocks last. Returns the Markdown file.
  """
  folder = located(folder)
  make_folder(folder)
  for block in report.blocks:
    if isinstance(block, Picture):
      style.save(style.captioned(block.figure, block.caption), folder / block.name)
    if isinstance(block, Table | Picture) and block.csv:
      write_atomically(folder / f"{block.name}.csv", tables.as_csv(block.csv))
  body = "\n".join(_html(report, folder))
  page = _PAGE.substitute(title=html.escape(report.title), body=body)
  write_atomically(folder / f"{name}.html", page)
  markdown = folder / f"{name}.md"
  write_atomically(markdown, as_markdown(report))
  return markdown


def as_markdown(report: Report) -> str:
  """Returns a report as Markdown; its pictures are links."""
  return "\n\n".join(_markdown(report)) + "\n"


def _markdown(report: Report) -> Iterator[str]:
  yield f"# {tables.escaped(report.title)}"
  for block in report.blocks:
    match block:
      case Heading(text):
        yield f"## {tables.escaped(text)}"
      case Text(text):
        yield tables.escaped(text)
      case Points(items, summary):
        if summary:
          yield f"{tables.escaped(summary)}:"
        yield "\n".join(f"- {tables.escaped(item)}" for item in items)
      case Links(folders, summary):
        yield f"{tables.escaped(summary)}:"
        yield "\n".join(f"- [{tables.escaped(name)}]({_beside(name)})" for name in folders)
      case Table():
        if block.title:
          yield f"## {tables.escaped(block.title)}"
        yield tables.as_markdown(block.lines)
      case Picture(name):
        yield f"![{name}]({name}.png)"


def _html(report: Report, folder: AnyPath) -> Iterator[str]:
  for block in report.blocks:
    match block:
      case Heading(text):
        yield f"<h2>{html.escape(text)}</h2>"
      case Text(text):
        yield f"<p>{html.escape(text)}</p>"
      case Points(items, summary):
        yield _html_list(map(html.escape, items), summary)
      case Links(folders, summary):
        named = (f'<a href="{_beside(name)}">{html.escape(name)}</a>' for name in folders)
        yield _html_list(named, summary)
      case Table():
        if block.title:
          yield f"<h2>{html.escape(block.title)}</h2>"
        yield tables.as_html(block.lines)
        yield _links(block.name, ["csv"])
      case Picture(name):
        svg = (folder / f"{name}.svg").read_text()
        links = _links(name, ["png", "svg", "csv"] if block.csv else ["png", "svg"])
        # The prologue belongs to a separate file, not to a page.
        yield f"<figure>{svg[svg.index('<svg') :]}<figcaption>{links}</figcaption></figure>"


def _html_list(items: Iterable[str], summary: str) -> str:
  """Returns a list, which is hidden until a click on the summary if there is one."""
  points = "".join(f"<li>{item}</li>\n" for item in items)
  points = f"<ul>{points}</ul>"
  if summary:
    points = f"<details><summary>{html.escape(summary)}</summary>{points}</details>"
  return points


def _beside(folder: str) -> str:
  """Returns the address of a folder beside the report's."""
  return f"../{urllib.parse.quote(folder)}/"


def _links(name: str, ends: Sequence[str]) -> str:
  return ", ".join(f'<a href="{html.escape(name)}.{end}">{end.upper()}</a>' for end in ends)
