"""Fig. 5: number of common classes in two teachers' top K."""

from collections.abc import Sequence

import numpy as np

from jaxkd import metrics
from jaxkd.analysis.figures import Drawn, Findings, Picture
from jaxkd.reports import style
from jaxkd.reports.pictures import draw_cells

_HIGHEST_K = 8  # the paper's


def draw(findings: Findings) -> Drawn:
  """Yields the figure, of the smallest and the largest teacher."""
  small, *_, large = findings.study.teachers
  most = min(_HIGHEST_K, small.logits.shape[1])
  overlaps = (metrics.topk_overlap(small.logits, large.logits, k) for k in range(1, most + 1))
  distributions = [*map(np.asarray, overlaps)]
  text = "Fig. 5. Number of common classes in the two teachers' top K, percent of the examples."
  figure = plot(distributions, title=f"{small.name}, {large.name}")
  lines = [
    {"K": k, "common classes": common, "fraction": float(value)}
    for k, distribution in enumerate(distributions, 1)
    for common, value in enumerate(distribution)
  ]
  yield Picture("fig5", figure, lines, findings.caption(text))


@style.styled
def plot(distributions: Sequence[np.ndarray], *, title: str = "") -> style.Figure:
  """Draws a heat map of the distributions, `[K + 1]` for each K; colours range from 0 to 100 %."""
  figure, ((axes,),) = style.new_figure(1, 1, height=2.3)
  highest = max(map(len, distributions))
  percent = np.full((highest, len(distributions)), np.nan)
  for column, distribution in enumerate(distributions):
    percent[: len(distribution), column] = 100 * np.asarray(distribution)
  ks = [len(distribution) - 1 for distribution in distributions]
  draw_cells(axes, percent, ks, range(highest), ".0f", vmin=0, vmax=100)
  axes.set(title=style.plain(title), xlabel="K", ylabel="common classes")
  return figure
