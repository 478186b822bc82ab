"""HTML pages that open from disk and fetch nothing."""

import html
from collections.abc import Iterable

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


def page(title: str, parts: Iterable[str]) -> str:
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
