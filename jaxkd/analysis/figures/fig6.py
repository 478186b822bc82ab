"""Fig. 6: agreement of every pair of teachers on the order of the classes."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxkd.analysis.figures import Drawn, Findings, Picture
from jaxkd.reports import style
from jaxkd.reports.pictures import draw_cells


def draw(findings: Findings) -> Drawn:
  """Yields the figure."""
  titles = {
    "overlap": f"rank set overlap, K = {findings.settings.k}",
    "spearman": "Spearman's ρ",
    "kendall": "Kendall's τ",
  }
  names = findings.study.names
  # A teacher's agreement with itself stays empty.
  matrices = {title: np.full((len(names), len(names)), np.nan) for title in titles.values()}
  lines = []
  for found in findings.measured.comparisons:
    i, j = names.index(found.small), names.index(found.large)
    values = {title: getattr(found, field) for field, title in titles.items()}
    for title, value in values.items():
      matrices[title][[i, j], [j, i]] = value
    lines.append({"smaller": found.small, "larger": found.large, **values})
  text = (
    "Fig. 6. Agreement of each pair of teachers on the order of the classes, mean over the "
    "examples. Colours range from 0 to 1."
  )
  yield Picture("fig6", plot(names, matrices), lines, findings.caption(text))


@style.styled
def plot(names: Sequence[str], matrices: Mapping[str, np.ndarray]) -> style.Figure:
  """Draws the matrices, `[T, T]` by title, below each other; colours range from 0 to 1."""
  height = (0.22 * len(names) + 0.3) * len(matrices) + 0.5
  figure, axes = style.new_figure(len(matrices), 1, height=height, sharex=True)
  for ax, (title, matrix) in zip(axes[:, 0], matrices.items(), strict=True):
    draw_cells(ax, matrix, names, names, ".2f", vmin=0, vmax=1)
    ax.set_title(title)
  for name in axes[-1, 0].get_xticklabels():
    name.set(rotation=30, ha="right", rotation_mode="anchor")
  return figure
