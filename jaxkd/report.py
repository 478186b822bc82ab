"""The table and pictures of an experiment, the paper's figures beside ours."""

import csv
import html
import io
import json
import os
import pathlib
from collections.abc import Mapping

import ml_collections
import numpy as np
from matplotlib.figure import Figure

from jaxkd.store import Entry, Phase, write_atomically

Plan = Mapping[tuple[str, int], Phase]
Entries = Mapping[Phase, Entry]
Cells = list[dict[str, str]]

# Okabe and Ito's: told apart by the colour-blind, too.
_COLORS = (
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
)


def write(
  config: ml_collections.ConfigDict,
  workdir: str | os.PathLike[str],
  plan: Plan,
  entries: Entries,
) -> pathlib.Path:
  """Writes what finished rows gave.

  Args:
    config: the experiment.
    workdir: the store.
    plan: the student's phase of each row and seed.
    entries: the places of all phases.

  Returns:
    The folder with `report.md`, `report.html`, `table.csv` and the pictures.
  """
  folder = pathlib.Path(workdir) / f"report-{config.title}"
  folder.mkdir(parents=True, exist_ok=True)
  cells = table(config, plan, entries)
  pictures = {
    "curves": ("Test accuracy in training.", _curves(config, plan, entries)),
    "derived": (
      "What the teachers' probabilities of the wrong classes are at each "
      "temperature, mean over the training split.",
      _derived(plan, entries),
    ),
  }
  for name, (_, picture) in pictures.items():
    picture.savefig(folder / f"{name}.png", dpi=200)
    picture.savefig(folder / f"{name}.svg")
  captions = {name: caption for name, (caption, _) in pictures.items()}
  write_atomically(folder / "table.csv", _csv(cells))
  write_atomically(folder / "report.md", _markdown(config, cells, captions))
  write_atomically(
    folder / "report.html", _html(config, cells, captions, folder)
  )
  return folder


def table(
  config: ml_collections.ConfigDict, plan: Plan, entries: Entries
) -> Cells:
  """Returns a dict of texts per line: the teachers, then the config's rows."""
  lines = [
    _line(f"teacher of {', '.join(rows)}", [phase], entries)
    | _dark_knowledge(phase, entries, config.kd.tau)
    for phase, rows in _teachers(plan).items()
    if entries[phase].finished
  ]
  for row in config.rows:
    phases = [plan[row, seed] for seed in config.seeds]
    line = _line(row, phases, entries)
    if row in config.paper:
      accuracy = 100 * np.mean(_accuracies(phases, entries))
      line["paper (%)"] = f"{config.paper[row]:.2f}"
      line["ours - paper"] = f"{accuracy - config.paper[row]:+.2f}"
    lines.append(line)
  columns = dict.fromkeys(column for line in lines for column in line)
  return [
    {column: line.get(column, "") for column in columns} for line in lines
  ]


def _teachers(plan: Plan) -> dict[Phase, list[str]]:
  """Returns the networks that teach a student directly, with these rows."""
  teachers: dict[Phase, list[str]] = {}
  for (row, _), phase in plan.items():
    for teacher in phase.teachers:
      rows = teachers.setdefault(teacher, [])
      if row not in rows:
        rows.append(row)
  return teachers


def _accuracies(phases: list[Phase], entries: Entries) -> list[float]:
  return [entries[phase].result()["test"]["accuracy"] for phase in phases]


def _line(row: str, phases: list[Phase], entries: Entries) -> dict[str, str]:
  accuracies = [100 * value for value in _accuracies(phases, entries)]
  spread = f" ± {np.std(accuracies, ddof=1):.2f}" if len(phases) > 1 else ""
  return {
    "row": row,
    "network": phases[0].network["name"],
    "loss": phases[0].loss["name"],
    "test accuracy (%)": f"{np.mean(accuracies):.2f}{spread}",
    "seeds": str(len(phases)),
  }


def _dark_knowledge(
  phase: Phase, entries: Entries, tau: float
) -> dict[str, str]:
  result = entries[phase].result()
  index = int(np.argmin(np.abs(np.array(result["temperatures"]) - tau)))
  at = f"at {result['temperatures'][index]:g}"
  train = result["train"]
  return {
    f"derived average {at}": f"{train['derived_average'][index]:.3e}",
    f"derived variance {at}": f"{train['derived_variance'][index]:.3e}",
  }


def _curves(
  config: ml_collections.ConfigDict, plan: Plan, entries: Entries
) -> Figure:
  figure = Figure(figsize=(5, 3.4), layout="constrained")
  axes = figure.subplots()
  for color, row in zip(_COLORS * 3, config.rows, strict=False):
    for seed in config.seeds:
      file = entries[plan[row, seed]].metrics
      lines = [json.loads(line) for line in file.read_text().splitlines()]
      axes.plot(
        [line["epoch"] for line in lines],
        [100 * line["test_accuracy"] for line in lines],
        color=color,
        label=row if seed == config.seeds[0] else None,
      )
  axes.set(xlabel="epoch", ylabel="test accuracy (%)", title=config.title)
  axes.legend(frameon=False)
  return figure


def _derived(plan: Plan, entries: Entries) -> Figure:
  figure = Figure(figsize=(7, 3.2), layout="constrained")
  for axes, name in zip(
    figure.subplots(1, 2), ("average", "variance"), strict=True
  ):
    for color, (phase, rows) in zip(
      _COLORS * 3, _teachers(plan).items(), strict=False
    ):
      if entries[phase].finished:
        result = entries[phase].result()
        axes.plot(
          result["temperatures"],
          result["train"][f"derived_{name}"],
          marker="o",
          color=color,
          label=f"{phase.network['name']} of {', '.join(rows)}",
        )
    axes.set(xlabel="temperature", ylabel=f"derived {name}")
  axes.legend(frameon=False)
  return figure


def _csv(cells: Cells) -> str:
  text = io.StringIO()
  writer = csv.DictWriter(text, cells[0], lineterminator="\n")
  writer.writeheader()
  writer.writerows(cells)
  return text.getvalue()


def _about(config: ml_collections.ConfigDict) -> str:
  return (
    f"Test accuracy of the last step on {config.data.name}, mean ± standard "
    "deviation over seeds; derived average and variance of the teacher's "
    "wrong-class probabilities at a temperature, mean over the training split."
  )


def _markdown(
  config: ml_collections.ConfigDict, cells: Cells, captions: Mapping[str, str]
) -> str:
  widths = {
    column: max(len(line[column]) for line in [{column: column}, *cells])
    for column in cells[0]
  }
  lines = [
    {column: column for column in widths},
    {column: "-" * width for column, width in widths.items()},
    *cells,
  ]
  rows = [
    "| " + " | ".join(line[c].ljust(w) for c, w in widths.items()) + " |"
    for line in lines
  ]
  images = [f"![{text}]({name}.png)" for name, text in captions.items()]
  return "\n".join(
    [f"# {config.title}", "", *rows, "", _about(config), "", *images, ""]
  )


def _html(
  config: ml_collections.ConfigDict,
  cells: Cells,
  captions: Mapping[str, str],
  folder: pathlib.Path,
) -> str:
  def row(tag, texts):
    return (
      "<tr>"
      + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
      + "</tr>"
    )

  figures = [
    # Without the prologue, which is of a document of its own.
    f"<figure>{svg[svg.index('<svg') :]}"
    f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    for name, caption in captions.items()
    for svg in [(folder / f"{name}.svg").read_text()]
  ]
  title = html.escape(config.title)
  return "\n".join(
    [
      '<!doctype html><html lang="en"><meta charset="utf-8">',
      f"<title>{title}</title>",
      "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto}"
      "td,th{padding:.2em .8em;text-align:left}"
      "tr{border-bottom:1px solid #ccc}table{border-collapse:collapse}"
      "figure{margin:2em 0}</style>",
      f"<h1>{title}</h1><table>",
      row("th", cells[0]),
      *(row("td", line.values()) for line in cells),
      f"</table><p>{html.escape(_about(config))}</p>",
      *figures,
      "</html>",
      "",
    ]
  )
