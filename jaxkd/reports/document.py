"""The one writer of reports: blocks of text, tables and pictures become files."""

import html
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from jaxkd.common.files import StrPath, write_atomically
from jaxkd.reports import style, tables
from jaxkd.reports.tables import Lines

_STYLE = (
  "body{font:16px/1.4 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
  "table{border-collapse:collapse;display:block;overflow-x:auto;margin:1em 0}"
  "td,th{padding:.2em .6em;text-align:left;vertical-align:bottom}"
  "td{white-space:nowrap}"
  "tr{border-bottom:1px solid #ccc}"
  "th button{font:inherit;font-weight:bold;text-align:left;border:0;padding:0;"
  "background:none;cursor:pointer}"
  'th[aria-sort="ascending"] button::after{content:" ▲"}'
  'th[aria-sort="descending"] button::after{content:" ▼"}'
  # The figures are drawn for print, where text is smaller than on screens.
  "figure{margin:2em 0}svg{max-width:100%;height:auto;zoom:1.4}"
)

# The browser refuses to fetch anything: the page contains all that it shows.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

# A click on a column's head sorts the lines by it: numbers as numbers.
_SCRIPT = """
for (const button of document.querySelectorAll("th button")) {
  button.onclick = () => {
    const head = button.parentNode, column = head.cellIndex;
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const cell of head.parentNode.cells) cell.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const value = (line) => line.cells[column].dataset.value;
    const compare = (a, b) =>
      isNaN(a - b) ? a.localeCompare(b, "en") : a - b;
    [...body.rows]
      .sort((a, b) => (up ? 1 : -1) * compare(value(a), value(b)))
      .forEach((line) => body.append(line));
  };
}
"""


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


Block = Heading | Text | Points | Table | Picture


class Report(NamedTuple):
  """A title and the blocks below it."""

  title: str
  blocks: Sequence[Block]


def write(report: Report, folder: StrPath, name: str = "report") -> pathlib.Path:
  """Writes `<name>.md`, `<name>.html` with the pictures in it, and files of tables and pictures.

  Every file is written atomically, those with all blocks last. Returns the Markdown file.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  for block in report.blocks:
    if isinstance(block, Picture):
      style.save(style.captioned(block.figure, block.caption), folder / block.name)
    if isinstance(block, Table | Picture) and block.csv:
      write_atomically(folder / f"{block.name}.csv", tables.as_csv(block.csv))
  write_atomically(folder / f"{name}.html", _page(report.title, _html(report, folder)))
  markdown = folder / f"{name}.md"
  write_atomically(markdown, "\n\n".join(_markdown(report)) + "\n")
  return markdown


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
      case Table():
        if block.title:
          yield f"## {tables.escaped(block.title)}"
        yield tables.as_markdown(block.lines)
      case Picture(name):
        yield f"![{name}]({name}.png)"


def _html(report: Report, folder: pathlib.Path) -> Iterator[str]:
  for block in report.blocks:
    match block:
      case Heading(text):
        yield f"<h2>{html.escape(text)}</h2>"
      case Text(text):
        yield f"<p>{html.escape(text)}</p>"
      case Points(items, summary):
        points = "".join(f"<li>{html.escape(item)}</li>\n" for item in items)
        points = f"<ul>{points}</ul>"
        if summary:
          points = f"<details><summary>{html.escape(summary)}</summary>{points}</details>"
        yield points
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


def _links(name: str, ends: Sequence[str]) -> str:
  return ", ".join(f'<a href="{html.escape(name)}.{end}">{end.upper()}</a>' for end in ends)


def _page(title: str, parts: Iterable[str]) -> str:
  """Returns a whole page of parts in HTML; a click on a head of a table sorts the table."""
  title = html.escape(title)
  body = "\n".join(parts)
  return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
{body}
<script>{_SCRIPT}</script></body></html>
"""
