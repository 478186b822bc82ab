"""One list of blocks is written as Markdown, HTML, CSV and pictures."""

import csv
import html.parser

import hypothesis
import hypothesis.strategies as st
import markdown_it
import numpy as np
import pytest
from foreign_files import fuzzed

from jaxkd.common.errors import FileError, one_line
from jaxkd.reports import document, pictures, tables
from jaxkd.reports.document import Heading, Picture, Points, Report, Table, Text

NAME = "<b>a|b</b> `*c* &lt; [d](e)"


def picture(name="curves"):
  figure = pictures.learning_curves({"kd": [(np.array([1.0, 2.0]), np.array([50.0, 60.0]))]})
  return Picture(name, figure, [{"epoch": 1.0, "accuracy (%)": 50.0}], "About.")


def report():
  return Report(
    f"About {NAME}",
    [
      Text(f"Text of {NAME}."),
      Table("table", [{"network": NAME, "v": 0.1234567}], "Numbers", [{"seed": 3, "v": 0.1234567}]),
      Heading("Pictures"),
      picture(),
      picture("bare")._replace(csv=None),
      Points([f"point {NAME}", "other"]),
      Points(["hidden"], "More (1)"),
    ],
  )


class Words(html.parser.HTMLParser):
  """Collects the words, tags and addresses of a page."""

  def __init__(self, text):
    super().__init__()
    self.words, self.tags, self.addresses = [], [], []
    self.feed(text)
    self.close()

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.addresses += [value for key, value in attrs if key in ("href", "src")]

  def handle_data(self, data):
    self.words.append(data)


def test_every_block_is_written(tmp_path):
  markdown = document.write(report(), tmp_path / "made" / "folder")
  folder = markdown.parent
  assert {file.name for file in folder.iterdir()} == {
    "report.md",
    "report.html",
    "table.csv",
    *("curves.png", "curves.svg", "curves.csv", "bare.png", "bare.svg"),
  }
  with open(folder / "table.csv", newline="") as file:
    assert list(csv.DictReader(file)) == [{"seed": "3", "v": "0.1234567"}]
  text = markdown.read_text()
  for part in (
    "## Numbers",
    "0.1235",
    "## Pictures",
    "![curves](curves.png)",
    "- other",
    "More (1)",
  ):
    assert part in text
  page = Words((folder / "report.html").read_text())
  assert page.tags.count("svg") == 2
  assert page.tags.count("details") == 1
  # Every link leads to a file beside the page.
  links = [address for address in page.addresses if not address.startswith("#")]
  assert links
  assert all((folder / address).exists() for address in links)


def test_names_are_escaped(tmp_path):
  markdown = document.write(report(), tmp_path)
  shown = Words((tmp_path / "report.html").read_text()).words
  assert NAME in shown
  assert any(f"Text of {NAME}." in words for words in shown)
  text = markdown.read_text()
  assert "<b>" not in text.replace(r"\<b>", "")
  (line,) = (line for line in text.splitlines() if "0.1235" in line)
  # The bar inside the cell is escaped.
  assert line.replace(r"\|", "").count("|") == 3
  for markup in (r"\*c*", r"\&lt;", r"\`", r"[d\](e)"):
    assert markup in line


_MARKUP = "|`<>[]()*_~#-+.!\\&;:a1= \n\"'β\x1b"
_BLOCKS = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}


@fuzzed(150)
@hypothesis.given(st.text(st.sampled_from(_MARKUP), max_size=12))
def test_markdown_shows_any_name_as_it_is(name):
  line = one_line(name)
  table = Table("table", [{line or "head": name, "v": 1}])
  blocks = [Text(name), Heading(name), Points([name, "end"]), table]
  reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
  shown = Words(reader.render("\n\n".join(document._markdown(Report(name, blocks)))))
  assert set(shown.tags) <= _BLOCKS
  expected = [line, line, line, line, "end", line or "head", "v", line, "1"]
  assert [word.strip() for word in shown.words if word.strip()] == [*filter(None, expected)]


def test_the_files_have_the_name_of_the_report(tmp_path):
  markdown = document.write(Report("T", [Table("t2", [{"a": 1}])]), tmp_path, "t2")
  assert markdown == tmp_path / "t2.md"
  assert (tmp_path / "t2.html").exists()
  assert (tmp_path / "t2.csv").read_text() == "a\n1\n"


def test_a_file_that_cannot_be_written_is_named(tmp_path):
  (tmp_path / "table.csv").mkdir()
  with pytest.raises(FileError, match=r"table\.csv"):
    document.write(report(), tmp_path)
  assert not (tmp_path / "report.md").exists()


def test_every_line_gets_all_columns():
  lines = tables.joined([{"row": "a"}, {"row": "b", "v": 1}])
  assert tables.as_csv(lines) == "row,v\na,\nb,1\n"
